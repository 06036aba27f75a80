package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWorkGoesToWhoIsIdleLongest(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, "ann takes return-1\nbob takes return-2\nann takes return-3\nbob takes return-4\nann takes return-5\n", out.String())
}
