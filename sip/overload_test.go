package sip_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
)

// Under ten times its load an endpoint sheds: strangers and new calls get 503 with Retry-After, calls in progress are served as before, and calls for help
// get through.
func TestOverloadIsShedByPriority(t *testing.T) {
	control.Proves(t, "NET-08", "AVA-14")
	const rated = 20
	s := serve(t, sip.Config{MaxCalls: rated, RequestRate: 1, RequestBurst: 200, Emergency: func(n string) bool { return n == "112" }, OnCall: func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}})
	phone := s.phone(t, nil)
	require.NoError(t, s.register(t, phone, "sip:1001@acme.test", "acme.test"+password))
	var calls []*sip.Call
	refused := 0
	for range 10 * rated {
		c, err := s.dial(t, phone, "sip:9000@acme.test", &media{})
		if err == nil {
			calls = append(calls, c)
			continue
		}
		var e *sip.StatusError
		require.ErrorAs(t, err, &e)
		require.Equal(t, 503, e.Code)
		require.Equal(t, 10*time.Second, e.RetryAfter)
		refused++
	}
	require.Len(t, calls, rated)
	require.Equal(t, 9*rated, refused)

	flood := s.raw(t, "acme.test")
	shed := 0
	for range 2000 {
		flood.Send("", optionsLines()...)
		m, err := flood.Read(5 * time.Second)
		if err != nil {
			break // its connection was closed
		}
		if m.Status() == 503 {
			require.Equal(t, "10", m.Header.Get("Retry-After"))
			shed++
		}
	}
	require.NotZero(t, shed)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for _, c := range calls { // in progress: untouched, and served at once
		require.NoError(t, c.Err())
		start := time.Now()
		require.NoError(t, c.SendDigit(ctx, '1'))
		require.Less(t, time.Since(start), 2*time.Second)
	}
	help, err := s.dial(t, phone, "sip:112@acme.test", &media{})
	require.NoError(t, err, "a call for help finds room")
	s.Drain()
	_, err = s.dial(t, phone, "sip:9000@acme.test", &media{})
	require.Equal(t, 503, status(err))
	_, err = s.dial(t, phone, "sip:112@acme.test", &media{})
	require.NoError(t, err, "while the node drains, too")
	require.NoError(t, help.Hangup(ctx))
}
