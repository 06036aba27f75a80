package sip_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

// Nothing is said to an INVITE while it is not known whose it is, however long the credentials take: the library's own 100 would come from a timer, to whoever asks.
func TestNothingIsSaidBeforeTheCallerIsKnown(t *testing.T) {
	asked, known := make(chan struct{}), make(chan struct{})
	ask := sync.OnceFunc(func() { close(asked) })
	s := serve(t, sip.Config{Realm: func(domain, _ string) (sip.Realm, error) {
		return sip.Realm{Name: domain, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
			ask()
			<-known
			return sip.HA1(algorithm, user, domain, password)
		}}, nil
	}, OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	phone := s.phone(t, nil)
	heard, done := make(chan int, 8), make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() { // ends with the answer, waited for below
		c, err := phone.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: s.addr, From: "sip:1001@acme.test", Password: password, OnProgress: func(s int) { heard <- s }}, &media{})
		if err == nil {
			err = c.Hangup(ctx)
		}
		done <- err
	}()
	<-asked
	select {
	case status := <-heard:
		t.Errorf("%d was said", status)
	case <-time.After(600 * time.Millisecond): // three times the library's patience
	}
	close(known)
	require.NoError(t, <-done)
}
