package srtptest

import "errors"

var (
	// ErrConfig is returned by NewPath, NewRelay and NewPhone with the reason.
	ErrConfig = errors.New("srtptest: invalid configuration")
	// ErrClosed is returned by the verbs of a closed Phone, Relay or Attacker, and by those that were waiting.
	ErrClosed = errors.New("srtptest: closed")
	// ErrNotReady is returned by the verbs that send before media is negotiated.
	ErrNotReady = errors.New("srtptest: no media negotiated yet")
	// ErrState is returned by Phone.Accept without an offer of the phone's.
	ErrState = errors.New("srtptest: no offer to accept an answer for")
	// ErrNoDigits is returned by Phone.Press when the peer takes no telephone-event.
	ErrNoDigits = errors.New("srtptest: peer takes no telephone-event")
	// ErrNoAddress is returned by Relay.FromA and FromB for a description without an audio stream at an IP address.
	ErrNoAddress = errors.New("srtptest: no audio at an IP address")
)
