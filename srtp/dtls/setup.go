package dtls

import (
	"fmt"
	"strings"
)

// Setup is the value of a=setup (RFC 4145 section 4). The zero value is a missing attribute.
type Setup uint8

// The values.
const (
	SetupUnset    Setup = iota // not written: active in an offer and passive in an answer (RFC 4145 section 4)
	SetupActive                // begins the handshake: the DTLS client
	SetupPassive               // waits for it: the DTLS server
	SetupActpass               // either; the answerer decides. What an offer should say (RFC 5763 section 5)
	SetupHoldconn              // no connection for now
)

// ParseSetup reads the value of a=setup. Case matters not. The error is ErrSetup.
func ParseSetup(v string) (Setup, error) {
	for s := SetupActive; s <= SetupHoldconn; s++ {
		if strings.EqualFold(strings.TrimSpace(v), s.String()) {
			return s, nil
		}
	}
	return SetupUnset, ErrSetup
}

// String returns the attribute's value, or "unset".
func (s Setup) String() string {
	switch s {
	case SetupUnset:
		return "unset"
	case SetupActive:
		return "active"
	case SetupPassive:
		return "passive"
	case SetupActpass:
		return "actpass"
	case SetupHoldconn:
		return "holdconn"
	}
	return "invalid"
}

// AnswerSetup returns what to answer to an offered value. When the offer leaves the choice, prefer decides: SetupPassive, or SetupActive for
// any other value, which is what RFC 5763 section 5 recommends because the handshake then begins with the answer. To holdconn the
// answer is holdconn. The error is ErrSetup.
func AnswerSetup(offer, prefer Setup) (Setup, error) {
	switch offer {
	case SetupActpass:
		if prefer == SetupPassive {
			return SetupPassive, nil
		}
		return SetupActive, nil
	case SetupUnset, SetupActive:
		return SetupPassive, nil
	case SetupPassive:
		return SetupActive, nil
	case SetupHoldconn:
		return SetupHoldconn, nil
	}
	return SetupUnset, fmt.Errorf("%w: offer %s", ErrSetup, offer)
}

// LocalRole returns the offerer's own role, SetupActive or SetupPassive, from what it offered and what was answered. The answerer's role is what it
// answered. The error is ErrSetup for an answer the offer does not allow, such as actpass, and ErrHeld for holdconn on either side.
func LocalRole(offered, answer Setup) (Setup, error) {
	if offered == SetupUnset {
		offered = SetupActive
	}
	if answer == SetupUnset {
		answer = SetupPassive
	}
	switch {
	case answer == SetupHoldconn, offered == SetupHoldconn && answer <= SetupHoldconn:
		return SetupUnset, ErrHeld
	case answer == SetupPassive && (offered == SetupActive || offered == SetupActpass):
		return SetupActive, nil
	case answer == SetupActive && (offered == SetupPassive || offered == SetupActpass):
		return SetupPassive, nil
	}
	return SetupUnset, fmt.Errorf("%w: %s answered to %s", ErrSetup, answer, offered)
}
