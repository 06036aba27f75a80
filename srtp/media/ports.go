package media

import "time"

// Tap receives the audio a leg receives, after decryption: a recorder, a transcriber.
//
// WriteFrame is called on a reader goroutine, one packet of the leg at a time in order of arrival, and must not block: the audio of this and of other calls waits for it.
// at is the frame's media time since the tap was set, from RTP timestamps anchored at arrival, so silence suppression, loss and hold leave gaps
// of the right length; a packet the network reordered comes late with its own, earlier time. codec is "PCMU" or "PCMA" at 8000 Hz.
// payload is valid only during the call. WriteFrame must not call SetTap, WithholdTaps or Close of the leg.
type Tap interface {
	WriteFrame(at time.Duration, codec string, payload []byte)
}
