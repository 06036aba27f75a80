package sip_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

func TestPhoneRegistersAndIsCalledOverItsFlow(t *testing.T) {
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg})
	m := &media{}
	up, rang := make(chan struct{}), make(chan struct{})
	phone := s.phone(t, func(ctx context.Context, c *sip.Call) {
		if c.Ring() != nil {
			return
		}
		<-rang
		if c.Answer(ctx, m) == nil {
			close(up)
		}
		<-c.Done()
	})
	require.NoError(t, s.register(t, phone, "sip:1001@acme.test", "acme.test"+password))
	bs := reg.Lookup("acme.test", "1001", time.Now())
	require.Len(t, bs, 1)
	require.Empty(t, reg.Lookup("globex.test", "1001", time.Now()), "same number, other realm")

	ours := &media{}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := s.Dial(ctx, sip.DialConfig{Target: bs[0].Contact, Flow: bs[0].Flow, From: "sip:9000@acme.test", FromName: "Sales", OnRinging: func() { close(rang) }}, ours)
	require.NoError(t, err)
	within(t, "ringing", rang)
	within(t, "answer seen by phone", up)
	require.Equal(t, []string{"offer", "accept ANSWER"}, ours.notes())
	require.Equal(t, []string{"answer OFFER"}, m.notes())
	require.True(t, c.Secure())
	require.NoError(t, c.Hangup(ctx))
	require.ErrorIs(t, c.Err(), sip.ErrLocalBye)
	require.ErrorIs(t, c.Hangup(ctx), sip.ErrCallEnded)
}

func TestCallerIsWhoAuthenticatedAndHangsUp(t *testing.T) {
	got := make(chan *sip.Call, 1)
	m := &media{}
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if err := c.Answer(ctx, m); err != nil {
			return
		}
		got <- c
		<-ctx.Done()
	}})
	phone := s.phone(t, nil)
	pm := &media{}
	pc, err := s.dial(t, phone, "sip:9000@acme.test", pm)
	require.NoError(t, err)
	c := <-got
	require.Equal(t, "acme.test", c.Realm())
	require.Equal(t, "1001", c.User())
	require.Equal(t, "9000", c.To())
	require.NoError(t, pc.Hangup(context.Background()))
	within(t, "server sees BYE", c.Done())
	require.ErrorIs(t, c.Err(), sip.ErrRemoteBye)
}

func TestMediaRefusalIs488(t *testing.T) {
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) { _ = c.Answer(ctx, &media{refuse: sip.ErrMalformed}) }})
	_, err := s.dial(t, s.phone(t, nil), "sip:9000@acme.test", &media{})
	require.Equal(t, 488, status(err))
}

func TestHandlerThatReturnsEndsTheCall(t *testing.T) {
	s := serve(t, sip.Config{OnCall: func(context.Context, *sip.Call) {}})
	_, err := s.dial(t, s.phone(t, nil), "sip:9000@acme.test", &media{})
	require.Equal(t, 480, status(err))

	s = serve(t, sip.Config{OnCall: func(context.Context, *sip.Call) { panic("a bug in a handler") }})
	_, err = s.dial(t, s.phone(t, nil), "sip:9000@acme.test", &media{})
	require.Equal(t, 500, status(err))
}

func TestCancelWhileRinging(t *testing.T) {
	ended := make(chan error, 1)
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		_ = c.Ring()
		<-ctx.Done()
		ended <- c.Err()
	}})
	phone := s.phone(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := phone.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password,
		OnRinging: cancel}, &media{})
	require.ErrorIs(t, err, context.Canceled)
	select {
	case err := <-ended:
		require.ErrorIs(t, err, sip.ErrCanceled)
	case <-time.After(10 * time.Second):
		t.Fatal("CANCEL did not end the call")
	}
}

func TestDrainRefusesNewCalls(t *testing.T) {
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) { <-ctx.Done() }})
	s.Drain()
	_, err := s.dial(t, s.phone(t, nil), "sip:9000@acme.test", &media{})
	require.Equal(t, 503, status(err))
}

func TestMaxCalls(t *testing.T) {
	s := serve(t, sip.Config{MaxCalls: 1, OnCall: func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}})
	phone := s.phone(t, nil)
	_, err := s.dial(t, phone, "sip:9000@acme.test", &media{})
	require.NoError(t, err)
	_, err = s.dial(t, phone, "sip:9000@acme.test", &media{})
	require.Equal(t, 503, status(err))
}

func TestHeaderInjectionIsRefused(t *testing.T) {
	s := serve(t, sip.Config{})
	phone := s.phone(t, nil)
	for _, dc := range []sip.DialConfig{
		{Target: "sip:9000@acme.test\r\nX-Evil: 1", Address: s.addr, From: "sip:1001@acme.test"},
		{Target: "sip:9000@acme.test", Address: s.addr, From: "sip:1001@acme.test", FromName: "a\r\nX-Evil: 1"},
		{Target: "sip:9000@acme.test", Address: s.addr, From: "sip:10\n01@acme.test"},
		{Target: "tel:+4930123456", Address: s.addr, From: "sip:1001@acme.test"},
	} {
		_, err := phone.Dial(context.Background(), dc, &media{})
		require.ErrorIs(t, err, sip.ErrMalformed)
	}
	_, err := sip.New(sip.Config{UserAgent: "x\r\ny"})
	require.ErrorIs(t, err, sip.ErrMalformed)
}
