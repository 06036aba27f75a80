package recording

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const maxName = 64

// validName reports whether name can name a recipient: it stands in the catalog in the clear.
func validName(name string) bool { return len(name) <= maxName && idRule.MatchString(name) }

// Recipient is somebody outside for whom the keys of recordings are wrapped too, such as the customer or an auditor: the public half of an Identity.
// It can be shown to anyone. The zero Recipient is none.
type Recipient struct {
	name  string
	suite Suite
	key   hpke.PublicKey
}

// Identity is the private key of a recipient. Whoever has it opens what was wrapped for it, so it cannot be printed, logged or marshalled; ExportSecret is
// the one way out. Safe for concurrent use.
type Identity struct {
	suite Suite
	key   hpke.PrivateKey
}

// kem returns the key encapsulation of a suite for recipients.
func (s Suite) kem() (hpke.KEM, error) {
	switch s {
	case SuiteX25519:
		return hpke.DHKEM(ecdh.X25519()), nil
	case SuiteMLKEM768X25519:
		return hpke.MLKEM768X25519(), nil
	}
	return nil, fmt.Errorf("%w: %s is no suite for recipients", ErrRecipient, s)
}

// NewIdentity makes a key pair. SuiteMLKEM768X25519 is the one to take; SuiteX25519 is for recipients whose tools have no other.
// ErrRecipient for a suite that is not for recipients.
func NewIdentity(s Suite) (*Identity, error) {
	kem, err := s.kem()
	if err != nil {
		return nil, err
	}
	key, err := kem.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return &Identity{suite: s, key: key}, nil
}

// Recipient returns the public half under the name that stands in the catalog: letters, digits, dot, hyphen and underscore, at most 64.
// ErrRecipient for another name.
func (i *Identity) Recipient(name string) (Recipient, error) {
	if !validName(name) {
		return Recipient{}, fmt.Errorf("%w: name", ErrRecipient)
	}
	return Recipient{name: name, suite: i.suite, key: i.key.PublicKey()}, nil
}

// Keys as text are kind:suite:base64url:checksum, the checksum being the first four bytes of SHA-256 over everything before its colon.
const (
	publicKind = "ringfence-public"
	secretKind = "RINGFENCE-SECRET"
)

func keyText(kind string, s Suite, raw []byte) string {
	text := kind + ":" + s.String() + ":" + base64.RawURLEncoding.EncodeToString(raw)
	return text + ":" + checksum(text)
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}

// parseKeyText says what is wrong with a key in words for whoever pasted it; never what it was.
func parseKeyText(kind, text string) (Suite, []byte, error) {
	bad := func(reason string) (Suite, []byte, error) { return 0, nil, fmt.Errorf("%w: %s", ErrRecipient, reason) }
	text = strings.TrimSpace(text)
	parts := strings.Split(text, ":")
	switch {
	case len(parts) == 0 || (parts[0] != publicKind && parts[0] != secretKind):
		return bad("this is no key of a recipient")
	case parts[0] != kind && kind == publicKind:
		return bad("this is a secret key where a public one belongs; whoever has seen it can open recordings")
	case parts[0] != kind:
		return bad("this is a public key where a secret one belongs")
	case len(parts) != 4:
		return bad("the key is cut off or has more after it")
	case checksum(strings.Join(parts[:3], ":")) != parts[3]:
		return bad("the checksum does not match: mistyped or cut")
	}
	for _, s := range []Suite{SuiteX25519, SuiteMLKEM768X25519} {
		if s.String() != parts[1] {
			continue
		}
		raw, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
		if err != nil {
			return bad("the key is not base64url")
		}
		return s, raw, nil
	}
	return bad("a suite that this program does not know")
}

// ParseRecipient reads a public key as Text writes it, under a name as for Identity.Recipient. Space around it does not matter. The error wraps ErrRecipient
// and says what is wrong: no key, a secret key, cut off, mistyped, an unknown suite.
func ParseRecipient(name, text string) (Recipient, error) {
	if !validName(name) {
		return Recipient{}, fmt.Errorf("%w: name", ErrRecipient)
	}
	s, raw, err := parseKeyText(publicKind, text)
	if err != nil {
		return Recipient{}, err
	}
	kem, err := s.kem()
	if err != nil {
		return Recipient{}, err
	}
	key, err := kem.NewPublicKey(raw)
	if err != nil {
		return Recipient{}, fmt.Errorf("%w: not a public key of %s", ErrRecipient, s)
	}
	return Recipient{name: name, suite: s, key: key}, nil
}

// ParseIdentity reads a secret key as ExportSecret writes it, with the errors of ParseRecipient. No error repeats any of it.
func ParseIdentity(text string) (*Identity, error) {
	s, raw, err := parseKeyText(secretKind, text)
	if err != nil {
		return nil, err
	}
	defer clear(raw)
	kem, err := s.kem()
	if err != nil {
		return nil, err
	}
	key, err := kem.NewPrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: not a secret key of %s", ErrRecipient, s)
	}
	return &Identity{suite: s, key: key}, nil
}

// ExportSecret returns the private key as text: one line with a checksum. Keep it where the recordings are not.
func (i *Identity) ExportSecret() (string, error) {
	raw, err := i.key.Bytes()
	if err != nil {
		return "", fmt.Errorf("recording: %w", err)
	}
	defer clear(raw)
	return keyText(secretKind, i.suite, raw), nil
}

// Name returns what it is called in the catalog.
func (r Recipient) Name() string { return r.name }

// Suite returns what keys are wrapped with for it.
func (r Recipient) Suite() Suite { return r.suite }

// Text returns the public key as one line with a checksum; empty for the zero Recipient.
func (r Recipient) Text() string {
	if r.key == nil {
		return ""
	}
	return keyText(publicKind, r.suite, r.key.Bytes())
}

// String returns name and suite.
func (r Recipient) String() string { return r.name + " (" + r.suite.String() + ")" }

func (r Recipient) info(b binding) []byte { return recipientInfo(r.name, b) }

func recipientInfo(name string, b binding) []byte { return appendString(b.bytes("recipient"), name) }

// wrap makes the stanza of a recipient. Name and binding are in HPKE's info: a stanza opens under no other name and for no other recording.
func (r Recipient) wrap(k *dek, b binding) (stanza, error) {
	if r.key == nil {
		return stanza{}, fmt.Errorf("%w: the zero Recipient", ErrRecipient)
	}
	wrapped, err := hpke.Seal(r.key, hpke.HKDFSHA256(), hpke.AES256GCM(), r.info(b), k.key[:])
	if err != nil {
		return stanza{}, fmt.Errorf("recording: wrap key for %s: %w", r.name, err)
	}
	return stanza{suite: r.suite, name: r.name, wrapped: wrapped}, nil
}

var errNotForYou = errors.New("wrapped for others")

// unwrap opens the stanza that is meant for the identity, whatever its name.
func (i *Identity) unwrap(e envelope, b binding) (*dek, error) {
	for _, s := range e.stanzas {
		if s.suite != i.suite {
			continue
		}
		raw, err := hpke.Open(i.key, hpke.HKDFSHA256(), hpke.AES256GCM(), recipientInfo(s.name, b), s.wrapped)
		if err != nil || len(raw) != keyBytes {
			clear(raw)
			continue
		}
		k := new(dek)
		copy(k.key[:], raw)
		clear(raw)
		return k, nil
	}
	return nil, errNotForYou
}

const redacted = "[redacted]"

// String returns [redacted].
func (Identity) String() string { return redacted }

// GoString returns [redacted].
func (Identity) GoString() string { return redacted }

// Format writes [redacted] whatever the verb.
func (Identity) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalJSON returns "[redacted]".
func (Identity) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns [redacted].
func (Identity) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns [redacted].
func (Identity) LogValue() slog.Value { return slog.StringValue(redacted) }
