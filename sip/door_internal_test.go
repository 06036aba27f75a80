package sip

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/memnet"
	"github.com/ringfence/ringfence/sip/siptest"
)

// TestCertificateNamesThePeer: what the look-up says of a client certificate is known of the connection, for a resumed session too, and nothing is of one without.
func TestCertificateNamesThePeer(t *testing.T) {
	ca := siptest.NewAuthority(t)
	tc, err := ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	tc, err = tc.WithPeers(PeersConfig{Authorities: ca.Pool(), Optional: true, Name: func(s tls.ConnectionState) (string, error) { return s.PeerCertificates[0].DNSNames[0], nil }})
	require.NoError(t, err)
	ep, err := New(Config{})
	require.NoError(t, err)
	defer ep.Close()
	l := memnet.Listen(5061)
	g := newListener(ep, l, door{tls: tc})
	defer g.Close()
	cert, sessions := ca.IssueClient(time.Time{}, "carrier.test"), tls.NewLRUClientSessionCache(1)
	for i, c := range []struct {
		certs []tls.Certificate
		want  string
	}{{[]tls.Certificate{cert}, "carrier.test"}, {[]tls.Certificate{cert}, "carrier.test"}, {nil, ""}} {
		cfg := &tls.Config{RootCAs: ca.Pool(), ServerName: "acme.test", Certificates: c.certs}
		if c.certs != nil {
			cfg.ClientSessionCache = sessions
		}
		raw, err := l.Dial(t.Context())
		require.NoError(t, err)
		tc := tls.Client(raw, cfg)
		require.NoError(t, tc.Handshake())
		accepted, err := g.Accept()
		require.NoError(t, err)
		require.Equal(t, c.want, accepted.(*conn).peer)
		_, err = accepted.Write([]byte("x")) // the ticket comes before it
		require.NoError(t, err)
		_, err = tc.Read(make([]byte, 1))
		require.NoError(t, err)
		require.Equal(t, i == 1, tc.ConnectionState().DidResume)
		accepted.Close()
		tc.Close()
	}
}

// given is a connection on which everything has been sent.
type given struct {
	net.Conn
	r *bytes.Reader
}

func (g given) Read(b []byte) (int, error) { return g.r.Read(b) }
func (g given) RemoteAddr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// FuzzUpgrade: whatever a stranger asks for, nothing breaks, and what is upgraded has the one origin, path, Host, version and subprotocol that are allowed.
func FuzzUpgrade(f *testing.F) {
	good := siptest.UpgradeRequest("acme.test", "/sip", "https://agent.acme.test")
	f.Add([]byte(good))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	ep, err := New(Config{RequestRate: 1 << 30, RequestBurst: 1 << 30, TotalRate: 1 << 30, TotalBurst: 1 << 30, BanAfter: 1 << 30, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(f, err)
	f.Cleanup(func() { ep.Close() })
	w, err := newWebDoor(WebSocketConfig{Origins: []string{"https://agent.acme.test"}, Path: "/sip"})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, in []byte) {
		g := given{r: bytes.NewReader(in)}
		c := &conn{ep: ep, Conn: g, raw: g, serverName: "acme.test", secure: true}
		if _, err := w.request(context.Background(), c, streamSource(c)); err != nil {
			return
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(in)))
		require.NoError(t, err)
		origin, ok := canonicalOrigin(req.Header.Get("Origin"))
		require.True(t, ok)
		require.Equal(t, "https://agent.acme.test", origin)
		require.Equal(t, "GET /sip 13", req.Method+" "+req.URL.Path+" "+req.Header.Get("Sec-Websocket-Version"))
		require.True(t, rightHost(req.Host, "acme.test"))
	})
}

func TestPagesOfThisMachine(t *testing.T) {
	w, err := newWebDoor(WebSocketConfig{Origins: []string{"http://localhost:*", "https://127.0.0.1:*", "https://acme.localhost:8443"}})
	if err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"http://localhost:8080": true, "http://localhost": true, "https://localhost": false, "https://127.0.0.1:7": true, "https://127.0.0.1": true, "http://127.0.0.1:7": false,
		"https://acme.localhost:8443": true, "https://acme.localhost:8444": false, "http://localhost.evil.test:8080": false, "http://localhost:8080.evil.test": false,
	} {
		c, ok := canonicalOrigin(origin)
		if got := ok && w.listed(c); got != want {
			t.Errorf("%s: %v", origin, got)
		}
	}
	for _, o := range []string{"http://agent.test", "https://agent.test:*", "http://localhost.evil.test:*", "ftp://localhost", "http://192.0.2.1:*", "*", "null:*"} {
		if _, err := newWebDoor(WebSocketConfig{Origins: []string{o}}); err == nil {
			t.Errorf("%s was accepted", o)
		}
	}
}
