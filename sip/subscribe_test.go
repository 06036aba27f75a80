package sip_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/event"
	"github.com/ringfence/ringfence/sip/siptest"
)

// confirm answers a request that the peer was sent.
func (a *asker) confirm(m siptest.Message, status string) {
	a.p.Send("", "SIP/2.0 "+status, "Via: "+m.Header.Get("Via"), "From: "+m.Header.Get("From"), "To: "+m.Header.Get("To"), "Call-ID: "+m.Header.Get("Call-Id"),
		"CSeq: "+m.Header.Get("Cseq"))
}

func (a *asker) subscribe(want, target, pkg string, extra ...string) siptest.Message {
	a.t.Helper()
	return a.ask(want, "SUBSCRIBE", "sip:"+target+"@acme.test", "", append(extra, "Event: "+pkg, "Contact: <sip:"+a.user+"@10.0.0.1;transport=tls>")...)
}

// lamp is a watcher policy and state: 1001 may watch 1002 and itself.
func lamp(got chan<- *sip.Subscription) sip.Config {
	return sip.Config{MaxSubscriptions: 2, OnSubscribe: func(_ context.Context, s *sip.Subscription) (sip.Document, int) {
		if s.Target() != "1002" && s.Target() != s.User() {
			return nil, 0
		}
		got <- s
		return func(version int) (string, []byte) {
			body, err := event.DialogInfo{Entity: "sip:" + s.Target() + "@acme.test"}.Body(version)
			if err != nil {
				return "", nil
			}
			return event.TypeDialogInfo, body
		}, 200
	}}
}

func TestSubscription(t *testing.T) {
	got := make(chan *sip.Subscription, 1)
	s := serve(t, lamp(got))
	a := s.asker(t, "1001")
	ok := a.subscribe("200", "1002", "dialog;id=7", "Expires: 600", "Accept: application/dialog-info+xml, text/plain")
	require.Equal(t, "600", ok.Header.Get("Expires"))
	require.NotEmpty(t, ok.Header.Get("Contact"))
	sub := <-got
	require.Equal(t, []string{"acme.test", "1001", "1002", "dialog"}, []string{sub.Realm(), sub.User(), sub.Target(), sub.Package()})

	n := a.p.Want("NOTIFY")
	a.confirm(n, "200 OK")
	require.Equal(t, "NOTIFY sip:1001@10.0.0.1;transport=tls SIP/2.0", n.Start)
	require.Equal(t, "dialog;id=7", n.Header.Get("Event"))
	require.True(t, strings.HasPrefix(n.Header.Get("Subscription-State"), "active;expires="), n.Header.Get("Subscription-State"))
	require.Equal(t, event.TypeDialogInfo, n.Header.Get("Content-Type"))
	require.Contains(t, n.Body, `version="0"`)
	require.Equal(t, ok.Tag("To"), n.Tag("From"), "in the dialog of the SUBSCRIBE")

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.Equal(t, []*sip.Subscription{sub}, s.Subscriptions("acme.test", "dialog", "1002"))
	require.Empty(t, s.Subscriptions("globex.test", "dialog", "1002"))
	told := make(chan error, 1)
	go func() { // ends with the confirmation
		told <- sub.Notify(ctx, func(version int) (string, []byte) {
			body, err := event.DialogInfo{Entity: "sip:1002@acme.test", Partial: true, Dialogs: []event.Dialog{{ID: "d", State: "early", Incoming: true}}}.Body(version)
			if err != nil {
				return "", nil
			}
			return event.TypeDialogInfo, body
		})
	}()
	n = a.p.Want("NOTIFY")
	require.Contains(t, n.Body, `version="1"`)
	a.confirm(n, "200 OK")
	require.NoError(t, <-told)

	to := "To: " + ok.Header.Get("To")
	require.Equal(t, "60", a.subscribe("423", "1002", "dialog;id=7", to, "Expires: 59").Header.Get("Min-Expires"))
	a.subscribe("489", "1002", "dialog", to) // another subscription than the one of this dialog
	a.subscribe("200", "1002", "dialog;id=7", to, "Expires: 300")
	n = a.p.Want("NOTIFY")
	require.Contains(t, n.Body, `version="2"`)
	require.Contains(t, n.Body, `state="full"`)
	a.confirm(n, "200 OK")

	a.subscribe("200", "1002", "dialog;id=7", to, "Expires: 0")
	n = a.p.Want("NOTIFY")
	require.Equal(t, "terminated;reason=timeout", n.Header.Get("Subscription-State"))
	a.confirm(n, "200 OK")
	within(t, "end", sub.Done())
	require.ErrorIs(t, sub.Notify(ctx, nil), sip.ErrSubscriptionEnded)
	require.Empty(t, s.Subscriptions("acme.test", "dialog", "1002"))
	a.subscribe("481", "1002", "dialog;id=7", to)
}

func TestSubscriptionRefusals(t *testing.T) {
	got := make(chan *sip.Subscription, 8)
	s := serve(t, lamp(got))
	a := s.asker(t, "1001")
	a.subscribe("403", "7777", "dialog") // nobody said yes
	m := a.subscribe("489", "1002", "presence")
	require.Equal(t, "dialog, message-summary, reg", m.Header.Get("Allow-Events"))
	a.subscribe("406", "1002", "dialog", "Accept: application/pidf+xml")
	a.subscribe("481", "1002", "dialog", "To: <sip:1002@acme.test>;tag=made-up")
	s.asker(t, "1001").subscribe("401", "1002", "dialog") // without a password
	b := serve(t, sip.Config{}).asker(t, "1001")
	b.ask("405", "SUBSCRIBE", "sip:1002@acme.test", "", "Event: dialog", "Contact: <sip:1001@10.0.0.1>")

	for range 2 {
		a.call += "x"
		a.subscribe("200", "1002", "dialog")
		a.confirm(a.p.Want("NOTIFY"), "200 OK")
	}
	a.call += "x"
	a.subscribe("403", "1002", "dialog") // more than one user may have
}

func TestSubscriptionEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end   func(t *testing.T, a *asker, sub *sip.Subscription)
		check func(t *testing.T, err error)
	}{
		"481 from the watcher": {func(t *testing.T, a *asker, sub *sip.Subscription) {
			done := make(chan error, 1)
			go func() { done <- sub.Notify(context.Background(), nil) }() // ends with the 481
			a.confirm(a.p.Want("NOTIFY"), "481 Gone")
			require.Equal(t, 481, status(<-done))
		}, func(t *testing.T, err error) { require.Equal(t, 481, status(err)) }},
		"its connection": {func(t *testing.T, a *asker, _ *sip.Subscription) { a.p.Hangup() }, func(t *testing.T, err error) { require.ErrorIs(t, err, sip.ErrFlowGone) }},
		"terminated here": {func(t *testing.T, a *asker, sub *sip.Subscription) {
			done := make(chan error, 1)
			go func() { done <- sub.Terminate(context.Background(), "deactivated") }() // ends with the 200
			n := a.p.Want("NOTIFY")
			require.Equal(t, "terminated;reason=deactivated", n.Header.Get("Subscription-State"))
			a.confirm(n, "200 OK")
			require.NoError(t, <-done)
		}, func(t *testing.T, err error) { require.Error(t, err) }},
	} {
		t.Run(name, func(t *testing.T) {
			got := make(chan *sip.Subscription, 1)
			a := serve(t, lamp(got)).asker(t, "1001")
			a.subscribe("200", "1002", "dialog")
			a.confirm(a.p.Want("NOTIFY"), "200 OK")
			sub := <-got
			c.end(t, a, sub)
			within(t, "end", sub.Done())
			c.check(t, sub.Err())
		})
	}
}

// The identifiers of a subscription are no proof: another user who knows them cannot touch it.
func TestSubscriptionBelongsToItsUser(t *testing.T) {
	got := make(chan *sip.Subscription, 1)
	s := serve(t, lamp(got))
	a := s.asker(t, "1001")
	ok := a.subscribe("200", "1002", "dialog")
	a.confirm(a.p.Want("NOTIFY"), "200 OK")
	thief := s.asker(t, "1002")
	thief.call, thief.seq = a.call, 100
	thief.subscribe("403", "1002", "dialog", "To: "+ok.Header.Get("To"), "Expires: 0")
	require.NoError(t, (<-got).Err())

	moved := s.asker(t, "1001") // its own user may go on over another connection
	moved.call, moved.seq = a.call, 100
	moved.subscribe("200", "1002", "dialog", "To: "+ok.Header.Get("To"))
	moved.confirm(moved.p.Want("NOTIFY"), "200 OK")
}

func TestWaitingMessagesWithoutSubscription(t *testing.T) {
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg})
	a := s.asker(t, "1001")
	a.register("200", "Contact: <sip:1001@10.0.0.1;transport=tls>")
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	body, err := event.MessageSummary{Voice: event.Count{New: 1}}.Body()
	require.NoError(t, err)
	sent := make(chan error, 1)
	go func() { // ends with the 200
		sent <- s.NotifyUnsolicited(context.Background(), sip.NotifyConfig{
			Target: b.Contact, Flow: b.Flow, From: "sip:1001@acme.test", Event: "message-summary", ContentType: event.TypeMessageSummary, Body: body,
		})
	}()
	n := a.p.Want("NOTIFY")
	require.Equal(t, "message-summary", n.Header.Get("Event"))
	require.Equal(t, string(body), n.Body)
	a.confirm(n, "200 OK")
	require.NoError(t, <-sent)
}

func TestMessages(t *testing.T) {
	got := make(chan sip.Message, 1)
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg, OnMessage: func(_ context.Context, m sip.Message) int {
		got <- m
		return map[string]int{"1002": 202, "nobody": 404}[m.To]
	}})
	a := s.asker(t, "1001")
	a.ask("202", "MESSAGE", "sip:1002@acme.test", "h\u00e4?\x00", "Content-Type: text/plain;charset=UTF-8")
	m := <-got
	require.Equal(t, sip.Message{Realm: "acme.test", User: "1001", To: "1002", ContentType: "text/plain;charset=UTF-8", Body: []byte("h\u00e4?\x00")}, m)
	a.ask("404", "MESSAGE", "sip:nobody@acme.test", "x", "Content-Type: text/plain")
	<-got
	a.ask("500", "MESSAGE", "sip:odd@acme.test", "x", "Content-Type: text/plain") // a status that is none
	<-got
	a.ask("413", "MESSAGE", "sip:1002@acme.test", strings.Repeat("x", 8<<10+1), "Content-Type: text/plain")
	a.ask("400", "MESSAGE", "sip:1002@acme.test", "x")
	s.asker(t, "1001").ask("401", "MESSAGE", "sip:1002@acme.test", "x", "Content-Type: text/plain")
	require.Empty(t, got, "what is refused reaches nobody")

	// And the other way, over the connection of a phone.
	a.register("200", "Contact: <sip:1001@10.0.0.1;transport=tls>")
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	mc := sip.MessageConfig{Target: b.Contact, Flow: b.Flow, From: "sip:1002@acme.test", ContentType: "text/plain", Body: []byte("hello")}
	sent := make(chan error, 1)
	send := func() { sent <- s.Message(context.Background(), mc) }
	go send() // ends with the answer
	in := a.p.Want("MESSAGE")
	require.Equal(t, "hello", in.Body)
	require.Equal(t, "text/plain", in.Header.Get("Content-Type"))
	require.Empty(t, in.Header.Get("Contact"), "RFC 3428 section 4")
	a.confirm(in, "200 OK")
	require.NoError(t, <-sent)
	go send() // ends with the answer
	a.confirm(a.p.Want("MESSAGE"), "486 Busy Here")
	require.Equal(t, 486, status(<-sent))

	for name, bad := range map[string]func(m *sip.MessageConfig){
		"header in the content type": func(m *sip.MessageConfig) { m.ContentType = "text/plain\r\nX: y" },
		"no content type":            func(m *sip.MessageConfig) { m.ContentType = "" },
		"too long":                   func(m *sip.MessageConfig) { m.Body = bytes.Repeat([]byte("x"), 8<<10+1) },
		"header in the name":         func(m *sip.MessageConfig) { m.FromName = "a\r\nX: y" },
		"header in the target":       func(m *sip.MessageConfig) { m.Target = "sip:a@b\r\nX: y" },
		"header in the route":        func(m *sip.MessageConfig) { m.Route = []string{"<sip:a@b>\r\nX: y"} },
	} {
		m := mc
		bad(&m)
		require.ErrorIs(t, s.Message(context.Background(), m), sip.ErrMalformed, name)
	}
}

func TestMessageBetweenEndpoints(t *testing.T) {
	got := make(chan sip.Message, 2)
	s := serve(t, sip.Config{OnMessage: func(_ context.Context, m sip.Message) int { got <- m; return 200 }, OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	phone := s.phone(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	mc := sip.MessageConfig{Target: "sip:1002@acme.test", Address: s.addr, From: "sip:1001@acme.test", ContentType: "text/plain", Body: []byte("hi")}
	require.Equal(t, 401, status(phone.Message(ctx, mc)), "no password")
	mc.Password = "acme.test" + password
	require.NoError(t, phone.Message(ctx, mc))
	m := <-got
	require.Equal(t, "1001 1002 hi", fmt.Sprint(m.User, " ", m.To, " ", string(m.Body)))
	require.Nil(t, m.Call)
}

// In a call a MESSAGE is from who proved a password when the call began.
func TestMessageInCall(t *testing.T) {
	got := make(chan sip.Message, 1)
	s := serve(t, sip.Config{OnMessage: func(_ context.Context, m sip.Message) int { got <- m; return 200 }, OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			<-ctx.Done()
		}
	}})
	a := s.asker(t, "1001")
	ok := a.ask("200", "INVITE", "sip:9000@acme.test", "OFFER", "Contact: <sip:1001@10.0.0.1;transport=tls>", "Content-Type: application/sdp")
	to := "To: " + ok.Header.Get("To")
	a.seq--
	a.send("ACK", "sip:9000@acme.test", "", "", []string{to})
	a.ask("200", "MESSAGE", "sip:9000@acme.test", "hi", to, "Content-Type: text/plain")
	m := <-got
	require.Equal(t, "1001", m.User)
	require.Equal(t, "9000", m.Call.To())
}
