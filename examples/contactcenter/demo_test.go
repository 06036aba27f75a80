package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDemoHolds(t *testing.T) {
	var out, errs strings.Builder
	start := time.Now()
	code := run(context.Background(), []string{"demo"}, &out, &errs)
	require.Zero(t, code, "%s%s", out.String(), errs.String())
	require.Less(t, time.Since(start), time.Minute)
	for _, want := range []string{"8 calls = 5 answered + 1 abandoned + 0 overflowed + 2 ended in the IVR", "signed", "1 erased", "All of that held."} {
		require.Contains(t, out.String(), want)
	}
}
