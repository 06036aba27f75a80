package sip_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

// A caller that is answered at once hears nothing else; one that waits hears 100 and knows that its call is there.
func TestTryingIsSaidToWhoWaits(t *testing.T) {
	answer := make(chan struct{})
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if c.To() == "9001" {
			<-answer
		}
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	phone := s.phone(t, nil)
	for target, want := range map[string][]int{"9000": nil, "9001": {100}} {
		var heard []int
		c, err := phone.Dial(t.Context(), sip.DialConfig{
			Target: "sip:" + target + "@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password,
			OnProgress: func(s int) { heard = append(heard, s); close(answer) },
		}, &media{})
		require.NoError(t, err)
		require.Equal(t, want, heard)
		require.NoError(t, c.Hangup(t.Context()))
	}
}
