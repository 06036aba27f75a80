package sip_test

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// A peer that ends the connection instead of answering, as a server does that refuses our certificate after the handshake of TLS 1.3, has the caller try elsewhere at
// once: it does not wait for an answer that cannot come. What the peer said before it hung up still counts, and one that has begun to answer may go on elsewhere.
func TestTheConnectionEndsUnderAnINVITE(t *testing.T) {
	ca := siptest.NewAuthority(t)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	answer := func(m siptest.Message, status string) []string {
		return []string{"SIP/2.0 " + status, "Via: " + m.Header.Get("Via"), "From: " + m.Header.Get("From"), "To: " + m.Header.Get("To") + ";tag=p",
			"Call-ID: " + m.Header.Get("Call-Id"), "CSeq: " + m.Header.Get("Cseq")}
	}
	for name, c := range map[string]struct {
		say  string // before the hang-up
		want func(t *testing.T, err error)
	}{
		"nothing": {"", func(t *testing.T, err error) { require.ErrorIs(t, err, sip.ErrTransport) }},
		"a refusal": {"404 Not Found", func(t *testing.T, err error) {
			var r *sip.StatusError
			require.ErrorAs(t, err, &r)
			require.Equal(t, 404, r.Code)
		}},
		"it is tried": {"180 Ringing", func(t *testing.T, err error) { require.ErrorIs(t, err, errPatience) }},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeoutCause(context.Background(), 3*time.Second, errPatience)
			if c.say == "" {
				stop()
				ctx, stop = context.WithTimeout(context.Background(), 20*time.Second) // 64*T1 is 32 s
			}
			defer stop()
			done := make(chan error, 1)
			go func() { // ends with ctx, waited for below
				_, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: l.Addr().String(), From: "sip:1001@acme.test"}, &media{})
				done <- err
			}()
			conn, err := l.Accept()
			require.NoError(t, err)
			p := siptest.NewPeer(t, conn)
			m := p.Want("INVITE")
			if c.say != "" {
				p.Send("", answer(m, c.say)...)
			}
			p.Hangup()
			c.want(t, <-done)
		})
	}
}

var errPatience = errors.New("the test waited for long enough")
