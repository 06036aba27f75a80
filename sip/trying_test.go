package sip_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// A caller that is answered at once hears nothing else; one that waits hears 100 after 200 ms (RFC 3261 section 17.2.1) and knows that its call is there.
func TestTryingIsSaidToWhoWaits(t *testing.T) {
	for name, patience := range map[string]time.Duration{"at once": 0, "just in time": 199 * time.Millisecond, "later": time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(ctx context.Context, c *sip.Call) {
				select {
				case <-time.After(patience): // virtual
				case <-ctx.Done():
				}
				if c.Answer(ctx, &media{}) == nil {
					<-ctx.Done()
				}
			}, func(p *siptest.Peer) {
				s := &script{p: p, callID: "trying"}
				start := time.Now()
				s.offer("OFFER")
				m, err := p.Read(time.Minute)
				require.NoError(t, err)
				if patience > 200*time.Millisecond {
					require.Equal(t, 100, m.Status())
					require.Equal(t, 200*time.Millisecond, time.Since(start))
					m, err = p.Read(time.Minute)
					require.NoError(t, err)
				}
				require.Equal(t, 200, m.Status())
				require.Equal(t, patience, time.Since(start))
				s.toTag = m.Tag("To")
				p.Send("", s.lines("ACK", "")...)
			})
		})
	}
}
