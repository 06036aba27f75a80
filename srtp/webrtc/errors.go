package webrtc

import "errors"

// Errors of negotiation, besides those of package media and package sdp. Signalling answers all of these with 488.
var (
	// ErrConfig is returned by New with the reason.
	ErrConfig = errors.New("webrtc: invalid configuration")
	// ErrNoFingerprint is returned by Leg.Answer and Accept for a description without a usable a=fingerprint: none, a malformed one, or only
	// by hashes weaker than SHA-256.
	ErrNoFingerprint = errors.New("webrtc: no usable certificate fingerprint")
	// ErrFingerprint is returned by Leg.Accept for an answer that names another certificate, or another tls-id, than the answer before.
	ErrFingerprint = errors.New("webrtc: certificate fingerprint changed in an answer")
	// ErrICE is returned by Leg.Answer and Accept for missing or malformed ICE credentials, and by Accept for others than before.
	ErrICE = errors.New("webrtc: unusable ICE credentials")
	// ErrSetup is returned by Leg.Answer and Accept for a peer that does not open the DTLS connection itself.
	ErrSetup = errors.New("webrtc: peer must be the active side of DTLS")
	// ErrNoMux is returned by Leg.Answer and Accept for a peer without rtcp-mux.
	ErrNoMux = errors.New("webrtc: peer does not multiplex RTCP")
)
