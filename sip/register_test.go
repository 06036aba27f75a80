package sip_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/registrartest"
	"github.com/ringfence/ringfence/sip/siptest"
)

// asker sends requests of one user in one Call-ID, with the answer to the challenge they get.
type asker struct {
	t          *testing.T
	p          *siptest.Peer
	user, call string
	seq        int
	vias       []string // of proxies on the way
}

func (s *server) asker(t *testing.T, user string) *asker {
	branch++
	return &asker{t: t, p: s.raw(t, "acme.test"), user: user, call: fmt.Sprintf("ask-%d", branch)}
}

func (a *asker) send(method, uri, auth, body string, extra []string) {
	branch++
	a.seq++
	lines := []string{method + " " + uri + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKa%d;rport", branch)}
	lines = append(lines, a.vias...)
	lines = append(lines, "Max-Forwards: 70", "From: <sip:"+a.user+"@acme.test>;tag=f1", "Call-ID: "+a.call, fmt.Sprintf("CSeq: %d %s", a.seq, method))
	to := "To: <sip:" + a.user + "@acme.test>"
	for _, e := range extra {
		if strings.HasPrefix(e, "To: ") {
			to = e
			continue
		}
		lines = append(lines, e)
	}
	lines = append(lines, to)
	if auth != "" {
		lines = append(lines, "Authorization: "+auth)
	}
	a.p.Send(body, lines...)
}

// ask returns the answer with the status wanted.
func (a *asker) ask(want, method, uri, body string, extra ...string) siptest.Message {
	a.t.Helper()
	a.send(method, uri, "", body, extra)
	m, err := a.p.Read(10 * time.Second)
	require.NoError(a.t, err)
	if m.Status() == 401 && want != "401" {
		a.send(method, uri, answer(challenges(m)[0], "SHA-256", a.user, "acme.test"+password, method, uri, 1), body, extra)
		return a.p.Want(want)
	}
	require.Equal(a.t, want, fmt.Sprint(m.Status()), m.Start)
	return m
}

func (a *asker) register(want string, extra ...string) siptest.Message {
	a.t.Helper()
	return a.ask(want, "REGISTER", "sip:acme.test", "", extra...)
}

const phone1 = `+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>"`

func TestRegisterAnswersTellTheTruth(t *testing.T) {
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg, ServiceRoute: []string{"sip:edge.acme.test;lr"}})
	a := s.asker(t, "1001")
	m := a.register("200", `Contact: <sip:1001@10.0.0.1;transport=tls;ob>;reg-id=1;`+phone1+`;q=0.70;methods="INVITE, BYE";audio;expires=120`,
		"Supported: path, outbound, gruu", "Path: <sip:p1.test;lr>, <sip:p2.test;lr;ob>", "Expires: 600")
	c := m.Header.Get("Contact")
	for _, want := range []string{"<sip:1001@10.0.0.1;transport=tls;ob>", ";expires=120", ";q=0.7", ";reg-id=1", phone1, `;methods="INVITE, BYE"`, ";audio",
		`pub-gruu="sip:1001@acme.test;gr=urn:uuid:00000000-0000-1000-8000-000A95A0E128"`, `temp-gruu="sip:`} {
		require.Contains(t, c, want)
	}
	require.Equal(t, []string{"<sip:p1.test;lr>", "<sip:p2.test;lr;ob>"}, m.Header.Values("Path"))
	require.Equal(t, "<sip:edge.acme.test;lr>", m.Header.Get("Service-Route"))
	require.Equal(t, "outbound", m.Header.Get("Require"))
	require.Equal(t, "120", m.Header.Get("Flow-Timer"))
	_, err := time.Parse(time.RFC1123, m.Header.Get("Date"))
	require.NoError(t, err)

	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	require.Equal(t, 700, b.Q)
	require.EqualValues(t, 1, b.RegID)
	require.Equal(t, []string{"sip:p1.test;lr", "sip:p2.test;lr;ob"}, b.Path)

	m = a.register("200") // a query
	require.Contains(t, m.Header.Get("Contact"), "reg-id=1")
	require.NotContains(t, m.Header.Get("Contact"), "gruu", "to who does not know of them")
	require.Empty(t, m.Header.Get("Require"))

	m = a.register("200", "Contact: <sip:1001@10.0.0.2>;expires=4000000000")
	require.Len(t, m.Header.Values("Contact"), 2)
	require.Contains(t, m.Header.Values("Contact")[0], "10.0.0.2>;expires=3600", "the higher q first, and no longer than is kept")
	require.Empty(t, a.register("200", "Contact: *", "Expires: 0").Header.Values("Contact"))
}

func TestRegisterRefusals(t *testing.T) {
	s := serve(t, sip.Config{Registrar: registrar.New(registrar.Config{MaxBindings: 1, MinExpires: 90 * time.Second})})
	for name, c := range map[string]struct {
		want  string
		lines []string
		vias  int
		check func(m siptest.Message)
	}{
		"path unknown to the phone": {"420", []string{"Contact: <sip:1@10.0.0.1>", "Path: <sip:p.test;lr>"}, 0, func(m siptest.Message) { require.Equal(t, "path", m.Header.Get("Unsupported")) }},
		"path that is no route":     {"400", []string{"Contact: <sip:1@10.0.0.1>", "Path: <sip:p.test>", "Supported: path"}, 0, nil},
		"path that is no URI":       {"400", []string{"Contact: <sip:1@10.0.0.1>", "Path: nonsense", "Supported: path"}, 0, nil},
		"too brief":                 {"423", []string{"Contact: <sip:1@10.0.0.1>;expires=89"}, 0, func(m siptest.Message) { require.Equal(t, "90", m.Header.Get("Min-Expires")) }},
		"first hop without ob":      {"439", []string{"Contact: <sip:1@10.0.0.1>;reg-id=1;" + phone1, "Supported: path, outbound", "Path: <sip:p.test;lr>"}, 1, nil},
		"two flows at once":         {"400", []string{"Contact: <sip:1@10.0.0.1>;reg-id=1;" + phone1, "Contact: <sip:2@10.0.0.1>;reg-id=2;" + phone1, "Supported: path, outbound"}, 0, nil},
		"reg-id of zero":            {"400", []string{"Contact: <sip:1@10.0.0.1>;reg-id=0;" + phone1, "Supported: path, outbound"}, 0, nil},
		"q above one":               {"400", []string{"Contact: <sip:1@10.0.0.1>;q=1.001"}, 0, nil},
		"an address of ours":        {"403", []string{"Contact: <sip:1001@acme.test;gr=urn:uuid:1>"}, 0, nil},
		"too many":                  {"403", []string{"Contact: <sip:1@10.0.0.1>", "Contact: <sip:2@10.0.0.1>"}, 0, nil},
		"not supported":             {"420", []string{"Contact: <sip:1@10.0.0.1>", "Require: path, made-up"}, 0, func(m siptest.Message) { require.Equal(t, "made-up", m.Header.Get("Unsupported")) }},
		"required and known":        {"200", []string{"Contact: <sip:1@10.0.0.1>", "Require: path, gruu", "Supported: path, gruu"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.asker(t, "1001")
			for i := range c.vias {
				a.vias = append(a.vias, fmt.Sprintf("Via: SIP/2.0/TLS 10.9.9.%d;branch=z9hG4bKp%d", i, i))
			}
			m := a.register(c.want, c.lines...)
			if c.check != nil {
				c.check(m)
			}
			if c.want == "200" {
				a.register("200", "Contact: *", "Expires: 0")
			}
		})
	}
}

// A call to a binding takes the connection it registered over, with its Path as Route, wherever its Contact and Path point.
func TestCallsTakeTheFlow(t *testing.T) {
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg})
	trap, err := net.Listen("tcp", "127.0.0.1:0") // what an attacker would have us dial
	require.NoError(t, err)
	defer trap.Close()
	dialed := make(chan struct{})
	go func() { // ends with the listener
		if c, err := trap.Accept(); err == nil {
			c.Close()
			close(dialed)
		}
	}()
	a := s.asker(t, "1001")
	a.register("200", "Contact: <sip:1001@"+trap.Addr().String()+";transport=tcp>", "Supported: path", "Path: <sip:"+trap.Addr().String()+";lr;transport=tcp>")
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	failed := make(chan error, 1)
	go func() { // ends with the 603
		_, err := s.Dial(ctx, sip.DialConfig{Target: b.Contact, Flow: b.Flow, Route: b.Path, From: "sip:9000@acme.test"}, &media{})
		failed <- err
	}()
	inv := a.p.Want("INVITE")
	require.Equal(t, "<"+b.Path[0]+">", inv.Header.Get("Route"))
	a.p.Send("", "SIP/2.0 603 Decline", "Via: "+inv.Header.Get("Via"), "From: "+inv.Header.Get("From"), "To: "+inv.Header.Get("To")+";tag=x", "Call-ID: "+inv.Header.Get("Call-Id"), "CSeq: "+inv.Header.Get("Cseq"))
	require.Equal(t, 603, status(<-failed))
	select {
	case <-dialed:
		t.Fatal("a Contact or Path had us dial")
	default:
	}

	for i := range b.Flow { // a token that was tampered with reaches nothing
		forged := []byte(b.Flow)
		forged[i] ^= 1
		_, err := s.Dial(ctx, sip.DialConfig{Target: b.Contact, Flow: string(forged), From: "sip:9000@acme.test"}, &media{})
		require.ErrorIs(t, err, sip.ErrFlowGone)
	}
	_, err = s.Dial(ctx, sip.DialConfig{Target: b.Contact, Flow: strings.Split(b.Flow, ";")[0], From: "sip:9000@acme.test"}, &media{})
	require.ErrorIs(t, err, sip.ErrFlowGone, "an address alone names no connection")
}

// A server that starts again on what the one before has saved knows who was there, and refuses what that one had seen.
func TestRegistrationsSurviveARestart(t *testing.T) {
	ctx, store := context.Background(), &registrartest.Memory{}
	open := func() *registrar.Registrar {
		r, err := registrar.Open(ctx, registrar.Config{}, store, time.Now())
		require.NoError(t, err)
		return r
	}
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	start := func(reg *registrar.Registrar) *server {
		ep, err := sip.New(sip.Config{Realm: realms, Registrar: reg})
		require.NoError(t, err)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- ep.ServeTLS(ctx, l, tc) }() // ends with the endpoint
		t.Cleanup(func() {
			require.NoError(t, ep.Close())
			require.ErrorIs(t, <-served, sip.ErrClosed)
		})
		return &server{ep, ca, l.Addr().String()}
	}
	contact := "Contact: <sip:1001@10.0.0.1>;reg-id=1;" + phone1
	s := start(open())
	a := s.asker(t, "1001")
	a.register("200", contact, "Supported: path, outbound")
	require.NoError(t, s.Close(), "it saves what is not saved yet")

	reg := open()
	require.Empty(t, reg.Lookup("acme.test", "1001", time.Now()))
	known := reg.Known("acme.test", "1001", time.Now())
	require.Len(t, known, 1)
	s = start(reg)
	_, err = s.Dial(ctx, sip.DialConfig{Target: known[0].Contact, Flow: known[0].Flow, From: "sip:9000@acme.test"}, &media{})
	require.ErrorIs(t, err, sip.ErrFlowGone)
	again := s.asker(t, "1001")
	again.call = a.call
	again.register("500", contact, "Supported: path, outbound") // CSeq 1 and 2 once more
	again.register("200", contact, "Supported: path, outbound")
	require.Len(t, reg.Lookup("acme.test", "1001", time.Now()), 1)
}

func TestOptionsSayWhatIsConfigured(t *testing.T) {
	options := func(cfg sip.Config) siptest.Message {
		a := serve(t, cfg).asker(t, "1001")
		return a.ask("200", "OPTIONS", "sip:acme.test", "")
	}
	m := options(sip.Config{})
	require.NotContains(t, m.Header.Get("Allow"), "MESSAGE")
	require.NotContains(t, m.Header.Get("Allow"), "SUBSCRIBE")
	require.Empty(t, m.Header.Get("Allow-Events"))
	require.Contains(t, m.Header.Get("Supported"), "outbound")
	m = options(sip.Config{
		OnMessage:   func(context.Context, sip.Message) int { return 200 },
		OnSubscribe: func(context.Context, *sip.Subscription) (sip.Document, int) { return nil, 403 },
	})
	require.Contains(t, m.Header.Get("Allow"), "MESSAGE")
	require.Contains(t, m.Header.Get("Allow"), "SUBSCRIBE")
	require.Equal(t, "dialog, message-summary, reg", m.Header.Get("Allow-Events"))
	require.Contains(t, m.Header.Get("Accept"), "text/plain")
}
