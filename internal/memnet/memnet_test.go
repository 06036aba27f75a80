package memnet_test

import (
	"context"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/memnet"
)

func TestConnectionsBehaveLikeSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen(5060)
		accepted := make(chan net.Conn, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				accepted <- c
			}
		}()
		a, err := l.Dial(context.Background())
		require.NoError(t, err)
		b := <-accepted
		require.Equal(t, a.LocalAddr(), b.RemoteAddr())

		_, err = a.Write([]byte("hello"))
		require.NoError(t, err)
		buf := make([]byte, 3)
		n, err := b.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "hel", string(buf[:n]))

		start := time.Now()
		require.NoError(t, a.SetReadDeadline(start.Add(time.Minute)))
		_, err = a.Read(buf)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start), "a deadline passes in virtual time")

		require.NoError(t, a.Close())
		rest, err := io.ReadAll(b)
		require.NoError(t, err)
		require.Equal(t, "lo", string(rest), "what was written before the end arrives")
		_, err = b.Write([]byte("x"))
		require.ErrorIs(t, err, net.ErrClosed)

		require.NoError(t, l.Close())
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)
		_, err = l.Dial(context.Background())
		require.Error(t, err)
	})
}
