package sip

import (
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
}

// ServerTLS checks and completes a configuration for listeners. base is cloned.
//
// base must have Certificates or GetCertificate. MinVersion zero becomes TLS 1.2; below that is ErrWeakTLS, as is a cipher suite without
// AEAD and forward secrecy. One certificate per domain is chosen by server name (SNI) when several are given.
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
	return TLSConfig{cfg: cfg, server: true}, nil
}

// ClientTLS checks and completes a configuration for connections of our own. roots are the authorities whose certificates are accepted;
// if nil, the system's. A base with InsecureSkipVerify is ErrWeakTLS: a server that does not prove its name is not talked to. base may be nil.
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
	return cfg, nil
}

func (c TLSConfig) forServer() (*tls.Config, error) {
	if c.cfg == nil || !c.server {
		return nil, errors.New("sip: a listener needs a TLSConfig made by ServerTLS")
	}
	return c.cfg, nil
}

// canonicalHost lower-cases a host and drops a trailing dot, so that names compare as DNS compares them.
func canonicalHost(h string) string { return strings.TrimSuffix(strings.ToLower(h), ".") }
