package srtp

import (
	"errors"
	"fmt"
	"math/big"
)

// Offer makes one attribute with a fresh key for each suite of the policy, best first, tagged from 1. The error is of Validate. Make one Offer for
// each call and each fork of it.
func (p Policy) Offer() ([]Crypto, error) {
	suites, err := p.resolved()
	if err != nil {
		return nil, err
	}
	offer := make([]Crypto, len(suites))
	for i, s := range suites {
		offer[i] = p.own(i+1, s, p.Announce.Lifetime, p.Announce.MKILength)
	}
	return offer, nil
}

// own makes an attribute of ours with one fresh key.
func (p Policy) own(tag int, s Suite, lifetime uint64, mkiLength int) Crypto {
	k := InlineKey{Key: randomKey(s.KeyLen()), Lifetime: lifetime}
	if mkiLength > 0 {
		k.MKI = make([]byte, mkiLength)
		k.MKI[mkiLength-1] = firstMKI
	}
	return Crypto{Tag: tag, Suite: s, Keys: []InlineKey{k}, Params: SessionParams{WSH: p.Announce.WSH}}
}

// Answer picks one of the peer's offered attribute values and makes ours for the other direction with the same tag and a fresh key.
// The order of the policy decides, not the order of the peer, so that a peer that lists a weak suite first does not get it.
// Values that cannot be used are passed over (RFC 4568 section 5.1.2); if none can be used, the error wraps ErrNoCommonSuite and the
// reason of every value. With no value at all the error is ErrNoCrypto.
//
// Lifetime and MKI are declarations about one direction's key, not an agreement (section 6.1). Ours still take the shape of the peer's: an MKI
// of the same length and a lifetime if it has them, because many peers can use both only in both directions.
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
	parsed, reasons := p.parseAll(offer)
	for _, s := range suites {
		for _, c := range parsed {
			if c.Suite == s {
				discard(parsed, c.Tag)
				return p.own(c.Tag, s, p.answerLifetime(c), len(c.Keys[0].MKI)), c, nil
			}
		}
	}
	discard(parsed, -1)
	return Crypto{}, Crypto{}, fmt.Errorf("%w: %w", ErrNoCommonSuite, errors.Join(append(reasons, errors.New("srtp: nothing left of the policy"))...))
}

// discard overwrites the keys nobody will use.
func discard(cs []Crypto, keep int) {
	for _, c := range cs {
		if c.Tag != keep {
			c.Zero()
		}
	}
}

func (p Policy) answerLifetime(offered Crypto) uint64 {
	if p.Announce.Lifetime != 0 {
		return p.Announce.Lifetime
	}
	for _, k := range offered.Keys {
		if k.Lifetime != 0 {
			return answeredLifetime
		}
	}
	return 0
}

// parseAll returns the usable attributes. A tag that appears twice makes its later attributes unusable: an answer could not tell
// them apart.
func (p Policy) parseAll(values []string) (ok []Crypto, reasons []error) {
	seen := make(map[int]bool, len(values))
	for _, v := range values {
		c, err := p.Params.ParseCrypto(v)
		if err == nil && seen[c.Tag] {
			err = malformed("tag %d used twice", c.Tag)
		}
		if err == nil {
			err = p.usable(c.Suite)
		}
		if err != nil {
			c.Zero()
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
// otherwise the error is ErrNoCrypto or wraps ErrTagMismatch. An answer that repeats one of our keys is ErrKeyReflected, one whose suite
// passed its date or floor since the offer ErrSunset or ErrBelowFloor.
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
	remote, err = p.Params.ParseCrypto(answer[0])
	if err != nil {
		return Crypto{}, Crypto{}, err
	}
	local, err = p.match(offered, remote)
	if err != nil {
		remote.Zero()
		return Crypto{}, Crypto{}, err
	}
	return local, remote, nil
}

func (p Policy) match(offered []Crypto, remote Crypto) (Crypto, error) {
	if err := p.usable(remote.Suite); err != nil {
		return Crypto{}, err
	}
	var local Crypto
	found := false
	for _, c := range offered {
		if c.Tag == remote.Tag {
			local, found = c, true
		}
		// One key for both directions would be a two-time pad as soon as the SSRCs collide; an echoing peer is broken or hostile.
		if c.sharesKey(remote) {
			return Crypto{}, ErrKeyReflected
		}
	}
	switch {
	case !found:
		return Crypto{}, fmt.Errorf("%w: tag %d", ErrTagMismatch, remote.Tag)
	case local.Suite != remote.Suite:
		return Crypto{}, fmt.Errorf("%w: tag %d was offered as %s", ErrTagMismatch, local.Tag, local.Suite)
	}
	return local, nil
}

func (c Crypto) sharesKey(o Crypto) bool {
	shared := false
	for _, a := range c.Keys {
		for _, b := range o.Keys {
			shared = a.Key.Equal(b.Key) || shared
		}
	}
	return shared
}

// Rekey makes the attribute that announces a fresh key in a call whose own attribute is inForce, for a new offer with the same tag. With an MKI, the
// keys in force stay announced before the new one, which gets the next MKI value: once the peer has answered, Sender.Rekey with the last
// of Keys goes over to it within the stream. Without an MKI, the new key stands alone, and both sides change with the answer. To change
// nothing, offer inForce itself again. The result has its own copies of the keys. The error is of Validate, or ErrMalformed.
func (p Policy) Rekey(inForce Crypto) (Crypto, error) {
	if err := p.Validate(); err != nil {
		return Crypto{}, err
	}
	if err := p.usable(inForce.Suite); err != nil {
		return Crypto{}, err
	}
	if _, err := checkCrypto(inForce); err != nil {
		return Crypto{}, err
	}
	last := inForce.Keys[len(inForce.Keys)-1]
	out := p.own(inForce.Tag, inForce.Suite, last.Lifetime, len(last.MKI))
	if len(last.MKI) == 0 {
		return out, nil
	}
	mki, err := nextMKI(inForce.Keys)
	if err != nil {
		return Crypto{}, err
	}
	fresh := out.Keys[0]
	fresh.MKI = mki
	keep := inForce.Keys[max(0, len(inForce.Keys)-maxInlineKeys+1):]
	out.Keys = nil
	for _, k := range keep {
		out.Keys = append(out.Keys, InlineKey{Key: k.Key.clone(), Lifetime: k.Lifetime, MKI: append([]byte(nil), k.MKI...)})
	}
	out.Keys = append(out.Keys, fresh)
	return out, nil
}

// nextMKI is one more than the greatest. It does not wrap: a value that was used may still be on its way.
func nextMKI(keys []InlineKey) ([]byte, error) {
	greatest := new(big.Int)
	for _, k := range keys {
		if v := new(big.Int).SetBytes(k.MKI); v.Cmp(greatest) > 0 {
			greatest = v
		}
	}
	n := len(keys[0].MKI)
	greatest.Add(greatest, big.NewInt(1))
	if greatest.BitLen() > 8*n {
		return nil, malformed("no MKI value of %d bytes is left", n)
	}
	return greatest.FillBytes(make([]byte, n)), nil
}
