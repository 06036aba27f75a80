package sip_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// Who waits for a connection that another call is making can give up by its own time, and is not failed by the other one's.
func TestWaitingForAConnectionEndsWithTheContext(t *testing.T) {
	ca := siptest.NewAuthority(t)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	dial := func(ctx context.Context) <-chan error {
		done := make(chan error, 1)
		go func() { // ends with ctx
			_, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: l.Addr().String(), From: "sip:1001@acme.test"}, &media{})
			done <- err
		}()
		return done
	}
	first, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	slow := dial(first)
	silent, err := l.Accept() // and no handshake
	require.NoError(t, err)
	defer silent.Close()

	gone, stop := context.WithCancelCause(context.Background())
	waiting := dial(gone)
	why := errors.New("caller hung up")
	stop(why)
	select {
	case err := <-waiting:
		require.ErrorIs(t, err, why)
	case <-slow:
		t.Fatal("waited for the handshake of another call")
	}
	third := dial(context.Background())
	cancel()
	require.Error(t, <-slow)
	next, err := l.Accept() // the third tries by itself when the first has failed
	require.NoError(t, err)
	next.Close()
	require.ErrorIs(t, <-third, sip.ErrTransport)
}
