package sip_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

const device1 = "urn:uuid:00000000-0000-1000-8000-000A95A0E129"

// upstream is a server that says what the test tells it.
type upstream struct {
	t    *testing.T
	l    net.Listener
	conn net.Conn
	p    *siptest.Peer
}

func newUpstream(t *testing.T, ca *siptest.Authority) *upstream {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return &upstream{t: t, l: l}
}

func (u *upstream) accept() {
	var err error
	u.conn, err = u.l.Accept()
	require.NoError(u.t, err)
	u.p = siptest.NewPeer(u.t, u.conn)
}

func (u *upstream) answer(m siptest.Message, status string, extra ...string) {
	to := m.Header.Get("To")
	if !strings.Contains(to, "tag=") {
		to += ";tag=up"
	}
	u.p.Send("", append([]string{"SIP/2.0 " + status, "Via: " + m.Header.Get("Via"), "From: " + m.Header.Get("From"), "To: " + to,
		"Call-ID: " + m.Header.Get("Call-Id"), "CSeq: " + m.Header.Get("Cseq")}, extra...)...)
}

// granted is the 200 to a REGISTER, with a contact of somebody else before ours.
func (u *upstream) granted(m siptest.Message, extra ...string) {
	u.answer(m, "200 OK", append([]string{"Contact: <sip:1001@192.0.2.9>;expires=2", "Contact: " + m.Header.Get("Contact") + `;expires=1200;pub-gruu="sip:1001@acme.test;gr=x";temp-gruu="sip:t@acme.test;gr"`}, extra...)...)
}

func TestRegistrationIsKept(t *testing.T) {
	ca := siptest.NewAuthority(t)
	u := newUpstream(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	states := make(chan string, 8)
	type result struct {
		r   *sip.Registration
		err error
	}
	registered := make(chan result, 1)
	go func() { // ends with the 200
		r, err := ep.Register(ctx, sip.RegisterConfig{
			AOR: "sip:1001@acme.test", Address: u.l.Addr().String(), Password: "secret", AuthUser: "trunk-7", Expires: 5 * time.Minute, Instance: device1,
			OnState: func(s sip.RegistrationState, err error) { states <- fmt.Sprint(s, " ", err != nil) },
		})
		registered <- result{r, err}
	}()
	u.accept()
	m := u.p.Want("REGISTER")
	require.Equal(t, "300", m.Header.Get("Expires"))
	require.Equal(t, "path, outbound, gruu", m.Header.Get("Supported"))
	contact := m.Header.Get("Contact")
	require.Contains(t, contact, ";ob>")
	require.Contains(t, contact, `+sip.instance="<`+device1+`>"`)
	require.Contains(t, contact, "reg-id=1")
	u.answer(m, "423 Interval Too Brief", "Min-Expires: 1200")
	m = u.p.Want("REGISTER")
	require.Equal(t, "1200", m.Header.Get("Expires"))
	u.answer(m, "407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="edge", nonce="n1", algorithm=SHA-256, qop="auth"`)
	m = u.p.Want("REGISTER")
	require.Contains(t, m.Header.Get("Proxy-Authorization"), `realm="edge"`)
	u.answer(m, "401 Unauthorized", `WWW-Authenticate: Digest realm="acme.test", nonce="n2", algorithm=SHA-512-256, qop="auth"`, `WWW-Authenticate: Digest realm="acme.test", nonce="n2", algorithm=SHA-256, qop="auth"`)
	m = u.p.Want("REGISTER")
	require.Contains(t, m.Header.Get("Proxy-Authorization"), `realm="edge"`, "both are asked for")
	require.Contains(t, m.Header.Get("Authorization"), `username="trunk-7"`)
	require.Contains(t, m.Header.Get("Authorization"), `nonce="n2"`)
	first := m.Header.Get("Call-Id")
	u.granted(m, "Require: outbound", "Flow-Timer: 1")
	got := <-registered
	require.NoError(t, got.err)
	r := got.r
	pub, temp := r.GRUU()
	require.Equal(t, "sip:1001@acme.test;gr=x sip:t@acme.test;gr", pub+" "+temp)
	require.Equal(t, "registered false", <-states)
	require.Equal(t, sip.Registered, r.State())

	ping := make([]byte, 4)
	require.NoError(t, u.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.ReadFull(u.conn, ping)
	require.NoError(t, err)
	require.Equal(t, "\r\n\r\n", string(ping))
	_, err = u.conn.Write([]byte("\r\n"))
	require.NoError(t, err)
	_, err = io.ReadFull(u.conn, ping) // it stands, so it is asked again
	require.NoError(t, err)
	_, err = u.conn.Read(ping) // and without an answer it is given up
	require.Error(t, err)
	require.Equal(t, "lost true", <-states)

	u.accept() // at once, not at the next refresh
	m = u.p.Want("REGISTER")
	require.Equal(t, first, m.Header.Get("Call-Id"))
	require.Equal(t, "5 REGISTER", m.Header.Get("Cseq"))
	u.granted(m)
	require.Equal(t, "registered false", <-states)

	closed := make(chan error, 1)
	go func() { closed <- r.Close(ctx) }() // ends with the 200
	m = u.p.Want("REGISTER")
	require.Equal(t, "0", m.Header.Get("Expires"))
	u.answer(m, "200 OK")
	require.NoError(t, <-closed)
	within(t, "done", r.Done())
	require.Equal(t, sip.Closed, r.State())
}

// A password that is wrong is said once, not until the user is locked out.
func TestWrongPasswordIsNotRepeated(t *testing.T) {
	s := serve(t, sip.Config{})
	require.Equal(t, 401, status(s.register(t, s.phone(t, nil), "sip:1001@acme.test", "wrong")))
	require.LessOrEqual(t, s.Stats().RefusedAuth, uint64(1))
}

func TestOutboundBetweenEndpoints(t *testing.T) {
	reg := sipRegistrar()
	s := serve(t, sip.Config{Registrar: reg})
	phone := s.phone(t, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	lost := make(chan struct{})
	r, err := phone.Register(ctx, sip.RegisterConfig{AOR: "sip:1001@acme.test", Address: s.addr, Password: "acme.test" + password, Instance: device1, RegID: 2,
		OnState: func(s sip.RegistrationState, _ error) {
			if s == sip.Lost {
				close(lost)
			}
		}})
	require.NoError(t, err)
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	require.EqualValues(t, 2, b.RegID)
	require.Equal(t, device1, b.Instance)
	pub, temp := r.GRUU()
	for _, gruu := range []string{pub, temp} {
		user, flows, ok := reg.Resolve("acme.test", gruu, time.Now())
		require.True(t, ok, gruu)
		require.Equal(t, "1001", user)
		require.Equal(t, b.Flow, flows[0].Flow)
	}
	require.NoError(t, s.Close())
	within(t, "loss", lost)
	require.Error(t, r.Err())
	over, stop := context.WithCancel(ctx)
	stop()
	require.Error(t, r.Close(over), "nobody confirms")
}
