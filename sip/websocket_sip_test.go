package sip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/siptest"
)

// wire is a message as it is sent.
func wire(lines []string, body string) []byte {
	return []byte(strings.Join(lines, "\r\n") + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// frame reads frames until one has the opcode wanted.
func frame(t *testing.T, w *siptest.WebSocket, want byte) string {
	t.Helper()
	require.NoError(t, w.SetReadDeadline(time.Now().Add(10*time.Second)))
	op, payload, err := w.Receive()
	require.NoError(t, err)
	require.Equal(t, want, op, "%q", payload)
	return string(payload)
}

// TestOneMessageIsOneMessage: what the framing of a WebSocket can do to SIP, with a message after each that shows that the stream is intact (D2).
func TestOneMessageIsOneMessage(t *testing.T) {
	e := serveWSS(t, sip.Config{BanAfter: 1000}, sip.WebSocketConfig{})
	options := func() []byte { return wire(optionsLines(), "") }
	whole := func(w *siptest.WebSocket) {
		t.Helper()
		require.NoError(t, w.Send(siptest.Fin|siptest.OpText, options()))
		require.Contains(t, frame(t, w, siptest.OpText), "SIP/2.0 200 OK")
	}
	send := func(first byte, payload []byte) func(*siptest.WebSocket) {
		return func(w *siptest.WebSocket) { require.NoError(t, w.Send(first, payload)) }
	}
	for name, c := range map[string]struct {
		send func(w *siptest.WebSocket)
		op   byte
		want string // what the answer begins with
	}{
		"text":             {send(0x81, options()), siptest.OpText, "SIP/2.0 200 OK\r\nVia: SIP/2.0/"},
		"binary":           {send(0x82, options()), siptest.OpText, "SIP/2.0 200 OK"},
		"ping":             {send(0x89, nil), siptest.OpPong, ""},
		"ping, payload":    {send(0x89, []byte("are you there")), siptest.OpPong, "are you there"},
		"CRLF keep-alive":  {send(0x81, []byte("\r\n\r\n")), siptest.OpText, "\r\n"},
		"CRLF before":      {send(0x81, append([]byte("\r\n"), options()...)), siptest.OpText, "SIP/2.0 200 OK"},
		"no length":        {send(0x81, []byte(strings.Join(optionsLines(), "\r\n")+"\r\n\r\n")), siptest.OpText, "SIP/2.0 200 OK"},
		"not UTF-8 binary": {send(0x82, wire(append(optionsLines(), "Subject: \xff"), "")), siptest.OpText, "SIP/2.0 200 OK"},
		"two in one":       {send(0x81, append(options(), options()...)), siptest.OpText, "SIP/2.0 400 "},
		"body cut short":   {send(0x81, []byte(strings.Replace(string(options()), "Length: 0", "Length: 9", 1))), siptest.OpText, "SIP/2.0 400 "},
		"60 KiB body":      {send(0x81, wire(optionsLines(), strings.Repeat("v", 60<<10))), siptest.OpText, "SIP/2.0 413 "},
		"60 KiB head":      {send(0x81, wire(append(optionsLines(), "X-A: "+strings.Repeat("v", 60<<10)), "")), siptest.OpText, "SIP/2.0 513 "},
		"16 KiB body":      {send(0x81, wire(optionsLines(), strings.Repeat("v", 16<<10))), siptest.OpText, "SIP/2.0 200 OK"},
		"fragments with a ping between": {func(w *siptest.WebSocket) {
			o := options()
			require.NoError(t, w.Send(0x01, o[:10]))
			require.NoError(t, w.Send(0x89, []byte("x")))
			require.NoError(t, w.Send(0x00, o[10:150]))
			require.Equal(t, "x", frame(t, w, siptest.OpPong))
			require.NoError(t, w.Send(0x80, o[150:]))
		}, siptest.OpText, "SIP/2.0 200 OK"},
		"frame in pieces": {func(w *siptest.WebSocket) {
			for _, b := range siptest.Frame(0x81, options()) {
				_, err := w.Conn.Write([]byte{b})
				require.NoError(t, err)
			}
		}, siptest.OpText, "SIP/2.0 200 OK"},
		"frames in one piece": {func(w *siptest.WebSocket) {
			_, err := w.Conn.Write(append(siptest.Frame(0x8a, []byte("unasked")), siptest.Frame(0x81, options())...))
			require.NoError(t, err)
		}, siptest.OpText, "SIP/2.0 200 OK"},
		"half a message, then a whole": {send(0x81, options()[:100]), 0, ""},
		"no SIP":                       {send(0x81, []byte("hello")), 0, ""},
		"empty":                        {send(0x81, nil), 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := e.browser()
			c.send(w)
			if c.op != 0 {
				got := frame(t, w, c.op)
				require.True(t, strings.HasPrefix(got, c.want), got)
			}
			whole(w)
		})
	}
	for name, c := range map[string]struct {
		raw  []byte
		code int
	}{
		"no mask":           {[]byte("\x81\x04\r\n\r\n"), 1002},
		"compressed":        {siptest.Frame(0xc1, options()), 1002},
		"reserved opcode":   {siptest.Frame(0x83, nil), 1002},
		"text not UTF-8":    {siptest.Frame(0x81, []byte{0xff}), 1007},
		"over 64 KiB":       {siptest.Frame(0x81, make([]byte, 64<<10+1))[:20], 1009},
		"endless fragments": {append(siptest.Frame(0x01, make([]byte, 40<<10)), siptest.Frame(0x00, make([]byte, 40<<10))[:20]...), 1009},
		"close":             {siptest.Frame(0x88, []byte{0x03, 0xe9}), 1001},
		"close, no status":  {siptest.Frame(0x88, nil), 1005},
	} {
		t.Run(name, func(t *testing.T) {
			w := e.browser()
			_, err := w.Conn.Write(c.raw)
			require.NoError(t, err)
			require.NoError(t, w.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = w.Read(make([]byte, 1))
			var closed *siptest.CloseError
			require.ErrorAs(t, err, &closed)
			require.Equal(t, c.code, closed.Code)
			_, _, err = w.Receive()
			require.Error(t, err, "nothing follows a Close")
		})
	}
}

// page is the SIP of a browser, as JsSIP speaks it: a contact that nobody can dial.
type page struct {
	*siptest.Peer
	ws *siptest.WebSocket
}

const nowhere = "sip:0d9k2@f8h2.invalid;transport=ws"

func (e *edge) page(user string) *page {
	e.t.Helper()
	ws := e.browser()
	p := &page{siptest.NewPeer(e.t, ws), ws}
	lines := func(auth string, seq int) []string {
		ls := registerLines("acme.test", user, auth, seq)
		for i, l := range ls {
			switch {
			case strings.HasPrefix(l, "Via:"):
				ls[i] = strings.Replace(strings.Replace(l, "/TLS", "/WSS", 1), "127.0.0.1", "f8h2.invalid", 1)
			case strings.HasPrefix(l, "Contact:"):
				ls[i] = "Contact: <" + nowhere + `>;+sip.ice;reg-id=1;+sip.instance="<urn:uuid:6f3ad4a4-1f27-4f0b-9a5b-1c2d3e4f5a6b>";expires=120`
			}
		}
		return ls
	}
	p.Send("", lines("", 1)...)
	first := p.Want("401")
	require.Contains(e.t, first.Header.Get("Via"), "SIP/2.0/WSS f8h2.invalid")
	p.Send("", lines(answer(challenges(first)[0], "SHA-256", user, "acme.test"+password, "REGISTER", "sip:acme.test", 1), 2)...)
	ok := p.Want("200")
	require.Contains(e.t, ok.Header.Get("Contact"), "<"+nowhere+">")
	return p
}

// reply answers a request that was received.
func (p *page) reply(m siptest.Message, status, body string, extra ...string) {
	lines := []string{"SIP/2.0 " + status}
	for _, v := range m.Header.Values("Via") {
		lines = append(lines, "Via: "+v)
	}
	to := m.Header.Get("To")
	if !strings.Contains(to, ";tag=") {
		to += ";tag=page"
	}
	p.Send(body, append(append(lines, "From: "+m.Header.Get("From"), "To: "+to, "Call-ID: "+m.Header.Get("Call-Id"), "CSeq: "+m.Header.Get("Cseq"), "Contact: <"+nowhere+">"), extra...)...)
}

// own is a request of the page inside the dialog that m made.
func (p *page) own(m siptest.Message, method string, seq int, extra ...string) []string {
	branch++
	contact := strings.Trim(m.Header.Get("Contact"), "<>")
	return append([]string{
		method + " " + contact + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/WSS f8h2.invalid;branch=z9hG4bKp%d", branch), "Max-Forwards: 69",
		"From: " + m.Header.Get("To") + ";tag=page", "To: " + m.Header.Get("From"), "Call-ID: " + m.Header.Get("Call-Id"), fmt.Sprintf("CSeq: %d %s", seq, method), "Contact: <" + nowhere + ">",
	}, extra...)
}

// TestBrowserIsCalledOverItsFlow: an address that does not exist is reached, over the connection that registered it, and nothing is looked up or dialed:
// the endpoint has no resolver and no dialer, so every request that arrives here took the flow.
func TestBrowserIsCalledOverItsFlow(t *testing.T) {
	reg := sipRegistrar()
	e := serveWSS(t, sip.Config{Registrar: reg}, sip.WebSocketConfig{})
	p := e.page("1001")
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	require.Equal(t, nowhere, b.Contact)

	type result struct {
		call *sip.Call
		err  error
	}
	dial := func(ctx context.Context, m sip.Media) <-chan result {
		out := make(chan result, 1)
		go func() {
			c, err := e.Dial(ctx, sip.DialConfig{Target: b.Contact, Flow: b.Flow, From: "sip:9000@acme.test"}, m)
			out <- result{c, err}
		}()
		return out
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	m := &media{}
	called := dial(ctx, m)
	invite := p.Want("INVITE")
	require.Equal(t, "INVITE "+nowhere+" SIP/2.0", invite.Start)
	require.True(t, strings.HasPrefix(invite.Header.Get("Via"), "SIP/2.0/WSS 127.0.0.1:"), invite.Header.Get("Via"))
	require.Contains(t, invite.Header.Get("Contact"), ";transport=ws>")
	p.reply(invite, "180 Ringing", "")
	p.reply(invite, "200 OK", "ANSWER", "Content-Type: application/sdp")
	ack := p.Want("ACK")
	require.Contains(t, ack.Header.Get("Via"), "SIP/2.0/WSS ")
	r := <-called
	require.NoError(t, r.err)
	require.True(t, r.call.Secure())

	p.Send("HOLD", p.own(invite, "INVITE", 1, "Content-Type: application/sdp")...)
	held := p.Want("200")
	require.Equal(t, "ANSWER", held.Body)
	require.Contains(t, held.Header.Get("Contact"), ";transport=ws>")
	p.Send("", p.own(invite, "ACK", 1)...)
	p.Send("", p.own(invite, "BYE", 2)...)
	p.Want("200")
	within(t, "BYE of the page", r.call.Done())
	require.ErrorIs(t, r.call.Err(), sip.ErrRemoteBye)
	require.Equal(t, []string{"offer", "accept ANSWER", "answer HOLD"}, m.notes())

	// Hung up here.
	called = dial(ctx, &media{})
	invite = p.Want("INVITE")
	p.reply(invite, "200 OK", "ANSWER", "Content-Type: application/sdp")
	p.Want("ACK")
	r = <-called
	require.NoError(t, r.err)
	hung := make(chan error, 1)
	go func() { hung <- r.call.Hangup(ctx) }()
	bye := p.Want("BYE")
	require.Contains(t, bye.Header.Get("Via"), "SIP/2.0/WSS ")
	p.reply(bye, "200 OK", "")
	require.NoError(t, <-hung)

	// Given up while it rings.
	short, giveUp := context.WithCancel(ctx)
	called = dial(short, &media{})
	invite = p.Want("INVITE")
	p.reply(invite, "180 Ringing", "")
	giveUp()
	c := p.Want("CANCEL")
	require.Equal(t, invite.Header.Get("Via"), c.Header.Get("Via"))
	p.reply(c, "200 OK", "")
	p.reply(invite, "487 Request Terminated", "")
	p.Want("ACK")
	require.ErrorIs(t, (<-called).err, context.Canceled)

	// Gone: nobody is dialed instead.
	require.NoError(t, p.ws.Close())
	require.Eventually(t, func() bool { return reg.Lookup("acme.test", "1001", time.Now()) == nil }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, (<-dial(ctx, &media{})).err, sip.ErrFlowGone)
}

// TestBrowserCalls: a call from a page, with the realm of its domain and server name.
func TestBrowserCalls(t *testing.T) {
	got := make(chan *sip.Call, 1)
	e := serveWSS(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			got <- c
			<-ctx.Done()
		}
	}}, sip.WebSocketConfig{})
	s := &script{p: siptest.NewPeer(t, e.browser()), callID: "from-a-page"}
	m := s.invite(t, "OFFER", "200")
	require.Equal(t, "ANSWER", m.Body)
	s.p.Send("", s.lines("ACK", "")...)
	c := <-got
	require.Equal(t, "1001", c.User())
	require.True(t, c.Secure())
	go func() { _ = c.Hangup(context.Background()) }()
	s.p.Want("BYE")
	e.stop() // without an answer to the BYE
}

func TestSilentBrowserIsAskedAndDropped(t *testing.T) {
	var gone chan bool
	reg := registrar.New(registrar.Config{OnChange: func(_, _ string, reachable bool) { gone <- reachable }})
	edgeBubble(t, sip.Config{Registrar: reg}, sip.WebSocketConfig{PingInterval: 20 * time.Second}, func(e *edge) {
		gone = make(chan bool, 4) // of the bubble
		p := e.page("1001")
		require.True(e.t, <-gone)
		require.NoError(e.t, p.ws.SetReadDeadline(time.Time{}))
		start := time.Now()
		for i := range 3 { // who answers stays
			op, payload, err := p.ws.Receive()
			require.NoError(e.t, err)
			require.EqualValues(e.t, siptest.OpPing, op)
			require.InDelta(e.t, float64(20*(i+1)), time.Since(start).Seconds(), 0.5)
			require.NoError(e.t, p.ws.Send(siptest.Fin|siptest.OpPong, payload))
		}
		require.NotEmpty(e.t, reg.Lookup("acme.test", "1001", time.Now()))
		require.False(e.t, <-gone, "the flow of who does not answer the fourth")
		require.InDelta(e.t, 100, time.Since(start).Seconds(), 0.5)
	})
}

func TestStrangerOnWebSocketIsCut(t *testing.T) {
	edgeBubble(t, sip.Config{AuthTimeout: 10 * time.Second}, sip.WebSocketConfig{PingInterval: time.Second}, func(e *edge) {
		w := e.browser()
		start := time.Now()
		for i := 0; ; i++ { // pings are no log-in
			if w.Send(siptest.Fin|siptest.OpPing, nil) != nil {
				break
			}
			synctest.Wait()
			time.Sleep(time.Second)
		}
		require.InDelta(e.t, 10, time.Since(start).Seconds(), 1.5)
	})
}

// TestPingsOfStrangersAreLimited: they cost little, so a flood of them is cut off like any other.
func TestPingsOfStrangersAreLimited(t *testing.T) {
	e := serveWSS(t, sip.Config{RequestRate: 1, RequestBurst: 50}, sip.WebSocketConfig{})
	w := e.browser()
	pings := strings.Repeat(string(siptest.Frame(siptest.Fin|siptest.OpPing, nil)), 200)
	_, err := w.Conn.Write([]byte(pings))
	require.NoError(t, err)
	require.NoError(t, w.SetReadDeadline(time.Now().Add(10*time.Second)))
	n := 0
	for {
		op, _, err := w.Receive()
		if err != nil || op == siptest.OpClose {
			break
		}
		n++
	}
	require.Less(t, n, 60)
	require.NotZero(t, e.Stats().RateLimited)
}
