package sip_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// toNowhere returns an endpoint and a listener that its test serves by hand.
func toNowhere(t *testing.T) (*sip.Endpoint, net.Listener) {
	ca := siptest.NewAuthority(t)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return ep, l
}

// tagged is a response with a To tag.
func tagged(m siptest.Message, status string) []string {
	return []string{"SIP/2.0 " + status, "Via: " + m.Header.Get("Via"), "From: " + m.Header.Get("From"), "To: " + m.Header.Get("To") + ";tag=p",
		"Call-ID: " + m.Header.Get("Call-Id"), "CSeq: " + m.Header.Get("Cseq")}
}

// A peer that ends the connection instead of answering, as a server does that refuses our certificate after the handshake of TLS 1.3, has the caller try elsewhere at
// once: it does not wait for an answer that cannot come. What the peer said before it hung up still counts, and one that has begun to answer may go on elsewhere.
func TestTheConnectionEndsUnderAnINVITE(t *testing.T) {
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
			ep, l := toNowhere(t) // of its own: the connection that has just ended may still pass for one
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
				p.Send("", tagged(m, c.say)...)
			}
			p.Hangup()
			c.want(t, <-done)
		})
	}
}

var errPatience = errors.New("the test waited for long enough")

// Nobody waits for timer F, 32 s, for the answer to a request whose connection has ended: nothing can come by it. An answer that came before the end counts.
func TestTheConnectionEndsUnderARequest(t *testing.T) {
	at := func(l net.Listener) string { return l.Addr().String() }
	ping := func(ctx context.Context, ep *sip.Endpoint, l net.Listener, _ *sip.Call) error {
		_, err := ep.Ping(ctx, sip.PingConfig{Target: "sip:acme.test", Address: at(l)})
		return err
	}
	lost := func(t *testing.T, err error) { require.ErrorIs(t, err, sip.ErrTransport) }
	for name, c := range map[string]struct {
		inCall       bool
		method, says string
		do           func(ctx context.Context, ep *sip.Endpoint, l net.Listener, c *sip.Call) error
		want         func(t *testing.T, err error)
	}{
		"ping":           {false, "OPTIONS", "", ping, lost},
		"ping, tried":    {false, "OPTIONS", "100 Trying", ping, lost},
		"ping, answered": {false, "OPTIONS", "200 OK", ping, func(t *testing.T, err error) { require.NoError(t, err) }},
		"register": {false, "REGISTER", "", func(ctx context.Context, ep *sip.Endpoint, l net.Listener, _ *sip.Call) error {
			_, err := ep.Register(ctx, sip.RegisterConfig{AOR: "sip:1001@acme.test", Address: at(l), Password: password})
			return err
		}, lost},
		"message": {false, "MESSAGE", "", func(ctx context.Context, ep *sip.Endpoint, l net.Listener, _ *sip.Call) error {
			return ep.Message(ctx, sip.MessageConfig{Target: "sip:9000@acme.test", From: "sip:1001@acme.test", Address: at(l), ContentType: "text/plain", Body: []byte("hello")})
		}, lost},
		"digit": {true, "INFO", "", func(ctx context.Context, _ *sip.Endpoint, _ net.Listener, c *sip.Call) error {
			return c.SendDigit(ctx, '1')
		}, lost},
		"refer": {true, "REFER", "", func(ctx context.Context, _ *sip.Endpoint, _ net.Listener, c *sip.Call) error {
			return c.Refer(ctx, "sip:9001@acme.test", nil)
		}, lost},
		"offer":  {true, "INVITE", "", func(ctx context.Context, _ *sip.Endpoint, _ net.Listener, c *sip.Call) error { return c.Reoffer(ctx) }, lost},
		"hangup": {true, "BYE", "", func(ctx context.Context, _ *sip.Endpoint, _ net.Listener, c *sip.Call) error { return c.Hangup(ctx) }, lost},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each waits for T1
			ep, l := toNowhere(t)
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // 64*T1 is 32 s
			defer stop()
			done := make(chan error, 1)
			go func() { // ends with ctx, waited for below
				var call *sip.Call
				if c.inCall {
					var err error
					if call, err = ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: at(l), From: "sip:1001@acme.test"}, &media{}); err != nil {
						done <- err
						return
					}
				}
				done <- c.do(ctx, ep, l, call)
			}()
			conn, err := l.Accept()
			require.NoError(t, err)
			p := siptest.NewPeer(t, conn)
			if c.inCall {
				p.Send("ANSWER", append(tagged(p.Want("INVITE"), "200 OK"), "Contact: <sip:9000@127.0.0.1>", "Content-Type: application/sdp")...)
				p.Want("ACK")
			}
			m := p.Want(c.method)
			if c.says != "" {
				p.Send("", tagged(m, c.says)...)
			}
			p.Hangup()
			c.want(t, <-done)
		})
	}
}

// A watcher that has moved to another connection keeps its subscription when a NOTIFY is lost with the one before, and hears there what it would have said.
func TestAWatcherMovesUnderANotify(t *testing.T) {
	got := make(chan *sip.Subscription, 1)
	s := serve(t, lamp(got))
	a := s.asker(t, "1001")
	ok := a.subscribe("200", "1002", "dialog")
	a.confirm(a.p.Want("NOTIFY"), "200 OK")
	sub := <-got
	told := make(chan error, 1)
	go func() { told <- sub.Notify(t.Context(), nil) }() // ends with the connection
	a.p.Want("NOTIFY")
	b := s.asker(t, "1001")
	b.call, b.seq = a.call, a.seq
	b.subscribe("200", "1002", "dialog", "To: "+ok.Header.Get("To"))
	a.p.Hangup()
	n := b.p.Want("NOTIFY")
	require.Contains(t, n.Body, `state="full"`)
	b.confirm(n, "200 OK")
	require.ErrorIs(t, <-told, sip.ErrTransport)
	require.NoError(t, sub.Err())
}
