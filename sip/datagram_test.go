package sip_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/siptest"
)

type bigMedia struct{ media }

func (m *bigMedia) Answer(context.Context, []byte) ([]byte, error) {
	return []byte(strings.Repeat("a=x\r\n", 800)), nil
}

// TestBigDatagramsAreSent (D15), and a whole call by UDP: challenge without state, nonce returned, ACK and BYE on the flow that is known now.
func TestBigDatagramsAreSent(t *testing.T) {
	ep, err := sip.New(sip.Config{Realm: realms, OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &bigMedia{}) == nil {
			<-ctx.Done()
		}
	}})
	require.NoError(t, err)
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() {
		served <- insecuretransport.ServeUDP(context.Background(), ep, pc, insecuretransport.Waiver{Name: "test", Until: time.Now().Add(time.Hour), Digest: true})
	}()
	c, err := net.Dial("udp", pc.LocalAddr().String())
	require.NoError(t, err)
	s := &script{p: siptest.NewPeer(t, c), callID: "big"}
	require.Len(t, s.invite(t, "OFFER", "200").Body, 4000)
	s.p.Send("", s.lines("ACK", "")...)
	s.seq++
	s.p.Send("", s.lines("BYE", "")...)
	s.p.Want("200")
	require.NoError(t, ep.Close())
	require.ErrorIs(t, <-served, sip.ErrClosed)
}

// TestSlowHandshakeIsCut (D17): who opens a connection and says nothing is gone after the time for a handshake, not after that for a log-in.
func TestSlowHandshakeIsCut(t *testing.T) {
	t.Parallel()
	s := serve(t, sip.Config{AuthTimeout: time.Hour})
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(15*time.Second)))
	start := time.Now()
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Less(t, time.Since(start), 10*time.Second)
}
