package media

import (
	"errors"

	"github.com/ringfence/ringfence/srtp/sdp"
)

// Errors of negotiation. Signalling answers all of these with 488 but ErrNoPort, which is a 503.
var (
	// ErrInsecureSignalling is returned by Leg.Offer, Answer and Accept when LegConfig.SignallingSecure is false.
	ErrInsecureSignalling = errors.New("media: keys refused over unencrypted signalling")
	// ErrPlainRTP is returned by Leg.Answer and Accept for RTP/AVP, with or without keys. It is sdp.ErrPlainRTP.
	ErrPlainRTP = sdp.ErrPlainRTP
	// ErrNoCodec is returned by Leg.Answer and Accept when no audio codec is in common. It is sdp.ErrNoCodec.
	ErrNoCodec = sdp.ErrNoCodec
	// ErrState is returned by Leg.Accept without an offer of ours.
	ErrState = errors.New("media: no offer to accept an answer for")
	// ErrNoPort is returned by Leg.Offer and Answer when no port of the range is free.
	ErrNoPort = errors.New("media: no free port")
	// ErrAddressFamily is returned by Leg.Answer and Accept when the peer receives on the other IP version than we send from.
	ErrAddressFamily = errors.New("media: peer's address is of another IP version")
)

// Errors of running legs.
var (
	// ErrConfig is returned by New and NewLeg with the reason.
	ErrConfig = errors.New("media: invalid configuration")
	// ErrClosed is returned by every verb of a closed Engine or Leg, and by those that were waiting.
	ErrClosed = errors.New("media: closed")
	// ErrNotReady is returned by the verbs that send or bridge before media is negotiated.
	ErrNotReady = errors.New("media: no media negotiated yet")
	// ErrBusy is returned by Play and SendDigits while another of them runs on the leg, and by Echo, NewBridge
	// and Join for a leg that is bridged, echoes or is in a conference.
	ErrBusy = errors.New("media: leg is busy")
	// ErrMembers is returned by Join when a conference is full, and by Conference.Bridge when there are not two members.
	ErrMembers = errors.New("media: wrong number of members")
	// ErrNoDigits is returned by SendDigits when the peer takes no telephone-event.
	ErrNoDigits = errors.New("media: peer takes no telephone-event")
	// ErrDigit is returned by SendDigits and InjectDigit for anything but 0-9, *, #, A-D.
	ErrDigit = errors.New("media: not a digit")
)
