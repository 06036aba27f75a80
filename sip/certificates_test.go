package sip_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// store writes a certificate and its key as files of the name given, by renaming, as renewal programs do.
func store(t testing.TB, dir, name string, cert tls.Certificate) sip.CertificateFile {
	t.Helper()
	f := sip.CertificateFile{Domains: []string{name}, Certificate: filepath.Join(dir, name+".pem"), Key: filepath.Join(dir, name+".key")}
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(t, err)
	put(t, f.Certificate, chain)
	put(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return f
}

func put(t testing.TB, path string, b []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", b, 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

// clock is a time that the test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// shown handshakes with a server that has certs and returns the names in the certificate it saw.
func shown(t testing.TB, certs *sip.Certificates, serverName string) ([]string, error) {
	t.Helper()
	cfg, err := sip.ServerTLS(&tls.Config{GetCertificate: certs.GetCertificate})
	require.NoError(t, err)
	a, b := net.Pipe()
	defer a.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		_ = tls.Server(b, cfg.Config()).Handshake()
	}()
	// The test looks at the certificate itself: what is shown matters here, not whether it is good.
	c := tls.Client(a, &tls.Config{ServerName: serverName, InsecureSkipVerify: true})
	err = c.Handshake()
	names := []string(nil)
	if err == nil {
		names = c.ConnectionState().PeerCertificates[0].DNSNames
	}
	a.Close()
	<-done
	return names, err
}

func TestCertificateFollowsServerName(t *testing.T) {
	ca, dir := siptest.NewAuthority(t), t.TempDir()
	wild := store(t, dir, "wild", ca.Issue(time.Time{}, "*.tenants.test", "tenants.test"))
	wild.Domains = []string{"*.tenants.test", "tenants.test"}
	// The certificate of acme also names globex, which must not make it that of globex.
	files := []sip.CertificateFile{store(t, dir, "acme.test", ca.Issue(time.Time{}, "acme.test", "globex.test")), store(t, dir, "globex.test", ca.Issue(time.Time{}, "globex.test")), wild}
	certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: files})
	require.NoError(t, err)
	for name, want := range map[string][]string{
		"acme.test": {"acme.test", "globex.test"}, "ACME.test": {"acme.test", "globex.test"}, "globex.test": {"globex.test"},
		"a.tenants.test": {"*.tenants.test", "tenants.test"}, "tenants.test": {"*.tenants.test", "tenants.test"},
		"a.b.tenants.test": nil, "nowhere.test": nil, "test": nil, "": nil, "127.0.0.1": nil,
	} {
		got, err := shown(t, certs, name)
		require.Equal(t, want, got, name)
		require.Equal(t, want == nil, err != nil, name)
	}
	certs, err = sip.NewCertificates(sip.CertificatesConfig{Files: files, Nameless: "Globex.test"})
	require.NoError(t, err)
	got, err := shown(t, certs, "127.0.0.1") // no server name is sent for an address
	require.NoError(t, err)
	require.Equal(t, []string{"globex.test"}, got)
	_, err = shown(t, certs, "nowhere.test")
	require.Error(t, err, "a name that is not here stays refused")
}

func TestBothKindsOfKey(t *testing.T) {
	dir := t.TempDir()
	ec := store(t, dir, "ec", siptest.NewAuthority(t).Issue(time.Time{}, "acme.test"))
	rs := store(t, dir, "rsa", selfSigned(t, 2048, x509.SHA256WithRSA, "acme.test"))
	ec.Domains, rs.Domains = []string{"acme.test"}, []string{"acme.test"}
	certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: []sip.CertificateFile{ec, rs}})
	require.NoError(t, err)
	for scheme, want := range map[tls.SignatureScheme]x509.PublicKeyAlgorithm{tls.ECDSAWithP256AndSHA256: x509.ECDSA, tls.PSSWithSHA256: x509.RSA} {
		got, err := certs.GetCertificate(&tls.ClientHelloInfo{
			ServerName: "acme.test", SignatureSchemes: []tls.SignatureScheme{scheme}, SupportedVersions: []uint16{tls.VersionTLS13}, SupportedCurves: []tls.CurveID{tls.X25519, tls.CurveP256},
			CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256},
		})
		require.NoError(t, err)
		require.Equal(t, want, got.Leaf.PublicKeyAlgorithm)
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	ca, dir := siptest.NewAuthority(t), t.TempDir()
	clk := &clock{now: time.Now()}
	serial := func(certs *sip.Certificates) *big.Int {
		c, err := certs.GetCertificate(&tls.ClientHelloInfo{ServerName: "acme.test", SupportedVersions: []uint16{tls.VersionTLS13}})
		require.NoError(t, err)
		return c.Leaf.SerialNumber
	}
	number := func(c tls.Certificate) *big.Int {
		x, err := x509.ParseCertificate(c.Certificate[0])
		require.NoError(t, err)
		return x.SerialNumber
	}
	var told []error
	first, second, third := ca.Issue(time.Time{}, "acme.test"), ca.Issue(time.Time{}, "acme.test"), ca.Issue(time.Time{}, "acme.test")
	f := store(t, dir, "acme.test", first)
	certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: []sip.CertificateFile{f}, Now: clk.Now, Interval: time.Minute, OnReload: func(domain string, err error) {
		require.Equal(t, "acme.test", domain)
		told = append(told, err)
	}})
	require.NoError(t, err)

	store(t, dir, "acme.test", second)
	clk.add(59 * time.Second)
	require.Equal(t, number(first), serial(certs), "not looked at yet")
	clk.add(time.Second)
	require.Equal(t, number(second), serial(certs))
	require.Equal(t, []error{nil}, told)

	// Half of it has arrived: the old one stays, and one is told once however often one looks.
	good, err := os.ReadFile(f.Key)
	require.NoError(t, err)
	store(t, dir, "acme.test", third)
	key, err := os.ReadFile(f.Key)
	require.NoError(t, err)
	put(t, f.Key, good)
	for range 3 {
		clk.add(time.Minute)
		require.Equal(t, number(second), serial(certs))
	}
	require.Len(t, told, 2)
	require.Error(t, told[1])
	put(t, f.Key, key)
	clk.add(time.Minute)
	require.Equal(t, number(third), serial(certs))
	require.Len(t, told, 3)
	require.NoError(t, told[2])

	for name, bad := range map[string]tls.Certificate{
		"wrong name": ca.Issue(time.Time{}, "globex.test"), "over": ca.Issue(clk.Now().Add(-time.Minute), "acme.test"), "weak": selfSigned(t, 1024, x509.SHA256WithRSA, "acme.test"),
	} {
		store(t, dir, "acme.test", bad)
		require.Error(t, certs.Reload(), name)
		require.Equal(t, number(third), serial(certs), name)
	}
	require.NoError(t, os.Remove(f.Certificate))
	require.Error(t, certs.Reload())
	require.Equal(t, number(third), serial(certs), "gone")
	store(t, dir, "acme.test", first)
	require.NoError(t, certs.Reload())
	require.Equal(t, number(first), serial(certs))
	clk.add(-time.Hour) // set back, or nothing would be read again for an hour
	store(t, dir, "acme.test", second)
	require.Equal(t, number(second), serial(certs))
}

func TestCertificatesAtTheStart(t *testing.T) {
	ca, dir := siptest.NewAuthority(t), t.TempDir()
	good := store(t, dir, "acme.test", ca.Issue(time.Time{}, "acme.test"))
	for name, cfg := range map[string]sip.CertificatesConfig{
		"none":              {},
		"no domain":         {Files: []sip.CertificateFile{{Certificate: good.Certificate, Key: good.Key}}},
		"no such file":      {Files: []sip.CertificateFile{{Domains: good.Domains, Certificate: good.Certificate + "x", Key: good.Key}}},
		"another domain":    {Files: []sip.CertificateFile{{Domains: []string{"acme.test", "globex.test"}, Certificate: good.Certificate, Key: good.Key}}},
		"wildcard of its":   {Files: []sip.CertificateFile{{Domains: []string{"*.acme.test"}, Certificate: good.Certificate, Key: good.Key}}},
		"expired":           {Files: []sip.CertificateFile{store(t, dir, "old.test", ca.Issue(time.Now().Add(-time.Hour), "old.test"))}},
		"not yet valid":     {Files: []sip.CertificateFile{good}, Now: (&clock{now: time.Now().Add(-100 * time.Hour)}).Now},
		"unknown default":   {Files: []sip.CertificateFile{good}, Nameless: "globex.test"},
		"RSA of 1024 bits":  {Files: []sip.CertificateFile{store(t, dir, "weak.test", selfSigned(t, 1024, x509.SHA256WithRSA, "weak.test"))}},
		"key and no secret": {Files: []sip.CertificateFile{{Domains: good.Domains, Certificate: good.Certificate, Key: good.Certificate}}},
	} {
		_, err := sip.NewCertificates(cfg)
		require.Error(t, err, name)
	}
}

func TestExpiryIsToldInTime(t *testing.T) {
	ca, dir := siptest.NewAuthority(t), t.TempDir()
	const day = 24 * time.Hour
	end := time.Now().Add(60 * day).Truncate(time.Second)
	clk := &clock{now: end.Add(-60 * day)}
	var told []time.Duration
	f := store(t, dir, "acme.test", ca.Issue(end, "acme.test"))
	certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: []sip.CertificateFile{f}, Now: clk.Now, OnExpiring: func(domain string, notAfter time.Time) {
		require.Equal(t, "acme.test", domain)
		told = append(told, notAfter.Sub(clk.Now()))
	}})
	require.NoError(t, err)
	for range 62 {
		for range 3 {
			_ = certs.Reload() // an hour apart, as a ticker would
			clk.add(8 * time.Hour)
		}
	}
	require.Equal(t, []time.Duration{30 * day, 14 * day, 7 * day, day, 0}, told)
}

// TestExpiryIsToldOncePerStep: over any history of looks, each step is told at most once, and one that was passed is told at the next look.
func TestExpiryIsToldOncePerStep(t *testing.T) {
	ca, dir := siptest.NewAuthority(t), t.TempDir()
	start := time.Now().Truncate(time.Second)
	f := store(t, dir, "acme.test", ca.Issue(start.Add(100*time.Hour), "acme.test"))
	rapid.Check(t, func(rt *rapid.T) {
		clk := &clock{now: start}
		n := 0
		certs, err := sip.NewCertificates(sip.CertificatesConfig{Files: []sip.CertificateFile{f}, Now: clk.Now, Warn: []time.Duration{50 * time.Hour, 10 * time.Hour},
			OnExpiring: func(string, time.Time) { n++ }})
		require.NoError(t, err)
		steps := func() (passed int) {
			left := start.Add(100 * time.Hour).Sub(clk.Now())
			for _, w := range []time.Duration{50 * time.Hour, 10 * time.Hour, 0} {
				if left <= w {
					passed++
				}
			}
			return passed
		}
		for range rapid.IntRange(1, 20).Draw(rt, "looks") {
			before, told := steps(), n
			clk.add(time.Duration(rapid.IntRange(0, 30).Draw(rt, "hours")) * time.Hour)
			_ = certs.Reload()
			want := 0
			if steps() > before {
				want = 1
			}
			require.Equal(t, want, n-told)
		}
	})
}

// selfSigned returns an RSA certificate of any strength.
func selfSigned(t testing.TB, bits int, alg x509.SignatureAlgorithm, names ...string) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	require.NoError(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, SignatureAlgorithm: alg, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestWeakKeysAreRefused(t *testing.T) {
	weak, fair := selfSigned(t, 1024, x509.SHA256WithRSA, "acme.test"), selfSigned(t, 2048, x509.SHA256WithRSA, "acme.test")
	_, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{weak}})
	require.ErrorIs(t, err, sip.ErrWeakTLS)
	_, err = sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{fair, weak}})
	require.ErrorIs(t, err, sip.ErrWeakTLS)
	_, err = sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{fair}})
	require.NoError(t, err)
	cfg, err := sip.ServerTLS(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &weak, nil }})
	require.NoError(t, err)
	_, err = cfg.Config().GetCertificate(&tls.ClientHelloInfo{})
	require.ErrorIs(t, err, sip.ErrWeakTLS)
	_, err = sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{fair}, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }})
	require.ErrorIs(t, err, sip.ErrWeakTLS)
	_, err = sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{fair}, ClientAuth: tls.RequireAndVerifyClientCert})
	require.ErrorIs(t, err, sip.ErrWeakTLS, "every public authority could name a peer")

	// A server of others with such a key is not talked to, though its certificate is a root of ours.
	root, err := x509.ParseCertificate(weak.Certificate[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	client, err := sip.ClientTLS(nil, pool)
	require.NoError(t, err)
	a, b := net.Pipe()
	defer a.Close()
	go func() { // ends with the pipe
		_ = tls.Server(b, &tls.Config{Certificates: []tls.Certificate{weak}}).Handshake()
		b.Close()
	}()
	cc := client.Config()
	cc.ServerName = "acme.test"
	require.ErrorIs(t, tls.Client(a, cc).Handshake(), sip.ErrWeakTLS)
	control.Proves(t, "ENC-06")
}

// TestPeersProveThemselves: who has no certificate of the authority, an expired one, one for servers or one that the look-up does not know gets nothing.
func TestPeersProveThemselves(t *testing.T) {
	ca, other := siptest.NewAuthority(t), siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	name := func(s tls.ConnectionState) (string, error) {
		if n := s.PeerCertificates[0].DNSNames[0]; n == "carrier.test" {
			return n, nil
		}
		return "", errors.New("unknown carrier")
	}
	for _, pc := range []sip.PeersConfig{{}, {Authorities: ca.Pool()}, {Name: name}} {
		_, err := tc.WithPeers(pc)
		require.Error(t, err)
	}
	_, err = sip.TLSConfig{}.WithPeers(sip.PeersConfig{Authorities: ca.Pool(), Name: name})
	require.Error(t, err)

	for _, optional := range []bool{false, true} {
		peers, err := tc.WithPeers(sip.PeersConfig{Authorities: ca.Pool(), Name: name, Optional: optional})
		require.NoError(t, err)
		ep, err := sip.New(sip.Config{Realm: realms})
		require.NoError(t, err)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- ep.ServeTLS(t.Context(), l, peers) }()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for what, c := range map[string]struct {
				certs []tls.Certificate
				ok    bool
			}{
				"carrier":             {[]tls.Certificate{ca.IssueClient(time.Time{}, "carrier.test")}, true},
				"unknown":             {[]tls.Certificate{ca.IssueClient(time.Time{}, "other.test")}, false},
				"expired":             {[]tls.Certificate{ca.IssueClient(time.Now().Add(-time.Minute), "carrier.test")}, false},
				"for servers":         {[]tls.Certificate{ca.Issue(time.Time{}, "carrier.test")}, false},
				"of other authority":  {[]tls.Certificate{other.IssueClient(time.Time{}, "carrier.test")}, false},
				"without certificate": {nil, optional},
			} {
				t.Run(fmt.Sprint(what, optional, tls.VersionName(version)), func(t *testing.T) {
					conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: ca.Pool(), ServerName: "acme.test", Certificates: c.certs, MaxVersion: version})
					served := false
					if err == nil {
						p := siptest.NewPeer(t, conn)
						_, _ = conn.Write(wire(optionsLines(), "")) // what is refused may be closed already
						m, err := p.Read(10 * time.Second)
						served = err == nil && m.Status() == 200
					}
					require.Equal(t, c.ok, served)
				})
			}
		}
		require.NoError(t, ep.Close())
		<-served
	}
}
