package sip_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// media is a Media of a test: it offers and answers a fixed body and remembers what it was given.
type media struct {
	mu     sync.Mutex
	refuse error
	seen   []string
}

func (m *media) note(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = append(m.seen, s)
}
func (m *media) notes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.seen...)
}
func (m *media) Offer(context.Context) ([]byte, error) { m.note("offer"); return []byte("OFFER"), nil }
func (m *media) Answer(_ context.Context, offer []byte) ([]byte, error) {
	m.note("answer " + string(offer))
	return []byte("ANSWER"), m.refuse
}
func (m *media) Accept(_ context.Context, answer []byte) error {
	m.note("accept " + string(answer))
	return nil
}

const password = "correct horse"

// realms serves acme.test and globex.test, each with a user 1001, whose password differs.
func realms(domain, serverName string) (sip.Realm, error) {
	for _, name := range []string{"acme.test", "globex.test"} {
		if domain != name {
			continue
		}
		if serverName != "" && serverName != name {
			return sip.Realm{}, sip.ErrRealmMismatch
		}
		r := sip.Realm{Name: name, Plaintext: waived, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
			if user != "1001" && user != "1002" {
				return nil, sip.ErrUnknownUser
			}
			return sip.HA1(algorithm, user, name, name+password)
		}}
		if name == "acme.test" {
			r.Algorithms = []string{sip.SHA256, sip.MD5}
		}
		return r, nil
	}
	return sip.Realm{}, sip.ErrUnknownRealm
}

// waived lets every user do without encryption, where a listener allows it.
func waived(context.Context, string, string) error { return nil }

type server struct {
	*sip.Endpoint
	ca   *siptest.Authority
	addr string
}

func serve(t *testing.T, cfg sip.Config) *server {
	t.Helper()
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test", "globex.test", "127.0.0.1")}})
	require.NoError(t, err)
	if cfg.Realm == nil {
		cfg.Realm = realms
	}
	ep, err := sip.New(cfg)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ep.ServeTLS(context.Background(), l, tc) }()
	t.Cleanup(func() {
		require.NoError(t, ep.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
	})
	return &server{ep, ca, l.Addr().String()}
}

// phone returns an endpoint that trusts the server's authority.
func (s *server) phone(t *testing.T, onCall func(context.Context, *sip.Call)) *sip.Endpoint {
	t.Helper()
	client, err := sip.ClientTLS(nil, s.ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client, Trusted: true, OnCall: onCall})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ep.Close()) })
	return ep
}

func (s *server) register(t *testing.T, phone *sip.Endpoint, aor, pass string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := phone.Register(ctx, sip.RegisterConfig{AOR: aor, Address: s.addr, Password: pass})
	if err == nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = r.Close(ctx) // the server may be gone before it
		})
	}
	return err
}

func (s *server) dial(t *testing.T, phone *sip.Endpoint, target string, m sip.Media) (*sip.Call, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return phone.Dial(ctx, sip.DialConfig{Target: target, Address: s.addr, From: "sip:1001@acme.test", Password: "acme.test" + password}, m)
}

// raw connects a scripted peer by TLS with the server name given.
func (s *server) raw(t *testing.T, serverName string) *siptest.Peer {
	t.Helper()
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.Pool(), ServerName: serverName})
	require.NoError(t, err)
	return siptest.NewPeer(t, c)
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("timeout: " + what)
	}
}

func status(err error) int {
	var se *sip.StatusError
	if errors.As(err, &se) {
		return se.Code
	}
	return 0
}
