package media_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// Everything at once from many goroutines: nothing deadlocks, and when it is over every leg is free and works.
func TestConferenceUnderChurn(t *testing.T) {
	leaktest.Check(t)
	e := newEngine(t, media.Config{})
	all := parties(t, e, []string{sdp.PCMU, sdp.G722, sdp.PCMA, sdp.Opus}, 400, 700, 1100, 1500)
	c, err := media.NewConference(e, media.ConferenceConfig{Hears: media.Everybody, RelayDigits: true, Music: tone(t, 300, time.Second)})
	require.NoError(t, err)
	var work sync.WaitGroup
	for g := range 6 {
		work.Add(1)
		go func() { // ends by itself; the test waits for it
			defer work.Done()
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 150 {
				p, q := all[r.IntN(len(all))], all[r.IntN(len(all))]
				switch r.IntN(8) {
				case 0, 1:
					_, _ = c.Join(p.leg)
				case 2:
					for _, m := range c.Members() {
						if m.Leg() == p.leg {
							m.Leave()
						}
					}
				case 3:
					_ = c.Arrange(media.Among(c.Members()...))
				case 4:
					p.leg.Secret(true)
					p.leg.Secret(false)
				case 5:
					if br, err := media.NewBridge(p.leg, q.leg); err == nil {
						if x, a, _, err := br.Conference(media.ConferenceConfig{}); err == nil {
							if again, err := x.Bridge(); err == nil {
								again.Close()
							}
							a.Leave()
							x.Close()
						}
						br.Close()
					}
				case 6:
					ctx, cancel := context.WithCancel(context.Background())
					cancel()
					_ = p.leg.Echo(ctx)
					_ = p.leg.Stats()
				case 7:
					_ = p.phone.InjectDigit('1')
					_ = c.String()
				}
			}
		}()
	}
	work.Wait()
	c.Close()
	assert.Empty(t, c.Members())
	for i := 0; i < len(all); i += 2 {
		br, err := media.NewBridge(all[i].leg, all[i+1].leg)
		require.NoError(t, err)
		for k, p := range all[i : i+2] {
			from := p.sent()
			check(t, p, all, from+5, from+15, func(s *party) bool { return s == all[i+1-k] }, "bridge")
		}
		br.Close()
	}
	for _, p := range all[:2] {
		require.NoError(t, p.leg.Close())
	}
}
