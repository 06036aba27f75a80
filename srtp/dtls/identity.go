package dtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"time"
)

// Identity is a certificate with its private key, one for each tenant. It prints as its fingerprint, never as its key. It does not change and is safe
// for concurrent use.
type Identity struct {
	cert func() *tls.Certificate // behind a function, where no printer looks
}

// identityValidity is how long a made certificate says it is good. Peers go by the fingerprint; some refuse a certificate without sensible dates.
const identityValidity = 365 * 24 * time.Hour

// minRSA is the least size of an RSA key, in bits.
const minRSA = 2048

// NewIdentity makes an ECDSA P-256 key and a certificate signed by itself, valid for a year from now on. It names nobody: the description
// that carries its fingerprint does. The error is from the system.
func NewIdentity(now time.Time) (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("dtls: making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("dtls: making a serial number: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "anonymous"},
		NotBefore:    now.Add(-24 * time.Hour), // clocks of phones differ
		NotAfter:     now.Add(identityValidity),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("dtls: signing a certificate: %w", err)
	}
	return IdentityFrom(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
}

// IdentityFrom takes over a certificate of the operator's: ECDSA P-256 or P-384, or RSA of at least 2048 bits, with its private key. The error
// is ErrIdentity.
func IdentityFrom(cert tls.Certificate) (*Identity, error) {
	if len(cert.Certificate) == 0 || len(cert.Certificate[0]) == 0 {
		return nil, fmt.Errorf("%w: no certificate", ErrIdentity)
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIdentity, err)
	}
	signer, ok := cert.PrivateKey.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: no private key", ErrIdentity)
	}
	switch pub := signer.Public().(type) {
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() && pub.Curve != elliptic.P384() {
			return nil, fmt.Errorf("%w: curve", ErrIdentity)
		}
		ok = pub.Equal(leaf.PublicKey)
	case *rsa.PublicKey:
		if pub.N.BitLen() < minRSA {
			return nil, fmt.Errorf("%w: RSA key under %d bits", ErrIdentity, minRSA)
		}
		ok = pub.Equal(leaf.PublicKey)
	default:
		return nil, fmt.Errorf("%w: kind of key", ErrIdentity)
	}
	if !ok {
		return nil, fmt.Errorf("%w: the key is not the certificate's", ErrIdentity)
	}
	return &Identity{cert: func() *tls.Certificate { return &cert }}, nil
}

// Fingerprint returns the SHA-256 fingerprint for our description.
func (i *Identity) Fingerprint() Fingerprint {
	return FingerprintOf(HashSHA256, i.cert().Certificate[0])
}

// String returns the fingerprint.
func (i *Identity) String() string {
	if i == nil || i.cert == nil {
		return "no identity"
	}
	return i.Fingerprint().String()
}

// GoString returns the same as String.
func (i *Identity) GoString() string { return i.String() }

// Format writes the same as String for every verb.
func (i *Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, i.String()) }

// LogValue returns the same as String.
func (i *Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }

// MarshalText returns the same as String.
func (i *Identity) MarshalText() ([]byte, error) { return []byte(i.String()), nil }
