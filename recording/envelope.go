package recording

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The envelope holds the recording's key, wrapped once for the Vault and once for each recipient. It lies in the catalog's row and nowhere else.
const (
	envelopeMagic = "RFEV"
	envelopeHead  = 8 // magic, version, reserved, count
	macBytes      = sha256.Size

	// MaxRecipients is how many recipients a recording's key can be wrapped for, besides the Vault itself.
	MaxRecipients = 16

	maxStanza   = 66_000 // bytes of a wrapped key: whatever a KeyWrapper makes of 32 bytes
	maxEnvelope = envelopeHead + (MaxRecipients+1)*(10+maxName+maxStanza) + macBytes
)

// stanza is the key wrapped for one reader.
type stanza struct {
	suite   Suite
	name    string // the recipient's; empty for the Vault
	wrapped []byte
}

// envelope is a list of stanzas: the Vault's first, then the recipients' by name. There is one spelling.
type envelope struct {
	stanzas []stanza
	mac     [macBytes]byte // under a key of the recording's: only who has the key can add or remove a reader
}

var errEnvelope = errors.New("malformed envelope")

func isEnvelope(b []byte) bool { return bytes.HasPrefix(b, []byte(envelopeMagic)) }

// body encodes everything but the MAC.
func (e envelope) body() []byte {
	b := append([]byte(envelopeMagic), version2, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(e.stanzas)))
	for _, s := range e.stanzas {
		b = binary.BigEndian.AppendUint16(b, uint16(s.suite))
		b = appendString(b, s.name)
		b = appendString(b, string(s.wrapped))
	}
	return b
}

func (e envelope) encode() []byte { return append(e.body(), e.mac[:]...) }

// parseEnvelope accepts only what encode writes. Who wrote it is not known before check.
func parseEnvelope(b []byte) (envelope, error) {
	if len(b) < envelopeHead+macBytes || len(b) > maxEnvelope || !isEnvelope(b) || b[4] != version2 || b[5] != 0 {
		return envelope{}, errEnvelope
	}
	var e envelope
	n := int(binary.BigEndian.Uint16(b[6:]))
	if n == 0 || n > MaxRecipients+1 {
		return envelope{}, errEnvelope
	}
	copy(e.mac[:], b[len(b)-macBytes:])
	rest := b[envelopeHead : len(b)-macBytes]
	for i := range n {
		if len(rest) < 2 {
			return envelope{}, errEnvelope
		}
		s := stanza{suite: Suite(binary.BigEndian.Uint16(rest))}
		var ok, ok2 bool
		if s.name, rest, ok = cutString(rest[2:], maxName); ok {
			s.wrapped, rest, ok2 = cutBytes(rest, maxStanza)
		}
		if !ok || !ok2 || len(s.wrapped) == 0 || (s.suite == SuiteWrapped) != (i == 0) || (i == 0) != (s.name == "") {
			return envelope{}, errEnvelope
		}
		if i > 0 && (!validName(s.name) || s.name <= e.stanzas[i-1].name) {
			return envelope{}, errEnvelope
		}
		e.stanzas = append(e.stanzas, s)
	}
	if len(rest) > 0 {
		return envelope{}, errEnvelope
	}
	return e, nil
}

// sign sets the MAC.
func (e *envelope) sign(k *dek, b binding) error {
	mac, err := e.computeMAC(k, b)
	e.mac = mac
	return err
}

// check returns ErrKey unless whoever made this list of readers had the key.
func (e envelope) check(k *dek, b binding) error {
	mac, err := e.computeMAC(k, b)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(mac[:], e.mac[:]) != 1 {
		return fmt.Errorf("%w: %s: the list of recipients was altered", ErrKey, b.id)
	}
	return nil
}

func (e envelope) computeMAC(k *dek, b binding) (out [macBytes]byte, err error) {
	key, err := hkdf.Key(sha256.New, k.key[:], nil, string(b.bytes("envelope")), keyBytes)
	if err != nil {
		return out, fmt.Errorf("recording: %w", err)
	}
	defer clear(key)
	h := hmac.New(sha256.New, key)
	h.Write(e.body())
	h.Sum(out[:0])
	return out, nil
}

// seal wraps a recording's key for the Vault and the recipients.
func sealEnvelope(ctx context.Context, k *dek, keys KeyWrapper, to []Recipient, b binding) ([]byte, error) {
	wrapped, err := keys.WrapKey(ctx, k.key[:], b.bytes("key"))
	if err != nil {
		return nil, fmt.Errorf("recording: wrap key: %w", err)
	}
	e := envelope{stanzas: []stanza{{suite: SuiteWrapped, wrapped: wrapped}}}
	for _, r := range to {
		s, err := r.wrap(k, b)
		if err != nil {
			return nil, err
		}
		e.stanzas = append(e.stanzas, s)
	}
	return e.finish(k, b)
}

// finish orders and signs an envelope. What it returns parses.
func (e envelope) finish(k *dek, b binding) ([]byte, error) {
	slices.SortFunc(e.stanzas, func(a, b stanza) int { return strings.Compare(a.name, b.name) })
	if err := e.sign(k, b); err != nil {
		return nil, err
	}
	out := e.encode()
	if _, err := parseEnvelope(out); err != nil {
		return nil, fmt.Errorf("%w: recipients: a name twice, more than %d, or a wrapped key over %d bytes", ErrInvalid, MaxRecipients, maxStanza)
	}
	return out, nil
}
