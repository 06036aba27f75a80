package sip

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RFC 5626 section 4.5, but for the first failure, which is made good at once.
func TestBackoff(t *testing.T) {
	for failures, want := range map[int][2]time.Duration{
		0: {0, 0}, 1: {0, 0}, 2: {15 * time.Second, 30 * time.Second}, 3: {30 * time.Second, time.Minute}, 4: {time.Minute, 2 * time.Minute},
		7: {8 * time.Minute, 16 * time.Minute}, 8: {15 * time.Minute, 30 * time.Minute}, 1 << 40: {15 * time.Minute, 30 * time.Minute},
	} {
		require.Equal(t, want, [2]time.Duration{backoff(failures, 0), backoff(failures, 1)}, failures)
	}
}
