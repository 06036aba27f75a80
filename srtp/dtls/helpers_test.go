package dtls_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"
	"github.com/pion/transport/v4/deadline"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/dtls"
)

func identity(t testing.TB) *dtls.Identity {
	t.Helper()
	id, err := dtls.NewIdentity(time.Now())
	require.NoError(t, err)
	return id
}

func certificate(t testing.TB, curve elliptic.Curve) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// wire is a net.PacketConn for the other implementation: what it writes goes to an association, by way of what the network does to it.
type wire struct {
	in   chan []byte
	to   func([]byte)
	read *deadline.Deadline
	done chan struct{}
	once sync.Once
}

type nowhere struct{}

func (nowhere) Network() string { return "test" }
func (nowhere) String() string  { return "peer" }

func newWire() *wire {
	return &wire{in: make(chan []byte, 256), read: deadline.New(), done: make(chan struct{})}
}

func (w *wire) push(b []byte) {
	select {
	case w.in <- bytes.Clone(b):
	default:
	}
}

func (w *wire) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case <-w.done:
		return 0, nil, net.ErrClosed
	case <-w.read.Done():
		return 0, nil, os.ErrDeadlineExceeded
	case p := <-w.in:
		return copy(b, p), nowhere{}, nil
	}
}

func (w *wire) WriteTo(b []byte, _ net.Addr) (int, error) { w.to(bytes.Clone(b)); return len(b), nil }
func (w *wire) Close() error                              { w.once.Do(func() { close(w.done) }); return nil }
func (w *wire) LocalAddr() net.Addr                       { return nowhere{} }
func (w *wire) SetDeadline(at time.Time) error            { w.read.Set(at); return nil }
func (w *wire) SetReadDeadline(at time.Time) error        { w.read.Set(at); return nil }
func (*wire) SetWriteDeadline(time.Time) error            { return nil }

// network loses, doubles and reorders a part of what passes.
type network struct {
	mu   sync.Mutex
	rng  *mathrand.Rand
	part float64
	held []byte
}

func (n *network) pass(b []byte, to func([]byte)) {
	n.mu.Lock()
	roll, held := n.rng.Float64(), n.held
	n.held = nil
	if roll >= n.part && roll < n.part*1.5 && held == nil {
		n.held = bytes.Clone(b)
	}
	holding := n.held != nil
	n.mu.Unlock()
	if roll >= n.part && !holding {
		to(b)
	}
	if roll > 1-n.part {
		to(b)
	}
	if held != nil {
		to(held)
	}
}

// other is what a peer of the other implementation is made of.
type other struct {
	cert     *tls.Certificate
	profiles []pion.SRTPProtectionProfile
	suites   []pion.CipherSuiteID
	ems      pion.ExtendedMasterSecretType
}

func (o other) options() []pion.Option {
	opts := []pion.Option{pion.WithExtendedMasterSecret(o.ems), pion.WithInsecureSkipVerify(true), pion.WithFlightInterval(20 * time.Millisecond)}
	if len(o.profiles) > 0 {
		opts = append(opts, pion.WithSRTPProtectionProfiles(o.profiles...))
	}
	if len(o.suites) > 0 {
		opts = append(opts, pion.WithCipherSuites(o.suites...))
	}
	if o.cert != nil {
		opts = append(opts, pion.WithCertificates(*o.cert))
	}
	return opts
}

func (o other) server(w net.PacketConn) (*pion.Conn, error) {
	opts := []pion.ServerOption{pion.WithClientAuth(pion.RequireAnyClientCert)}
	for _, opt := range o.options() {
		opts = append(opts, opt)
	}
	return pion.ServerWithOptions(w, nowhere{}, opts...)
}

func (o other) client(w net.PacketConn) (*pion.Conn, error) {
	var opts []pion.ClientOption
	for _, opt := range o.options() {
		opts = append(opts, opt)
	}
	return pion.ClientWithOptions(w, nowhere{}, opts...)
}

// call runs one handshake between an association and the other implementation.
func call(t *testing.T, cfg dtls.Config, o other, loss float64) (*dtls.Association, dtls.Keys, error, *pion.Conn, error) {
	t.Helper()
	var a *dtls.Association
	w := newWire()
	seed := uint64(len(t.Name())) + 7
	out := &network{rng: mathrand.New(mathrand.NewPCG(seed, 1)), part: loss}
	in := &network{rng: mathrand.New(mathrand.NewPCG(seed, 2)), part: loss}
	cfg.Send = func(b []byte) error { out.pass(b, w.push); return nil }
	cfg.Retransmit = 20 * time.Millisecond
	a, err := dtls.New(cfg)
	require.NoError(t, err)
	w.to = func(b []byte) { in.pass(b, a.Deliver) }
	var conn *pion.Conn
	if cfg.Role == dtls.SetupActive {
		conn, err = o.server(w)
	} else {
		conn, err = o.client(w)
	}
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	theirs := make(chan error, 1)
	go func() { theirs <- conn.HandshakeContext(ctx) }() // ends with the handshake; waited for below
	keys, err := a.Handshake(ctx)
	if err != nil {
		cancel()
	}
	theirErr := <-theirs
	t.Cleanup(func() {
		a.Close()
		_ = conn.Close()
		_ = w.Close()
	})
	return a, keys, err, conn, theirErr
}

// pair runs a handshake between two associations over a network.
func pair(t *testing.T, ours, theirs *dtls.Identity) (a, b *dtls.Association, ka, kb dtls.Keys) {
	t.Helper()
	var err error
	a, err = dtls.New(dtls.Config{Identity: ours, Role: dtls.SetupActive, Fingerprints: []dtls.Fingerprint{theirs.Fingerprint()}, Retransmit: 20 * time.Millisecond,
		Send: func(p []byte) error { b.Deliver(p); return nil }})
	require.NoError(t, err)
	b, err = dtls.New(dtls.Config{Identity: theirs, Role: dtls.SetupPassive, Fingerprints: []dtls.Fingerprint{ours.Fingerprint()}, Retransmit: 20 * time.Millisecond,
		Send: func(p []byte) error { a.Deliver(p); return nil }})
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { // ends with the handshake; waited for below
		var err error
		kb, err = b.Handshake(ctx)
		done <- err
	}()
	ka, err = a.Handshake(ctx)
	require.NoError(t, err)
	require.NoError(t, <-done)
	return a, b, ka, kb
}
