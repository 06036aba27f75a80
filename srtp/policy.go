package srtp

import (
	"fmt"
	"slices"
	"time"
)

// Policy says which suites a service is willing to use, until when, and how its keys are announced. The zero Policy is the safest and is
// ready for use. It is a plain value; its methods change nothing, draw keys where they say so, and are safe for concurrent use
// if Now is.
type Policy struct {
	// Suites lists the acceptable suites, best first. An answerer follows this order, not the offerer's. If empty, those of
	// AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_256_CM_HMAC_SHA1_80 and AES_CM_128_HMAC_SHA1_80 that reach Floor and are within their
	// date. A listed suite below Floor or past its date is an error in every method: a service learns on the day, not by silence.
	Suites []Suite
	// Floor is the least strength that may be listed or accepted. If zero, StrengthStandard: the 32-bit tags need
	// StrengthShortTag here and their names in Suites.
	Floor Strength
	// Sunset overrides Suite.Sunset for the suites it names: the first moment a suite is refused. A zero time as the value takes
	// the suite's date away. If nil, the built-in dates.
	Sunset map[Suite]time.Time
	// Now tells the time for the dates. If nil, time.Now.
	Now func() time.Time
	// Params says which session parameters a peer's attribute may carry. If zero, WSH and what begins with a dash are accepted and
	// everything else is refused.
	Params ParamRules
	// Announce says what our own attributes carry besides the key. If zero, nothing.
	Announce Announce
}

// Announce says what our attributes carry besides the key. The zero value is what every phone understands.
type Announce struct {
	// Lifetime is how many packets a key of ours protects, 1 to 2^48; the Sender made from it holds to that. If zero, an offer names
	// none and the limits of RFC 3711 section 9.2 hold; an answer names 2^31 where the peer named one, because peers exist that
	// insist on it.
	Lifetime uint64
	// MKILength is the length in bytes of the MKI that our offered keys have, 0 to 128. With an MKI a key can be changed without losing a
	// packet; many phones do not understand one. If zero, offers carry none. An answer follows the peer: an MKI of the
	// same length if it offered one, and none otherwise.
	MKILength int
	// WSH is the window size hint of our attributes (RFC 4568 section 6.3.6), 64 to 32768: what the peer is told about
	// ReceiverConfig.ReplayWindow. If zero, none.
	WSH int
}

// Validate reports whether the policy is usable today. The error is ErrBadPolicy, ErrBelowFloor or ErrSunset with the reason; the last
// names the suite and its date.
func (p Policy) Validate() error {
	_, err := p.resolved()
	return err
}

// Usable returns the suites that the policy accepts today, best first, for key agreement other than SDES. The error is of Validate.
func (p Policy) Usable() ([]Suite, error) {
	suites, err := p.resolved()
	return slices.Clone(suites), err
}

// resolved returns the suites after defaults and checks.
func (p Policy) resolved() ([]Suite, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if len(p.Suites) == 0 {
		// The default is ours, so it shrinks as dates pass; a list is the service's own word, so it fails.
		var suites []Suite
		var last error
		for _, s := range defaultSuites() {
			if err := p.usable(s); err != nil {
				last = err
				continue
			}
			suites = append(suites, s)
		}
		if len(suites) == 0 {
			return nil, last
		}
		return suites, nil
	}
	for i, s := range p.Suites {
		if _, ok := s.info(); !ok {
			return nil, fmt.Errorf("%w: suite %d is unknown", ErrBadPolicy, i)
		}
		for _, t := range p.Suites[:i] {
			if s == t {
				return nil, fmt.Errorf("%w: %s is listed twice", ErrBadPolicy, s)
			}
		}
		if err := p.usable(s); err != nil {
			return nil, err
		}
	}
	return p.Suites, nil
}

func (p Policy) check() error {
	switch {
	case p.Floor > StrengthTop:
		return fmt.Errorf("%w: floor is unknown", ErrBadPolicy)
	case p.Announce.Lifetime > maxPacketsRTP:
		return fmt.Errorf("%w: lifetime is over 2^48 packets", ErrBadPolicy)
	case p.Announce.MKILength < 0 || p.Announce.MKILength > maxMKI:
		return fmt.Errorf("%w: MKI length is 0 to %d", ErrBadPolicy, maxMKI)
	case p.Announce.WSH != 0 && (p.Announce.WSH < minReplayWindow || p.Announce.WSH > maxReplayWindow):
		return fmt.Errorf("%w: WSH is %d to %d", ErrBadPolicy, minReplayWindow, maxReplayWindow)
	}
	return p.Params.validate()
}

// usable checks one known suite against floor and date. It guards what a peer chose as well as what the policy lists.
func (p Policy) usable(s Suite) error {
	floor := p.Floor
	if floor == StrengthUnset {
		floor = StrengthStandard
	}
	if s.Strength() < floor {
		return fmt.Errorf("%w: %s is %s, the floor is %s", ErrBelowFloor, s, s.Strength(), floor)
	}
	date, ok := p.Sunset[s]
	if !ok {
		date = s.Sunset()
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	if !date.IsZero() && !now().Before(date) {
		return fmt.Errorf("%w: %s was in use until %s", ErrSunset, s, date.UTC().Format(time.DateOnly))
	}
	return nil
}
