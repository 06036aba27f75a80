package media

import "time"

// Tap receives the audio a leg receives, after decryption: a recorder, a transcriber.
//
// WriteFrame is called on a reader goroutine, one packet of the leg at a time in order of arrival, and must not block: the audio of this and of other calls waits for it.
// at is the frame's media time since the tap was set, from RTP timestamps anchored at arrival, so silence suppression, loss and hold leave gaps
// of the right length; a packet the network reordered comes late with its own, earlier time. codec is the name of the codec the packet came in, one of the leg's, and
// payload is what it is on the wire: PCMU and PCMA at 8000 Hz can be written to a file as they are, others are expanded with the codec's decoder, in order. Silence that
// the peer announces (comfort noise) is not handed over. In a bridge or conference each leg's tap hears its own peer alone, so a recording keeps the parties apart.
// payload is valid only during the call. WriteFrame must not call SetTap, WithholdTaps,
// Secret or Close of the leg.
type Tap interface {
	WriteFrame(at time.Duration, codec string, payload []byte)
}
