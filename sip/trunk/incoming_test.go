package trunk_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/trunk"
)

func from(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestIdentify(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Carriers[0].ClientNames = []string{"Trunk.A.test"}
		cfg.Carriers[1].Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}
		cfg.Carriers = append(cfg.Carriers, trunk.Carrier{Name: "both", Domain: "c.test", ClientNames: []string{"c.test"}, Addresses: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}},
			trunk.Carrier{Name: "out only", Domain: "d.test"})
		cfg.Carriers[3].Name = "out-only"
	})
	for _, c := range []struct {
		names []string // of a client certificate
		addr  string
		want  string
	}{
		{[]string{"trunk.a.test"}, "203.0.113.9:1", "a"},
		{[]string{"x.test", "trunk.a.test."}, "203.0.113.9:1", "a"},
		{[]string{"*.a.test"}, "203.0.113.9:1", ""},
		{[]string{"evil.trunk.a.test"}, "203.0.113.9:1", ""},
		{[]string{"trunk.a.test", "c.test"}, "203.0.113.9:1", ""},
		{nil, "192.0.2.7:40000", "b"},
		{nil, "[::ffff:192.0.2.7]:40000", "b"},
		{nil, "192.0.2.16:40000", ""},
		{[]string{"trunk.a.test"}, "192.0.2.7:1", ""}, // two carriers at once is nobody
		{[]string{"c.test"}, "198.51.100.1:1", "both"},
		{[]string{"c.test"}, "203.0.113.9:1", ""},
		{nil, "198.51.100.1:1", ""},
		{[]string{"d.test"}, "203.0.113.9:1", ""},
		{nil, "203.0.113.9:1", ""},
	} {
		var cs tls.ConnectionState
		if c.names != nil {
			cs.PeerCertificates = []*x509.Certificate{{DNSNames: c.names, Subject: pkix.Name{CommonName: "trunk.a.test"}}}
		}
		name, err := b.PeerName(cs)
		if err != nil {
			require.ErrorIs(t, err, trunk.ErrUnknownPeer)
		}
		got, ok := b.Identify(trunk.Peer{Name: name, Address: from(c.addr)})
		require.Equal(t, c.want, got, "%v %s", c.names, c.addr)
		require.Equal(t, c.want != "", ok)
	}
	name, err := b.PeerName(tls.ConnectionState{PeerCertificates: []*x509.Certificate{{DNSNames: []string{"trunk.a.test"}, URIs: []*url.URL{{Scheme: "sip", Opaque: "c.test"}}}}})
	require.NoError(t, err)
	require.Equal(t, "carrier:both", name, "a sip URI goes before DNS names")
	_, ok := b.Identify(trunk.Peer{Name: "carrier:a"})
	require.False(t, ok, "no address, nobody")
}

func TestIncoming(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Carriers[0].Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
		cfg.Carriers[0].Plan, cfg.Carriers[0].Trusted = germany, true
		cfg.Carriers[1].Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.2/32")}
		cfg.Carriers[1].Plan = germany
	})
	headers := map[string][]string{
		"From":                {`"Bob \"x\"" <sip:+49301111@carrier.test>;tag=1`},
		"P-Asserted-Identity": {`"Alice, Inc." <sip:+49302222@carrier.test;user=phone>, <tel:+49303333>`},
		"Privacy":             {"id;critical"},
	}
	get := func(name string) []string { return headers[name] }
	in, err := b.Incoming(trunk.Peer{Address: from("192.0.2.1:1")}, "030 555", get)
	require.NoError(t, err)
	require.Equal(t, trunk.Incoming{Carrier: "a", Called: "+4930555", Caller: trunk.Caller{Number: "+49302222", Name: "Alice, Inc.", Asserted: true, Private: true}}, in)
	in, err = b.Incoming(trunk.Peer{Address: from("192.0.2.2:1")}, "+4930555", get)
	require.NoError(t, err)
	require.Equal(t, trunk.Caller{Number: "+49301111", Name: `Bob "x"`, Private: true}, in.Caller, "an untrusted carrier asserts nothing")

	headers = map[string][]string{"From": {"<sip:anonymous@anonymous.invalid>;tag=1"}, "Privacy": {"none"}, "P-Asserted-Identity": {"\"broken <sip:1@x>"}}
	in, err = b.Incoming(trunk.Peer{Address: from("192.0.2.1:1")}, "+4930555", get)
	require.NoError(t, err)
	require.Equal(t, trunk.Caller{Private: true}, in.Caller)

	_, err = b.Incoming(trunk.Peer{Address: from("192.0.2.1:1")}, "sip:x", get)
	require.ErrorIs(t, err, trunk.ErrNumber)
	_, err = b.Incoming(trunk.Peer{Address: from("192.0.2.3:1")}, "+4930555", get)
	require.ErrorIs(t, err, trunk.ErrUnknownPeer)
}

// NET-03: who is no carrier gets no answer to INVITE or OPTIONS and leaves nothing behind.
func TestUnknownPeersAreTurnedAway(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Carriers[0].ClientNames, cfg.Carriers[0].Plan = []string{"trunk.a.test"}, germany
		cfg.Carriers[1].ClientNames, cfg.Carriers[1].Addresses = []string{"trunk.b.test"}, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	base, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{b.ca.Issue(time.Time{}, "example.test")}})
	require.NoError(t, err)
	cfg, err := b.ListenerTLS(base, b.ca.Pool())
	require.NoError(t, err)
	called := make(chan struct{}, 10)
	ep, err := sip.New(sip.Config{
		Realm:  func(string, string) (sip.Realm, error) { called <- struct{}{}; return sip.Realm{}, sip.ErrUnknownRealm },
		OnCall: func(_ context.Context, c *sip.Call) { called <- struct{}{}; _ = c.Reject(486) },
		Peer: b.Admit(func(number string) (string, error) {
			if number != "+4930555" {
				return "", errors.New("not ours")
			}
			return "acme", nil
		}),
	})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ep.ServeTLS(context.Background(), l, cfg) }()
	defer func() { require.NoError(t, ep.Close()); require.ErrorIs(t, <-served, sip.ErrClosed) }()

	other := siptest.NewAuthority(t)
	number, nth := "030555", 0
	ask := func(method string, certs ...tls.Certificate) (answer string) {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: b.ca.Pool(), ServerName: "example.test", Certificates: certs})
		if err != nil {
			return ""
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		nth++
		id := strconv.Itoa(nth)
		_, err = c.Write([]byte(strings.Join([]string{
			method + " sip:" + number + "@example.test SIP/2.0", "Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK" + id + ";rport", "Max-Forwards: 70", "From: <sip:x@a.test>;tag=1",
			"To: <sip:+4930555@example.test>", "Call-ID: " + id, "CSeq: 1 " + method, "Contact: <sip:x@127.0.0.1:9>", "Content-Length: 0", "", "",
		}, "\r\n")))
		if err != nil {
			return ""
		}
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			var timeout net.Error
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "a stranger is cut off, not kept waiting")
			if answer = string(buf[:n]); err != nil || !strings.HasPrefix(answer, "SIP/2.0 100") {
				return answer
			}
		}
	}
	client := func(ca *siptest.Authority, name string) tls.Certificate { return ca.IssueClient(time.Time{}, name) }
	for _, method := range []string{"INVITE", "OPTIONS"} {
		require.Empty(t, ask(method), "no certificate")
		require.Empty(t, ask(method, client(b.ca, "other.test")), "of nobody we know")
		require.Empty(t, ask(method, client(other, "trunk.a.test")), "of an authority we do not know")
	}
	require.Zero(t, ep.Stats().Calls)
	require.Eventually(t, func() bool { return ep.Stats().Conns == 0 }, 5*time.Second, time.Millisecond, "the last one's end is noticed a moment after it")
	require.Empty(t, called, "nothing of theirs was looked at")
	require.Contains(t, ask("INVITE", client(b.ca, "trunk.a.test")), "SIP/2.0 486", "while the carrier reaches the number")
	<-called
	number = "030556"
	require.Contains(t, ask("INVITE", client(b.ca, "trunk.a.test")), "SIP/2.0 404")
	require.Contains(t, ask("INVITE", client(b.ca, "trunk.b.test")), "SIP/2.0 403", "from an address that is not its own")
	require.Empty(t, called)
	_, _, err = b.Admit(nil)(sip.Arrival{Peer: "phone.test", Address: "192.0.2.1:1", Number: "030555"})
	require.ErrorIs(t, err, sip.ErrUnknownUser, "who is no carrier is left to digest")
	control.Proves(t, "NET-03")
}

func TestScreen(t *testing.T) {
	for prefix, ok := range map[string]bool{"127.0.0.0/8": true, "192.0.2.0/24": false} {
		b := setup(t, func(cfg *trunk.Config, _ *bench) {
			cfg.Carriers[0].Addresses = []netip.Prefix{netip.MustParsePrefix(prefix)}
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		accepted := make(chan net.Conn, 1)
		go func() { // ends with l
			defer close(accepted)
			if c, err := b.Screen(l).Accept(); err == nil {
				accepted <- c
			}
		}()
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		if ok {
			(<-accepted).Close()
		} else {
			require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
			_, err = c.Read(make([]byte, 1))
			var timeout net.Error
			require.Error(t, err)
			require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "closed at once")
		}
		c.Close()
		l.Close()
		_, open := <-accepted
		require.False(t, open)
	}
}

func FuzzIncoming(f *testing.F) {
	for _, s := range []string{`"A" <sip:+49301@x>;tag=1`, "<tel:+4930>", "sip:a@b;x=y", `"\"`, "A, B <sip:x>"} {
		f.Add(s, "id", "+4930555")
	}
	ep := new(sip.Endpoint)
	g, err := trunk.New(trunk.Config{
		Dialer: ep, Domain: "example.test", CallerID: anybody, Resolver: static{},
		Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test", Trusted: true, Plan: germany, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = g.Close() })
	f.Fuzz(func(t *testing.T, id, privacy, called string) {
		in, err := g.Incoming(trunk.Peer{Address: from("192.0.2.1:1")}, called, func(name string) []string {
			if name == "Privacy" {
				return []string{privacy}
			}
			return []string{id}
		})
		if err == nil && (strings.ContainsAny(in.Caller.Name, "\r\n\x00") || strings.ContainsAny(in.Caller.Number, "\r\n<>@;")) {
			t.Fatalf("%q: %+v", id, in)
		}
	})
}
