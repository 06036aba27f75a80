package stir_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/stir"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

const (
	caller = "+12155551212"
	callee = "+12155551213"
	x5u    = "https://cert.example.org/passport.pem"
)

// web is a Certificates without a network.
type web map[string][]byte

func (w web) Fetch(_ context.Context, url string) ([]byte, error) {
	b, ok := w[url]
	if !ok {
		return nil, errors.New("404")
	}
	return b, nil
}

// party is a certificate with its key and those above it.
type party struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	chain []byte // PEM, leaf first, without the root
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return key
}

// issue makes a certificate; above is nil for a root. change may spoil it.
func issue(t testing.TB, above *party, ca bool, list *stir.TNAuthList, change func(*x509.Certificate)) *party {
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test " + serial.String()}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: ca,
	}
	if ca {
		tmpl.KeyUsage = x509.KeyUsageCertSign
	}
	if list != nil {
		e, err := list.Extension()
		require.NoError(t, err)
		tmpl.ExtraExtensions = append(tmpl.ExtraExtensions, e)
	}
	p := &party{key: newKey(t)}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, p.key
	if above != nil {
		parent, signer = above.cert, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &p.key.PublicKey, signer)
	require.NoError(t, err)
	p.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	p.chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if above != nil && above.chain != nil && !bytes.Equal(above.cert.RawIssuer, above.cert.RawSubject) {
		p.chain = append(p.chain, above.chain...)
	}
	return p
}

// rig is a signer and a verifier that trust one root.
type rig struct {
	root, ca, leaf *party
	web            web
	cfg            stir.Config
	*stir.Verifier
}

func newRig(t testing.TB, list stir.TNAuthList, change func(*x509.Certificate)) *rig {
	r := &rig{root: issue(t, nil, true, nil, nil)}
	r.ca = issue(t, r.root, true, nil, nil)
	r.leaf = issue(t, r.ca, false, &list, change)
	r.web = web{x5u: r.leaf.chain}
	r.cfg = stir.Config{Roots: x509.NewCertPool(), Certificates: r.web, Hosts: []string{"cert.example.org"}}
	r.cfg.Roots.AddCert(r.root.cert)
	r.open(t)
	return r
}

func (r *rig) open(t testing.TB) {
	v, err := stir.NewVerifier(r.cfg)
	require.NoError(t, err)
	r.Verifier = v
}

func (r *rig) signer(t testing.TB, change func(*stir.SignerConfig)) *stir.Signer {
	cfg := stir.SignerConfig{Key: r.leaf.key, Chain: r.leaf.chain, URL: x5u, Owns: func(n string) bool { return n == caller[1:] }}
	if change != nil {
		change(&cfg)
	}
	s, err := stir.NewSigner(cfg)
	require.NoError(t, err)
	return s
}

func (r *rig) sign(t testing.TB, now time.Time) string {
	h, err := r.signer(t, nil).Sign(now, stir.Call{Orig: caller, Dest: callee, Authenticated: true})
	require.NoError(t, err)
	return h
}

func (r *rig) check(now time.Time, header string) stir.Result {
	return r.Verify(context.Background(), now, stir.Request{Identity: []string{header}, Orig: caller, Dest: callee, CallID: "c1"})
}

var provider = stir.TNAuthList{SPC: []string{"709J"}}
