package recording

import (
	"fmt"
	"time"
)

// Suite numbers what a container or the wrapping of a key is made of. Numbers are never used again.
type Suite uint16

// The suites there are.
const (
	// SuiteAES256GCM encrypts segments and metadata: HKDF-SHA256 and AES-256-GCM. The key is symmetric, so it has no sunset.
	SuiteAES256GCM Suite = 1
	// SuiteWrapped is a key wrapped by the Vault's KeyWrapper, whose algorithms and versions are its own. It has no sunset here.
	SuiteWrapped Suite = 16
	// SuiteX25519 wraps a key for a recipient: HPKE (RFC 9180) with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. Whoever keeps a copy today
	// may open it with a quantum computer later, so nothing is wrapped with it after 2030.
	SuiteX25519 Suite = 17
	// SuiteMLKEM768X25519 wraps a key for a recipient: HPKE with MLKEM768-X25519 (draft-ietf-hpke-pq, also called X-Wing), HKDF-SHA256 and AES-256-GCM.
	// It holds as long as one of both does. It has no sunset.
	SuiteMLKEM768X25519 Suite = 18
)

// sunsets are the days from which a suite writes nothing new.
var sunsets = map[Suite]time.Time{
	SuiteAES256GCM:      {},
	SuiteWrapped:        {},
	SuiteX25519:         time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC),
	SuiteMLKEM768X25519: {},
}

// String returns the suite's name.
func (s Suite) String() string {
	switch s {
	case SuiteAES256GCM:
		return "aes-256-gcm"
	case SuiteWrapped:
		return "wrapped"
	case SuiteX25519:
		return "x25519"
	case SuiteMLKEM768X25519:
		return "mlkem768-x25519"
	}
	return fmt.Sprintf("suite %d", uint16(s))
}

// Policy says until when suites may be used for something new. What was written with a suite stays readable after its sunset.
// The zero Policy has the dates named at each suite.
type Policy struct {
	// Sunset brings the sunset of a suite forward, or gives it one. A date later than the suite's own counts for nothing. If nil, the suites' own.
	Sunset map[Suite]time.Time
}

// Check returns nil if the suite may be used for something new at the given time, ErrSunset if it may not any more, and ErrInvalid for a suite there is not.
func (p Policy) Check(s Suite, now time.Time) error {
	end, ok := sunsets[s]
	if !ok {
		return fmt.Errorf("%w: %s", ErrInvalid, s)
	}
	if own, ok := p.Sunset[s]; ok && (end.IsZero() || own.Before(end)) {
		end = own
		if own.IsZero() { // a date somebody forgot to fill in is no permission
			end = time.Unix(0, 0)
		}
	}
	if !end.IsZero() && !now.Before(end) {
		return fmt.Errorf("%w: %s since %s", ErrSunset, s, end.UTC().Format(time.DateOnly))
	}
	return nil
}
