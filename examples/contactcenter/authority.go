package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// The demo's own certificate authority: made on the first start, its certificate is ca.pem in the data folder, for phones to trust.

const (
	authorityLife   = 10 * 365 * 24 * time.Hour
	certificateLife = 90 * 24 * time.Hour
)

// serverTLS is what all listeners present: the operator's certificates, by server name and read again when they change, or else one of the demo's authority.
func serverTLS(c *config, log *slog.Logger) (sip.TLSConfig, error) {
	files := certificateFiles(c)
	if len(files) == 0 {
		cert, err := demoCertificate(c, time.Now())
		if err != nil {
			return sip.TLSConfig{}, err
		}
		return sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}})
	}
	certs, err := sip.NewCertificates(sip.CertificatesConfig{
		Files: files, Nameless: files[0].Domains[0],
		OnReload: func(domain string, err error) {
			if err != nil {
				log.Error("new certificate not used; the old one stays", "domain", domain, "err", err)
				return
			}
			log.Info("new certificate", "domain", domain)
		},
		OnExpiring: func(domain string, notAfter time.Time) {
			log.Warn("certificate ends", "domain", domain, "until", notAfter)
		},
	})
	if err != nil {
		return sip.TLSConfig{}, fmt.Errorf("tls: %w", err)
	}
	return sip.ServerTLS(&tls.Config{GetCertificate: certs.GetCertificate})
}

// certificateFiles are the operator's: each tenant's for its domains, and the node's for those of tenants without one.
func certificateFiles(c *config) []sip.CertificateFile {
	var out []sip.CertificateFile
	var rest []string
	for _, t := range c.Tenants {
		domains := append([]string{t.Domain}, t.Aliases...)
		if t.TLS != nil {
			out = append(out, sip.CertificateFile{Domains: domains, Certificate: t.TLS.Certificate, Key: t.TLS.Key})
			continue
		}
		rest = append(rest, domains...)
	}
	if c.TLS != nil && len(rest) > 0 {
		out = append(out, sip.CertificateFile{Domains: rest, Certificate: c.TLS.Certificate, Key: c.TLS.Key})
	}
	return out
}

// demoCertificate is one of the demo's authority, for all names, made anew at each start.
func demoCertificate(c *config, now time.Time) (tls.Certificate, error) {
	ca, key, err := openAuthority(filepath.Join(c.Data, "tls"), now)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("authority: %w", err)
	}
	names := []string{"localhost"}
	for _, t := range c.Tenants {
		names = append(names, t.Domain)
		names = append(names, t.Aliases...)
	}
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, addr := range []string{c.Listen.SIPTLS, c.Listen.WSS, c.Listen.Management} {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
				ips = append(ips, ip)
			}
		}
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: c.Tenants[0].Domain}, DNSNames: names, IPAddresses: ips,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, &own.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, ca.Raw}, PrivateKey: own}, nil
}

// openAuthority reads the authority in dir, or makes it.
func openAuthority(dir string, now time.Time) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	cert, key, err := readAuthority(certPath, keyPath)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return cert, key, err
	}
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ringfence demo authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	// The key first: a crash between the two leaves no certificate, and the next start makes both again.
	if err := os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		return nil, nil, err
	}
	return readAuthority(certPath, keyPath)
}

func readAuthority(certPath, keyPath string) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	certPEM, err := os.ReadFile(certPath)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, nil, err
	}
	cb, _ := pem.Decode(certPEM)
	kb, _ := pem.Decode(keyPEM)
	if cb == nil || kb == nil {
		return nil, nil, fmt.Errorf("%s or %s is no PEM file", certPath, keyPath)
	}
	cert, err := x509.ParseCertificate(cb.Bytes)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(kb.Bytes)
	if err != nil {
		return nil, nil, err
	}
	return cert, key, nil
}
