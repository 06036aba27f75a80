package stir

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrCertificate is returned for a certificate that may not sign: of the wrong kind, expired, for other numbers, or of nobody we trust.
var ErrCertificate = errors.New("stir: certificate")

const maxChain = 6

// parseChain reads certificates in PEM, leaf first, or one in DER.
func parseChain(b []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	if block, _ := pem.Decode(b); block == nil {
		c, err := x509.ParseCertificate(b)
		if err != nil {
			return nil, fmt.Errorf("%w: neither PEM nor DER", ErrCertificate)
		}
		return []*x509.Certificate{c}, nil
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil || len(chain) == maxChain {
			return nil, fmt.Errorf("%w: chain", ErrCertificate)
		}
		chain = append(chain, c)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("%w: chain is empty", ErrCertificate)
	}
	return chain, nil
}

// credential is a leaf that was verified, and for how long that holds.
type credential struct {
	key           *ecdsa.PublicKey
	list          TNAuthList
	subject       string
	after, before time.Time // of the whole chain
}

func (c *credential) at(now time.Time) bool { return !now.Before(c.after) && !now.After(c.before) }

// leafCredential checks what a leaf must be by itself (RFC 8226 sections 4 and 9).
func leafCredential(leaf *x509.Certificate) (*credential, error) {
	key, ok := leaf.PublicKey.(*ecdsa.PublicKey)
	switch {
	case !ok || key.Curve != elliptic.P256():
		return nil, fmt.Errorf("%w: not a key of P-256", ErrCertificate)
	case leaf.IsCA:
		return nil, fmt.Errorf("%w: of an authority", ErrCertificate)
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("%w: not for signatures", ErrCertificate)
	}
	list, ok, err := listOf(leaf)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: no TNAuthList", ErrCertificate)
	}
	return &credential{key: key, list: list, subject: leaf.Subject.CommonName, after: leaf.NotBefore, before: leaf.NotAfter}, nil
}

// verifyChain checks a chain against roots at a time.
func verifyChain(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) (*credential, error) {
	cred, err := leafCredential(chain[0])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	for _, c := range chain {
		for _, e := range c.Extensions {
			if constraint(e.Id) {
				return nil, fmt.Errorf("%w: constraints that are not understood", ErrCertificate)
			}
		}
		// The library does not know the extension; we do.
		c.UnhandledCriticalExtensions = slices.DeleteFunc(c.UnhandledCriticalExtensions, oidTNAuthList().Equal)
		if c != chain[0] {
			pool.AddCert(c)
		}
	}
	paths, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrCertificate, err)
	}
	for _, path := range paths {
		if !enclosed(path) {
			continue
		}
		for _, c := range path {
			if c.NotBefore.After(cred.after) {
				cred.after = c.NotBefore
			}
			if c.NotAfter.Before(cred.before) {
				cred.before = c.NotAfter
			}
		}
		return cred, nil
	}
	return nil, fmt.Errorf("%w: for more numbers than its authority", ErrCertificate)
}

// enclosed reports whether no certificate of a path is for more numbers than the one above it (RFC 9060 section 4).
func enclosed(path []*x509.Certificate) bool {
	below, _, err := listOf(path[0])
	if err != nil {
		return false
	}
	for _, c := range path[1:] {
		list, ok, err := listOf(c)
		if err != nil || ok && !list.encloses(below) {
			return false
		}
		if ok {
			below = list
		}
	}
	return true
}
