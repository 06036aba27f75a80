package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/siptest"
)

const domain = "acme.test"

// media offers and answers SRTP with a key that names it.
type media struct {
	name string
	peer chan string
}

func newMedia(name string) *media { return &media{name, make(chan string, 8)} }

func (m *media) sdp() []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:%s\r\n", m.name)
}
func (m *media) Offer(context.Context) ([]byte, error) { return m.sdp(), nil }
func (m *media) Answer(_ context.Context, offer []byte) ([]byte, error) {
	m.peer <- string(offer)
	return m.sdp(), nil
}
func (m *media) Accept(_ context.Context, answer []byte) error { m.peer <- string(answer); return nil }

func read(t *testing.T, c <-chan string) string {
	t.Helper()
	select {
	case s := <-c:
		return s
	case <-time.After(20 * time.Second):
		t.Fatal("nothing arrived")
		return ""
	}
}

func serveSIP(t *testing.T, ca *siptest.Authority, name string, cfg sip.Config) (addr string, stop func()) {
	t.Helper()
	cfg.Realm = func(string, string) (sip.Realm, error) {
		return sip.Realm{Name: name, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
			return sip.HA1(algorithm, user, name, "password of "+user)
		}}, nil
	}
	ep, err := sip.New(cfg)
	require.NoError(t, err)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, name)}})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ep.ServeTLS(context.Background(), l, tc) }() // ends with stop
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			require.NoError(t, ep.Close())
			require.ErrorIs(t, <-served, sip.ErrClosed)
		}
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// text is what the program writes while it is read.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *text) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *text) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// The program, from its file: it serves a contact center that is there and one that is gone.
func TestBranch(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	ca := siptest.NewAuthority(t)
	cert := ca.Issue(time.Time{}, domain)
	key, err := x509.MarshalECPrivateKey(cert.PrivateKey.(*ecdsa.PrivateKey))
	require.NoError(t, err)
	write("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}))
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}))
	write("ca.pem", ca.PEM())
	write("users.json", []byte(`{"1001": "password of 1001", "1002": "password of 1002"}`))
	write("carrier.password", []byte("password of acme\n"))

	queue, pstn, called := newMedia("queue"), newMedia("pstn"), make(chan string, 8)
	answer := func(m *media) func(context.Context, *sip.Call) {
		return func(ctx context.Context, c *sip.Call) {
			called <- c.To()
			if c.Answer(ctx, m) == nil {
				<-c.Done()
			}
		}
	}
	upstream, cut := serveSIP(t, ca, domain, sip.Config{Registrar: registrar.New(registrar.Config{}), OnCall: answer(queue)})
	carrier, _ := serveSIP(t, ca, "127.0.0.1", sip.Config{OnCall: answer(pstn)})
	write("branch.hcl", fmt.Appendf(nil, `
domain = %q
data   = "data"
users  = "users.json"
listen {
  address     = "127.0.0.1:0"
  certificate = "cert.pem"
  key         = "key.pem"
}
upstream {
  address     = %q
  authorities = "ca.pem"
}
trunk {
  country = "DE"
  code    = "49"
  carrier "local" {
    domain        = %q
    user          = "acme"
    password_file = "carrier.password"
    authorities   = "ca.pem"
  }
}
`, domain, upstream, carrier))

	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var errs text
	code := make(chan int, 1)
	go func() { // ends with ctx
		code <- run(ctx, []string{"--config", filepath.Join(dir, "branch.hcl")}, in, &errs)
		in.Close()
	}()
	lines := make(chan string, 16)
	go func() { // ends with the program
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	defer func() {
		stop()
		require.Zero(t, <-code, errs.String())
	}()
	addr := ""
	for there := false; addr == "" || !there; {
		line := read(t, lines)
		there = there || line == "upstream is there"
		if rest, ok := strings.CutPrefix(line, "ready "); ok {
			addr = rest
		}
	}

	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	phone := func(user string, m *media) *sip.Endpoint {
		ep, err := sip.New(sip.Config{Client: client, Trusted: true, OnCall: answer(m)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, ep.Close()) })
		_, err = ep.Register(t.Context(), sip.RegisterConfig{AOR: "sip:" + user + "@" + domain, Address: addr, Password: "password of " + user})
		require.NoError(t, err)
		return ep
	}
	second := newMedia("second")
	a := phone("1001", newMedia("first"))
	phone("1002", second)
	call := func(to, arrives string, want *media) {
		t.Helper()
		m := newMedia("caller")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		c, err := a.Dial(ctx, sip.DialConfig{Target: "sip:" + to + "@" + domain, Address: addr, From: "sip:1001@" + domain, Password: "password of 1001"}, m)
		require.NoError(t, err, errs.String())
		require.Equal(t, arrives, read(t, called))
		require.Equal(t, string(want.sdp()), read(t, m.peer))
		require.Equal(t, string(m.sdp()), read(t, want.peer))
		require.NoError(t, c.Hangup(ctx))
	}
	call("9000", "9000", queue)
	cut()
	call("+4930123456", "+4930123456", pstn)
	call("030123456", "+4930123456", pstn)
	call("110", "110", pstn)
	m := newMedia("caller")
	c, err := a.Dial(t.Context(), sip.DialConfig{Target: "sip:1002@" + domain, Address: addr, From: "sip:1001@" + domain, Password: "password of 1001"}, m)
	require.NoError(t, err)
	require.Equal(t, string(second.sdp()), read(t, m.peer))
	require.Equal(t, "upstream is gone", read(t, lines))
	require.NoError(t, c.Hangup(t.Context()))
}

func TestConfiguration(t *testing.T) {
	c, err := loadConfig("branch.hcl")
	require.NoError(t, err)
	require.Equal(t, "1001", c.Fallback["9000"])
	require.Equal(t, "users.json", filepath.Base(c.Users))
	require.Equal(t, 1, run(t.Context(), []string{"--config", filepath.Join(t.TempDir(), "none.hcl")}, io.Discard, io.Discard))
	require.Equal(t, 2, run(t.Context(), []string{"--what"}, io.Discard, io.Discard))

	open := filepath.Join(t.TempDir(), "users.json")
	require.NoError(t, os.WriteFile(open, []byte(`{"1001": "secret"}`), 0o644))
	_, err = readUsers(open)
	require.ErrorContains(t, err, "chmod 600")
	require.NoError(t, os.Chmod(open, 0o600))
	require.NoError(t, os.WriteFile(open, []byte(`{"1001": secret}`), 0o600))
	_, err = readUsers(open)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}
