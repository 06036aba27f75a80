package sdp

import "errors"

var (
	// ErrMalformed is returned by Parse for text that is no session description, and by Session.Marshal for values that cannot be written.
	ErrMalformed = errors.New("sdp: malformed session description")
	// ErrTooLarge is returned by Parse for more than 16 KiB, 16 media lines or 512 attributes.
	ErrTooLarge = errors.New("sdp: session description too large")
	// ErrNoAudio is returned by Agree and Accept when there is no audio stream, or it is switched off with port 0.
	ErrNoAudio = errors.New("sdp: no audio stream")
	// ErrPlainRTP is returned by Agree and Accept when audio is there, but only as unprotected RTP (RTP/AVP or RTP/AVPF), with or
	// without keys: opportunistic encryption (RFC 8643) would let an attacker in the signalling path choose plain RTP. With
	// Local.InsecurePlainRTP it is returned for plain RTP that brings keys.
	ErrPlainRTP = errors.New("sdp: unprotected RTP refused")
	// ErrTransport is returned by Agree and Accept when audio is there, but only over a transport that Local does not take.
	ErrTransport = errors.New("sdp: unsupported media transport")
	// ErrNoFingerprint is returned by Agree and Accept for a stream that can be keyed by DTLS only and names no certificate.
	ErrNoFingerprint = errors.New("sdp: no certificate fingerprint")
	// ErrSetup is returned by Agree and Accept for a stream that can be keyed by DTLS only, when the two DTLS roles do not fit.
	ErrSetup = errors.New("sdp: DTLS roles do not fit")
	// ErrNoCodec is returned by Agree and Accept when no audio codec is in common.
	ErrNoCodec = errors.New("sdp: no common codec")
	// ErrMismatch is returned by Accept when the answer does not fit the offer.
	ErrMismatch = errors.New("sdp: answer does not match the offer")
	// ErrLocal is returned for a Local that nothing can be written from: unknown codecs, no keys, keys beside plain RTP. It is a
	// mistake of the program, not of the peer.
	ErrLocal = errors.New("sdp: unusable local description")
)
