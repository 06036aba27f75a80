package srtp

import "errors"

// Errors of key agreement.
var (
	// ErrUnknownSuite is returned by ParseSuite, and by NewSender and NewReceiver for a key without a suite.
	ErrUnknownSuite = errors.New("srtp: unknown crypto suite")
	// ErrMalformed is returned by ParseCrypto for a value that RFC 4568 section 9 does not allow.
	ErrMalformed = errors.New("srtp: malformed crypto attribute")
	// ErrSessionParameter is returned by ParseCrypto for a session parameter that is unknown or that weakens protection.
	ErrSessionParameter = errors.New("srtp: session parameter refused")
	// ErrNoCrypto is returned by Policy.Answer and Policy.Accept when the peer sent no crypto attribute at all.
	ErrNoCrypto = errors.New("srtp: no crypto attribute")
	// ErrNoCommonSuite is returned by Policy.Answer when no usable crypto attribute names a suite of the policy.
	ErrNoCommonSuite = errors.New("srtp: no acceptable crypto suite")
	// ErrTagMismatch is returned by Policy.Accept when the answer's tag or suite was not offered.
	ErrTagMismatch = errors.New("srtp: answer does not match the offered crypto attributes")
	// ErrKeyReflected is returned by Policy.Answer and Policy.Accept when the peer sent our own key back.
	ErrKeyReflected = errors.New("srtp: peer reflected our key")
	// ErrSunset is returned by every Policy method of a policy that lists a suite past its date, and for such a suite of a peer.
	ErrSunset = errors.New("srtp: crypto suite is past its date")
	// ErrBelowFloor is returned by every Policy method of a policy that lists a suite weaker than its floor, and for such a suite of a peer.
	ErrBelowFloor = errors.New("srtp: crypto suite is below the floor")
	// ErrBadPolicy is returned by every Policy method of a policy that lists an unknown suite or one suite twice, or that holds a value out of range.
	ErrBadPolicy = errors.New("srtp: invalid policy")
)

// ErrKeyReused is returned by Sender.Rekey and Receiver.AddKey for a key or an MKI that was in use before.
var ErrKeyReused = errors.New("srtp: key was used before")

// ErrUnknownMKI is returned by Sender.SwitchMKI and Receiver.RemoveKey for an MKI that names no key held.
var ErrUnknownMKI = errors.New("srtp: unknown MKI")

// Errors of packet protection. They carry no detail, so that a flood of bad packets allocates nothing for them.
var (
	// ErrClosed is returned by every method of a closed Sender or Receiver.
	ErrClosed = errors.New("srtp: closed")
	// ErrPacket is returned for a packet that is too short or not RTP or RTCP version 2.
	ErrPacket = errors.New("srtp: not a packet")
	// ErrForeignSSRC is returned by Sender for a packet whose SSRC is not the sender's own.
	ErrForeignSSRC = errors.New("srtp: SSRC is not the sender's")
	// ErrIndexReused is returned by Sender.ProtectRTP for a sequence number that does not increase, or that starts at 2^15 or above.
	ErrIndexReused = errors.New("srtp: packet index does not increase")
	// ErrKeyExhausted is returned when a key has protected as many packets as its lifetime allows.
	ErrKeyExhausted = errors.New("srtp: key lifetime exhausted")
	// ErrReplay is returned by Receiver for a packet seen before or older than the replay window.
	ErrReplay = errors.New("srtp: replayed packet")
	// ErrAuth is returned by Receiver for a packet that was not made with the agreed key, or that names an unknown MKI.
	ErrAuth = errors.New("srtp: packet not authentic")
	// ErrTooManySources is returned by Receiver for a new SSRC when it already knows ReceiverConfig.MaxSources of them.
	ErrTooManySources = errors.New("srtp: too many sources")
	// ErrUnencrypted is returned by Receiver.UnprotectRTCP for a packet without the encryption bit (RFC 3711 section 3.4).
	ErrUnencrypted = errors.New("srtp: unencrypted SRTCP refused")
	// ErrConfig is returned by NewSender and NewReceiver for values out of range.
	ErrConfig = errors.New("srtp: invalid configuration")
)
