package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDemoHolds(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	code := run(context.Background(), []string{"demo"}, &out, &errs)
	require.Zero(t, code, "%s%s", out.String(), errs.String())
	for _, want := range []string{"8 calls = 5 answered + 1 abandoned + 0 overflowed + 2 ended in the IVR", "signed", "  4 erased, 0 held", "  1 erased, 0 held", "All of that held."} {
		require.Contains(t, out.String(), want)
	}
}
