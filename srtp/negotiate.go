package srtp

import (
	"errors"
	"fmt"
)

// Offer makes one attribute with a fresh key for each suite of the policy, best first, tagged from 1.
func (p Policy) Offer() ([]Crypto, error) {
	suites, err := p.resolved()
	if err != nil {
		return nil, err
	}
	offer := make([]Crypto, len(suites))
	for i, s := range suites {
		offer[i] = Crypto{Tag: i + 1, Suite: s, Keys: []InlineKey{{Key: randomKey(s.KeyLen())}}}
	}
	return offer, nil
}

// Answer picks one of the peer's offered attribute values and makes ours for the other direction with the same tag and a fresh key.
// The order of the policy decides, not the order of the peer, so that a peer that lists a weak suite first does not get it.
// Values that cannot be used are passed over (RFC 4568 section 5.1.2); if none can be used, the error wraps ErrNoCommonSuite and the
// reason of every value. With no value at all the error is ErrNoCrypto.
func (p Policy) Answer(offer []string) (local, remote Crypto, err error) {
	suites, err := p.resolved()
	if err != nil {
		return Crypto{}, Crypto{}, err
	}
	if len(offer) == 0 {
		return Crypto{}, Crypto{}, ErrNoCrypto
	}
	if len(offer) > maxCryptoLines {
		offer = offer[:maxCryptoLines]
	}
	parsed, reasons := parseAll(offer)
	for _, s := range suites {
		for _, c := range parsed {
			if c.Suite == s {
				return Crypto{Tag: c.Tag, Suite: s, Keys: []InlineKey{{Key: randomKey(s.KeyLen())}}}, c, nil
			}
		}
	}
	return Crypto{}, Crypto{}, fmt.Errorf("%w: %w", ErrNoCommonSuite, errors.Join(append(reasons, errors.New("srtp: nothing left of the policy"))...))
}

// parseAll returns the usable attributes. A tag that appears twice makes its later attributes unusable: an answer could not tell
// them apart.
func parseAll(values []string) (ok []Crypto, reasons []error) {
	seen := make(map[int]bool, len(values))
	for _, v := range values {
		c, err := ParseCrypto(v)
		if err == nil && seen[c.Tag] {
			err = malformed("tag %d used twice", c.Tag)
		}
		if err != nil {
			reasons = append(reasons, err)
			continue
		}
		seen[c.Tag] = true
		ok = append(ok, c)
	}
	return ok, reasons
}

// Accept finds what the peer's answer chose from what we offered: local is the offered attribute whose tag the answer repeats, remote the
// answer's own. The answer must hold exactly one attribute with an offered tag and that tag's suite (RFC 4568 section 5.1.3);
// otherwise the error is ErrNoCrypto or wraps ErrTagMismatch.
func (p Policy) Accept(offered []Crypto, answer []string) (local, remote Crypto, err error) {
	if err := p.Validate(); err != nil {
		return Crypto{}, Crypto{}, err
	}
	if len(answer) == 0 {
		return Crypto{}, Crypto{}, ErrNoCrypto
	}
	if len(answer) > 1 {
		return Crypto{}, Crypto{}, fmt.Errorf("%w: %d attributes", ErrTagMismatch, len(answer))
	}
	remote, err = ParseCrypto(answer[0])
	if err != nil {
		return Crypto{}, Crypto{}, err
	}
	for _, c := range offered {
		if c.Tag != remote.Tag {
			continue
		}
		if c.Suite != remote.Suite {
			return Crypto{}, Crypto{}, fmt.Errorf("%w: tag %d was offered as %s", ErrTagMismatch, c.Tag, c.Suite)
		}
		// One key for both directions would be a two-time pad as soon as the SSRCs collide; an echoing peer is broken or hostile.
		for _, k := range remote.Keys {
			if k.Key.Equal(c.Keys[0].Key) {
				return Crypto{}, Crypto{}, ErrKeyReflected
			}
		}
		return c, remote, nil
	}
	return Crypto{}, Crypto{}, fmt.Errorf("%w: tag %d", ErrTagMismatch, remote.Tag)
}
