package sip

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// TLSConfig is a checked TLS configuration. Only [ServerTLS] and [ClientTLS] make one, so whatever holds it is at or above the floor:
// TLS 1.2, AEAD suites with forward secrecy, certificates verified. The zero value is refused by everything that takes one.
type TLSConfig struct {
	cfg    *tls.Config
	server bool
	peer   func(tls.ConnectionState) (string, error) // see WithPeers
}

// ServerTLS checks and completes a configuration for listeners. base is cloned.
//
// base must have Certificates or GetCertificate. MinVersion zero becomes TLS 1.2; below that is ErrWeakTLS, as is a cipher suite without
// AEAD and forward secrecy, and a certificate with an RSA key below 2048 bits, an elliptic curve below 256 bits or a SHA-1 signature; what
// GetCertificate returns is checked in each handshake. One certificate per domain is chosen by server name (SNI) when several are given; see
// [Certificates] for files that are renewed. Client certificates are refused unless ClientCAs says who issues them; see [TLSConfig.WithPeers].
func ServerTLS(base *tls.Config) (TLSConfig, error) {
	if base == nil {
		return TLSConfig{}, fmt.Errorf("%w: no configuration", ErrWeakTLS)
	}
	if len(base.Certificates) == 0 && base.GetCertificate == nil {
		return TLSConfig{}, fmt.Errorf("%w: a server needs a certificate", ErrWeakTLS)
	}
	cfg, err := floor(base)
	if err != nil {
		return TLSConfig{}, err
	}
	for i := range cfg.Certificates {
		if err := strongChain(&cfg.Certificates[i]); err != nil {
			return TLSConfig{}, err
		}
	}
	if get := cfg.GetCertificate; get != nil {
		cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			cert, err := get(hello)
			if cert == nil || err != nil {
				return cert, err
			}
			return cert, strongChain(cert)
		}
	}
	if cfg.ClientAuth != tls.NoClientCert && cfg.ClientCAs == nil {
		return TLSConfig{}, fmt.Errorf("%w: client certificates of every public authority", ErrWeakTLS)
	}
	return TLSConfig{cfg: cfg, server: true}, nil
}

// ClientTLS checks and completes a configuration for connections of our own. roots are the authorities whose certificates are accepted;
// if nil, the system's. A base with InsecureSkipVerify is ErrWeakTLS: a server that does not prove its name is not talked to. A base with
// MinVersion tls.VersionTLS13 refuses servers that cannot do TLS 1.3. base may be nil.
func ClientTLS(base *tls.Config, roots *x509.CertPool) (TLSConfig, error) {
	if base == nil {
		base = &tls.Config{}
	}
	if base.InsecureSkipVerify {
		return TLSConfig{}, fmt.Errorf("%w: InsecureSkipVerify", ErrWeakTLS)
	}
	cfg, err := floor(base)
	if err != nil {
		return TLSConfig{}, err
	}
	if roots != nil {
		cfg.RootCAs = roots
	}
	return TLSConfig{cfg: cfg}, nil
}

// Config returns a copy for another kind of server or client, such as HTTPS beside SIP, so that one floor serves all. It returns nil for the zero value.
func (c TLSConfig) Config() *tls.Config {
	if c.cfg == nil {
		return nil
	}
	return c.cfg.Clone()
}

func floor(base *tls.Config) (*tls.Config, error) {
	cfg := base.Clone()
	if cfg.MinVersion == 0 {
		cfg.MinVersion = tls.VersionTLS12
	}
	if cfg.MinVersion < tls.VersionTLS12 {
		return nil, fmt.Errorf("%w: minimum version %s", ErrWeakTLS, tls.VersionName(cfg.MinVersion))
	}
	if cfg.MaxVersion != 0 && cfg.MaxVersion < cfg.MinVersion {
		return nil, fmt.Errorf("%w: maximum version below minimum", ErrWeakTLS)
	}
	if cfg.CipherSuites == nil {
		cfg.CipherSuites = aeadSuites()
	}
	for _, s := range cfg.CipherSuites {
		if !slices.Contains(aeadSuites(), s) {
			return nil, fmt.Errorf("%w: suite %s", ErrWeakTLS, tls.CipherSuiteName(s))
		}
	}
	if cfg.Renegotiation != tls.RenegotiateNever {
		return nil, fmt.Errorf("%w: renegotiation", ErrWeakTLS)
	}
	if cfg.KeyLogWriter != nil {
		return nil, fmt.Errorf("%w: a key log writes every session key to a file", ErrWeakTLS)
	}
	if cfg.GetConfigForClient != nil {
		return nil, fmt.Errorf("%w: GetConfigForClient would replace what was checked", ErrWeakTLS)
	}
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(cs tls.ConnectionState) error { // called for resumed sessions too
		for _, c := range cs.PeerCertificates {
			if err := strong(c); err != nil {
				return err
			}
		}
		if verify != nil {
			return verify(cs)
		}
		return nil
	}
	return cfg, nil
}

// strong refuses keys and signatures that can be broken (RFC 9325 section 4.5). crypto/tls has a floor of its own, of RSA 1024.
func strong(c *x509.Certificate) error {
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n < 2048 {
			return fmt.Errorf("%w: RSA key of %d bits", ErrWeakTLS, n)
		}
	case *ecdsa.PublicKey:
		if n := k.Curve.Params().BitSize; n < 256 {
			return fmt.Errorf("%w: elliptic curve of %d bits", ErrWeakTLS, n)
		}
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("%w: key of type %T", ErrWeakTLS, k)
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.DSAWithSHA256, x509.ECDSAWithSHA1:
		if !bytes.Equal(c.RawIssuer, c.RawSubject) { // nobody relies on what a root says of itself
			return fmt.Errorf("%w: signature %s", ErrWeakTLS, c.SignatureAlgorithm)
		}
	}
	return nil
}

// strongChain is strong for a certificate of ours and those sent with it.
func strongChain(c *tls.Certificate) error {
	if len(c.Certificate) == 0 {
		return fmt.Errorf("%w: an empty certificate", ErrWeakTLS)
	}
	for i, der := range c.Certificate {
		x := c.Leaf
		if i > 0 || x == nil {
			var err error
			if x, err = x509.ParseCertificate(der); err != nil {
				return fmt.Errorf("sip: certificate: %w", err)
			}
		}
		if err := strong(x); err != nil {
			return err
		}
	}
	return nil
}

// PeersConfig says which client certificates are accepted and whom they name: the border to whoever knows trunks and devices.
type PeersConfig struct {
	// Authorities issue the certificates. Required: with the system's roots, everybody could have one.
	Authorities *x509.CertPool
	// Name says who the verified certificate stands for; an error refuses the connection. Required. It is called once for each connection, after
	// the handshake, concurrently, and must not block: revocation belongs here as a look-up.
	Name func(state tls.ConnectionState) (string, error)
	// Optional admits clients without a certificate too, who then prove themselves by digest. If false, they are refused.
	Optional bool
}

// WithPeers returns a copy of c that asks clients for a certificate (mutual TLS). c must have been made by ServerTLS.
func (c TLSConfig) WithPeers(pc PeersConfig) (TLSConfig, error) {
	if err := c.forServer(); err != nil {
		return TLSConfig{}, err
	}
	if pc.Authorities == nil || pc.Name == nil {
		return TLSConfig{}, errors.New("sip: PeersConfig needs Authorities and Name")
	}
	c.cfg = c.cfg.Clone()
	c.cfg.ClientCAs, c.cfg.ClientAuth, c.peer = pc.Authorities, tls.RequireAndVerifyClientCert, pc.Name
	if pc.Optional {
		c.cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

func (c TLSConfig) forServer() error {
	if c.cfg == nil || !c.server {
		return errors.New("sip: a listener needs a TLSConfig made by ServerTLS")
	}
	return nil
}

// canonicalHost lower-cases a host and drops a trailing dot, so that names compare as DNS compares them.
func canonicalHost(h string) string { return strings.TrimSuffix(strings.ToLower(h), ".") }
