package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyPassingTestsProve(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: proves control ENC-01\n"}`,
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:1: proves control ENC-02\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestB"}`,
	}, "\n")
	var out strings.Builder
	require.ErrorContains(t, run(strings.NewReader(in), &out), "1 tests")
	require.True(t, strings.HasSuffix(out.String(), "controls: 1 of 301 proved\n"), out.String())
	require.Contains(t, out.String(), "p.TestA")
}
