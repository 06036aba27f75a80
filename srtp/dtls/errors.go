package dtls

import "errors"

var (
	// ErrConfig is returned by New for a Config with a required value missing or one out of range.
	ErrConfig = errors.New("dtls: invalid configuration")
	// ErrIdentity is returned by IdentityFrom for a certificate that cannot be used.
	ErrIdentity = errors.New("dtls: unusable certificate")
	// ErrNoFingerprint is returned by New when the peer told no fingerprint: anybody could be at the other end then.
	ErrNoFingerprint = errors.New("dtls: no fingerprint")
	// ErrWeakFingerprint is returned by New when the peer told fingerprints of hashes below SHA-256 only.
	ErrWeakFingerprint = errors.New("dtls: fingerprint hash is too weak")
	// ErrFingerprintSyntax is returned by ParseFingerprint.
	ErrFingerprintSyntax = errors.New("dtls: malformed fingerprint")
	// ErrFingerprint is returned by Handshake when the peer's certificate is not the one its description told.
	ErrFingerprint = errors.New("dtls: certificate does not match the fingerprint")
	// ErrProfile is returned by New when the policy has no suite that DTLS knows, and by Handshake when the peer shares none of them.
	ErrProfile = errors.New("dtls: no common SRTP protection profile")
	// ErrHandshake is returned by Handshake for a handshake that failed otherwise. It wraps the cause.
	ErrHandshake = errors.New("dtls: handshake failed")
	// ErrState is returned by Handshake when it is called twice, and ErrClosed after Close.
	ErrState  = errors.New("dtls: handshake was begun before")
	ErrClosed = errors.New("dtls: closed")
	// ErrSetup is returned for a setup attribute that is unknown, or for two that do not go together (RFC 4145 section 4).
	ErrSetup = errors.New("dtls: setup roles do not match")
	// ErrHeld is returned by LocalRole when a side wants no connection for now (holdconn).
	ErrHeld = errors.New("dtls: connection is held")
)
