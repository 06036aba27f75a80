package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/stir"
)

// numberAuthority issues certificates for telephone numbers (RFC 8226).
type numberAuthority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newNumberAuthority(t *testing.T) *numberAuthority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "numbers"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &numberAuthority{cert, key}
}

// issue returns the chain in PEM and its key for a number.
func (a *numberAuthority) issue(t *testing.T, number string) (chain []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	ext, err := stir.TNAuthList{Ranges: []stir.Range{{Start: number, Count: 1}}}.Extension()
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: number}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtraExtensions: []pkix.Extension{ext}}, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key
}

// Calls to the network are signed with the tenant's certificate; calls from it must prove their number, where a tenant wants that.
func TestCallersAreProved(t *testing.T) {
	t.Parallel()
	ca, numbers := siptest.NewAuthority(t), newNumberAuthority(t)
	ours, ourKey := numbers.issue(t, "4940987654")
	theirs, theirKey := numbers.issue(t, "4989765")
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(map[string][]byte{"/ours.pem": ours, "/theirs.pem": theirs}[r.URL.Path])
	}))
	web.TLS = &tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "localhost")}}
	web.StartTLS()
	defer web.Close()
	at, err := url.Parse(web.URL)
	require.NoError(t, err)
	site := "https://localhost:" + at.Port()

	net := startCarrier(t, ca, 1400, 0)
	certFile, keyFile, caFile := pemFiles(t, ca, ca.IssueClient(time.Time{}, "us.test"))
	dir := t.TempDir()
	write := func(name, kind string, b []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if kind != "" {
			b = pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b})
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(ourKey)
	require.NoError(t, err)
	roots := write("numbers.pem", "CERTIFICATE", numbers.cert.Raw)
	w := startWorld(t, func(c *config) {
		c.Carriers = &carriersConfig{Domain: "voice.localhost", Country: "49",
			Carriers: []carrierConfig{{Name: "one", Domain: net.addr, Authorities: caFile, Certificate: certFile, Key: keyFile, ClientNames: []string{"carrier.test"}, Trusted: true}},
			Identity: &identityConfig{Authorities: roots, Hosts: []string{"localhost"}, WebRoots: caFile, Private: []string{"127.0.0.0/8", "::1/128"}, Ports: []string{at.Port()}}}
		c.Toll = &tollConfig{Prices: map[string]float64{"national": 0}}
		c.Tenants[0].Numbers = append(c.Tenants[0].Numbers, numberConfig{Number: "+4940987654", Flow: "reference"})
		limits := limitsConfig{Classes: []string{"national"}, MaxCalls: 2, PerMinute: 10, PerHour: 10, PerDay: 10}
		c.Tenants[0].Outbound = &outboundConfig{From: "+4940987654", Day: limits, Night: &limits}
		c.Tenants[0].Identity = &tenantIdentity{Certificate: write("ours.pem", "", ours), Key: write("ours.key", "PRIVATE KEY", keyDER), URL: site + "/ours.pem", Require: "A"}
	})
	phone := w.phone("acme", "1009", nil)
	c := w.dial(phone, "030123456")
	pool := x509.NewCertPool()
	pool.AddCert(numbers.cert)
	fetch, err := stir.NewHTTPS(stir.HTTPSConfig{Roots: ca.Pool(), Ports: []string{at.Port()}, Private: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}})
	require.NoError(t, err)
	verifier, err := stir.NewVerifier(stir.Config{Roots: pool, Certificates: fetch, Hosts: []string{"localhost"}})
	require.NoError(t, err)
	r := verifier.Verify(soon(t), time.Now(), stir.Request{Identity: net.first.Header("Identity"), Orig: "+4940987654", Dest: "+4930123456", CallID: "x"})
	require.NoError(t, r.Err)
	require.Equal(t, stir.Passed, r.Verstat)
	require.Equal(t, stir.Full, r.Level)
	c.hangup()

	signer, err := stir.NewSigner(stir.SignerConfig{Key: theirKey, Chain: theirs, URL: site + "/theirs.pem", Owns: func(n string) bool { return n == "4989765" }})
	require.NoError(t, err)
	call := func(from string, headers ...sip.Header) error {
		t.Helper()
		client, err := sip.ClientTLS(&tls.Config{Certificates: []tls.Certificate{ca.IssueClient(time.Time{}, "carrier.test")}}, w.roots)
		require.NoError(t, err)
		ep, err := sip.New(sip.Config{Client: client})
		require.NoError(t, err)
		defer ep.Close()
		leg, err := phone.newLeg()
		require.NoError(t, err)
		defer leg.leg.Close()
		headers = append(headers, sip.Header{Name: "P-Asserted-Identity", Value: "<sip:" + from + "@carrier.test>"})
		_, err = ep.Dial(soon(t), sip.DialConfig{Target: "sip:+4940987654@acme.localhost", Address: w.node.sipAddr, From: "sip:" + from + "@carrier.test", Headers: headers}, leg.leg)
		return err
	}
	signed := func() sip.Header {
		v, err := signer.Sign(time.Now(), stir.Call{Orig: "4989765", Dest: "4940987654", Authenticated: true})
		require.NoError(t, err)
		return sip.Header{Name: "Identity", Value: v}
	}
	require.NoError(t, call("+4989765", signed()))
	require.ErrorContains(t, call("+4989765"), "428", "nothing proves the number")
	require.ErrorContains(t, call("+4989766", signed()), "438", "the statement is about another number")
	eventually(t, "both refusals are events", func() bool { return len(w.find(named("refused"))) == 2 })
}
