package sip_test

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// uas accepts one TLS connection as acme.test and speaks by script.
func uas(t *testing.T, ca *siptest.Authority) (address string, peer <-chan *siptest.Peer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	ch := make(chan *siptest.Peer, 1)
	cert := ca.Issue(time.Time{}, "acme.test")
	go func() { // ends when the listener is closed or one connection was accepted
		c, err := l.Accept()
		if err == nil {
			ch <- siptest.NewPeer(t, tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}}))
		}
	}()
	return l.Addr().String(), ch
}

// reply sends a response to a request with a To tag of the script's choice.
func reply(p *siptest.Peer, req siptest.Message, status, tag, body string) {
	lines := []string{"SIP/2.0 " + status}
	for _, v := range req.Header.Values("Via") {
		lines = append(lines, "Via: "+v)
	}
	to := req.Header.Get("To")
	if !strings.Contains(to, "tag=") {
		to += ";tag=" + tag
	}
	p.Send(body, append(lines, "From: "+req.Header.Get("From"), "To: "+to, "Call-ID: "+req.Header.Get("Call-Id"), "CSeq: "+req.Header.Get("Cseq"),
		"Contact: <sip:"+tag+"@127.0.0.1:5061;transport=tls>", "Content-Type: application/sdp")...)
}

// RFC 3261 section 13.2.2.4: every 2xx is acknowledged, by its own tag; the ones nobody wants are ended.
func TestEveryForkThatAnswersIsAcknowledgedAndTheExtraOnesEnded(t *testing.T) {
	ca := siptest.NewAuthority(t)
	address, accepted := uas(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	defer ep.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dialed := make(chan *sip.Call, 1)
	go func() { // ends with the answer below
		c, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, From: "sip:1001@acme.test"}, &media{})
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	p := <-accepted
	invite := p.Want("INVITE")
	reply(p, invite, "200 OK", "forkA", "ANSWER")
	ack := p.Want("ACK")
	require.Equal(t, "forkA", ack.Tag("To"))
	require.Contains(t, ack.Start, "sip:forkA@")
	require.Equal(t, strings.Fields(invite.Header.Get("Cseq"))[0], strings.Fields(ack.Header.Get("Cseq"))[0])
	call := <-dialed
	require.NotNil(t, call)

	ended := func(tag string) {
		t.Helper()
		require.Equal(t, tag, p.Want("ACK").Tag("To"))
		bye := p.Want("BYE")
		require.Equal(t, tag, bye.Tag("To"))
		reply(p, bye, "200 OK", "", "")
	}
	reply(p, invite, "200 OK", "forkB", "ANSWER")
	ended("forkB")
	reply(p, invite, "200 OK", "forkA", "ANSWER") // its ACK was lost
	require.Equal(t, "forkA", p.Want("ACK").Tag("To"))

	hung := make(chan error, 1)
	go func() { hung <- call.Hangup(ctx) }() // ends with the BYE below
	bye := p.Want("BYE")
	require.Equal(t, "forkA", bye.Tag("To"))
	reply(p, bye, "200 OK", "", "")
	require.NoError(t, <-hung)
	reply(p, invite, "200 OK", "forkC", "ANSWER") // late, when the call is over already
	ended("forkC")
}

// A call that is queued elsewhere says so every minute; that is no reason to give it up.
func TestManyProvisionalResponses(t *testing.T) {
	ca := siptest.NewAuthority(t)
	address, accepted := uas(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	defer ep.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	dialed := make(chan error, 1)
	go func() { // ends with the answer below
		_, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, From: "sip:1001@acme.test"}, &media{})
		dialed <- err
	}()
	p := <-accepted
	invite := p.Want("INVITE")
	for range 40 {
		reply(p, invite, "182 Queued", "there", "")
	}
	reply(p, invite, "200 OK", "there", "ANSWER")
	p.Want("ACK")
	require.NoError(t, <-dialed)
}
