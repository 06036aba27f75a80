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

// A phone that registered by UDP under a waiver is called, canceled and hung up on by the socket that it knows, and by none once the waiver has ended.
func TestCallsReachPhonesOnDatagrams(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		t.Run(listen, func(t *testing.T) {
			reg := sipRegistrar()
			ep, err := sip.New(sip.Config{Realm: realms, Registrar: reg})
			require.NoError(t, err)
			defer ep.Close()
			pc, err := net.ListenPacket("udp4", listen)
			require.NoError(t, err)
			waiver, end := context.WithCancel(context.Background())
			defer end()
			served := make(chan error, 1)
			go func() {
				served <- insecuretransport.ServeUDP(waiver, ep, pc, insecuretransport.Waiver{Name: "test", Until: time.Now().Add(time.Hour), Digest: true})
			}()
			_, port, err := net.SplitHostPort(pc.LocalAddr().String())
			require.NoError(t, err)
			server := net.JoinHostPort("127.0.0.1", port)
			conn, err := net.Dial("udp", server) // hears nothing from elsewhere
			require.NoError(t, err)
			p := siptest.NewPeer(t, conn)
			p.Send("", registerLines("acme.test", "1001", "", 1)...)
			first := p.Want("401")
			p.Send("", registerLines("acme.test", "1001", answer(challenges(first)[0], "SHA-256", "1001", "acme.test"+password, "REGISTER", "sip:acme.test", 1), 2)...)
			p.Want("200")
			b := reg.Lookup("acme.test", "1001", time.Now())[0]
			dc := sip.DialConfig{Target: b.Contact, Flow: b.Flow, From: "sip:9000@acme.test"}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			dial := func(ctx context.Context) (siptest.Message, <-chan dialedCall) {
				out := make(chan dialedCall, 1)
				go func() { // ends with the answer of the script, or ctx
					c, err := ep.Dial(ctx, dc, &media{})
					out <- dialedCall{c, err}
				}()
				return p.Want("INVITE"), out
			}

			invite, out := dial(ctx)
			require.Contains(t, invite.Header.Get("Via"), "SIP/2.0/UDP "+server+";")
			require.Contains(t, invite.Header.Get("Contact"), "@"+server+";")
			p.Send("", responseLines(invite, "180 Ringing", "b")...)
			p.Send("ANSWER", append(responseLines(invite, "200 OK", "b"), "Content-Type: application/sdp")...)
			p.Want("ACK")
			d := <-out
			require.NoError(t, d.err)
			require.False(t, d.c.Secure())
			p.Send("ANSWER", append(responseLines(invite, "200 OK", "b"), "Content-Type: application/sdp")...) // its ACK was lost
			p.Want("ACK")
			hung := make(chan error, 1)
			go func() { hung <- d.c.Hangup(ctx) }() // ends with the answer to the BYE
			bye := p.Want("BYE")
			reply(p, bye, "200 OK", "", "")
			require.NoError(t, <-hung)

			short, stop := context.WithCancel(ctx)
			invite, out = dial(short)
			p.Send("", responseLines(invite, "180 Ringing", "c")...)
			stop()
			cancelReq := p.Want("CANCEL")
			p.Send("", responseLines(cancelReq, "200 OK", "c")...)
			p.Send("", responseLines(invite, "487 Request Terminated", "c")...)
			p.Want("ACK")
			require.ErrorIs(t, (<-out).err, context.Canceled)

			end()
			require.ErrorIs(t, <-served, sip.ErrClosed)
			_, err = ep.Dial(ctx, dc, &media{})
			require.ErrorIs(t, err, sip.ErrFlowGone)
		})
	}
}
