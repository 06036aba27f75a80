package stir

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"time"
)

// SignerConfig describes a Signer. It is copied by NewSigner.
type SignerConfig struct {
	// Key signs. It is of P-256, and may be one of a hardware module; it is called concurrently. Required.
	Key crypto.Signer
	// Chain is the certificate of Key and those above it, in PEM, leaf first. Required.
	Chain []byte
	// URL is where others fetch Chain, https. Required.
	URL string
	// Owns reports whether a canonical number is the tenant's own, so that its authenticated callers get level A. It is called concurrently. If nil,
	// no number is.
	Owns func(number string) bool
	// OrigID is the UUID that names where calls come from (RFC 8588 section 4). If empty, each call has a random one.
	OrigID string
	// Plan is how numbers without + are meant. If zero, they have a country code.
	Plan Plan
}

// Call is what is signed.
type Call struct {
	Orig string // who calls: the number of From or P-Asserted-Identity
	Dest string // who is called: the number of To
	// Authenticated says that the caller proved to be a user of the tenant. If false, the call came through a gateway, and its level is C.
	Authenticated bool
}

// Signer signs calls of one tenant. NewSigner makes one. It is safe for concurrent use.
type Signer struct {
	cfg  SignerConfig
	cred *credential
}

// NewSigner checks that key, certificate and address fit together.
func NewSigner(cfg SignerConfig) (*Signer, error) {
	if cfg.Key == nil {
		return nil, errors.New("stir: SignerConfig.Key is required")
	}
	if _, err := checkURL(cfg.URL); err != nil {
		return nil, fmt.Errorf("stir: SignerConfig.URL: %w", err)
	}
	if cfg.OrigID != "" && !isUUID(cfg.OrigID) {
		return nil, errors.New("stir: SignerConfig.OrigID: want a UUID")
	}
	chain, err := parseChain(cfg.Chain)
	if err != nil {
		return nil, err
	}
	cred, err := leafCredential(chain[0])
	if err != nil {
		return nil, err
	}
	if pub, ok := cfg.Key.Public().(*ecdsa.PublicKey); !ok || !pub.Equal(cred.key) {
		return nil, fmt.Errorf("%w: not of this key", ErrCertificate)
	}
	if cfg.Owns == nil {
		cfg.Owns = func(string) bool { return false }
	}
	cfg.Chain = nil
	return &Signer{cfg, cred}, nil
}

// Attest is the rule of levels (RFC 8588 section 4): A for a known caller with a number of the tenant's own, B for a known caller with another one, C for
// everybody else. A number that a stranger claims earns nothing by being ours.
func Attest(authenticated, owns bool) Level {
	switch {
	case authenticated && owns:
		return Full
	case authenticated:
		return Partial
	}
	return Gateway
}

// Sign returns the value of the Identity header for a call. ErrNumber for numbers that are none, ErrCertificate when the certificate has expired or
// is not for the number: such a token would be refused by everybody, and would say that we sign what we may not.
func (s *Signer) Sign(now time.Time, c Call) (string, error) {
	orig, err := s.cfg.Plan.Canonical(c.Orig)
	if err != nil {
		return "", err
	}
	dest, err := s.cfg.Plan.Canonical(c.Dest)
	if err != nil {
		return "", err
	}
	if !s.cred.at(now) {
		return "", fmt.Errorf("%w: not valid now", ErrCertificate)
	}
	if len(s.cred.list.SPC) == 0 && !s.cred.list.Covers(orig) {
		return "", fmt.Errorf("%w: not for this number", ErrCertificate)
	}
	id := s.cfg.OrigID
	if id == "" {
		id = newUUID()
	}
	claims := Claims{Attest: Attest(c.Authenticated, s.cfg.Owns(orig)), Dest: []string{dest}, IAT: now, Orig: orig, OrigID: id}
	input, err := signingInput(s.cfg.URL, claims)
	if err != nil {
		return "", err
	}
	sig, err := sign(s.cfg.Key, input)
	if err != nil {
		return "", err
	}
	return identity{token: input + "." + b64.EncodeToString(sig), info: s.cfg.URL, alg: "ES256", ppt: "shaken"}.String(), nil
}
