package branch_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/sip/branch"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestLink(t *testing.T) {
	l, err := branch.NewLink(branch.LinkConfig{DownAfter: 2, UpAfter: 3, Hold: 10 * time.Second})
	require.NoError(t, err)
	require.False(t, l.Up(), "nothing is known yet")
	require.True(t, l.Alive(noon), "the first sign of life is enough at the start")
	require.False(t, l.Failed(noon), "one failure is none")
	require.False(t, l.Alive(noon))
	require.False(t, l.Failed(noon))
	require.True(t, l.Failed(noon.Add(time.Second)))
	for i := range 5 {
		require.False(t, l.Alive(noon.Add(time.Duration(2+i)*time.Second)), "not before Hold is over")
	}
	require.True(t, l.Alive(noon.Add(11*time.Second)))
	require.True(t, l.Up())
	_, err = branch.NewLink(branch.LinkConfig{Hold: -1})
	require.Error(t, err)
}

// Whatever happens: it goes down after exactly DownAfter failures in a row, comes up only after UpAfter signs of life and Hold without failure, and says
// so each time it changes and at no other.
func TestLinkModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := branch.LinkConfig{DownAfter: rapid.IntRange(1, 4).Draw(t, "down"), UpAfter: rapid.IntRange(1, 4).Draw(t, "up"),
			Hold: time.Duration(rapid.IntRange(1, 20).Draw(t, "hold")) * time.Second}
		l, err := branch.NewLink(cfg)
		require.NoError(t, err)
		now := noon
		var history []bool
		var failed time.Time
		trailing := func(what bool) (n int) {
			for i := len(history) - 1; i >= 0 && history[i] == what; i-- {
				n++
			}
			return n
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "ms")) * time.Millisecond)
			alive, before := rapid.Bool().Draw(t, "alive"), l.Up()
			history = append(history, alive)
			var changed bool
			if alive {
				changed = l.Alive(now)
			} else {
				changed, failed = l.Failed(now), now
			}
			require.Equal(t, before != l.Up(), changed)
			switch {
			case before:
				require.Equal(t, trailing(false) < cfg.DownAfter, l.Up())
			case failed.IsZero():
				require.True(t, l.Up())
			default:
				require.Equal(t, alive && trailing(true) >= cfg.UpAfter && now.Sub(failed) >= cfg.Hold, l.Up())
			}
		}
	})
}
