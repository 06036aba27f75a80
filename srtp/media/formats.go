package media

import (
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// kind says what a received RTP packet carries.
type kind uint8

const (
	kindOther kind = iota // nothing we negotiated
	kindAudio
	kindEvent // telephone-event
	kindNoise // comfort noise (RFC 3389)
)

// format is one payload type the peer may send with.
type format struct {
	codec *codec.Codec // of audio
	clock uint32       // rate of the timestamps in Hz
	pt    uint8
	kind  kind
}

// formatsOf returns what the peer may send.
func formatsOf(a sdp.Agreed, known []codec.Codec) []format {
	list := a.Receive
	if len(list) == 0 {
		list = append(append(slices.Clone(a.Audio), a.Events...), a.CN, a.DTMF)
	}
	out := make([]format, 0, len(list))
	for _, c := range list {
		f := format{pt: c.PT, clock: uint32(c.Clock)}
		switch c.Name {
		case "":
			continue
		case sdp.TelephoneEvent:
			f.kind = kindEvent
		case sdp.CN:
			f.kind = kindNoise
		default:
			f.kind, f.codec = kindAudio, findCodec(known, c.Name)
			if f.codec == nil {
				continue // cannot happen: only codecs of the engine are negotiated
			}
		}
		if f.clock == 0 {
			f.clock = clockRate
		}
		out = append(out, f)
	}
	return out
}

// findCodec returns the engine's codec of a name, or nil.
func findCodec(known []codec.Codec, name string) *codec.Codec {
	for i := range known {
		if known[i].Name == name {
			return &known[i]
		}
	}
	return nil
}

// checkCodecs refuses codecs nothing can be done with, before a call needs them.
func checkCodecs(list []codec.Codec) error {
	for i, c := range list {
		names := sdp.Local{Codecs: []string{c.Name}}
		if c.Name == sdp.CN || names.Check() != nil || findCodec(list[:i], c.Name) != nil {
			return fmt.Errorf("%w: codec %d is unknown or listed twice", ErrConfig, i)
		}
		if c.Channels != 1 || c.NewEncoder == nil || c.NewDecoder == nil || c.FrameSamples*50 != c.Rate || c.FrameTicks*50 != c.ClockRate ||
			c.MaxPayload > slotSize-headroom-12 {
			return fmt.Errorf("%w: codec %s cannot be used", ErrConfig, c.Name)
		}
		if _, err := codec.NewResampler(c.Rate, clockRate); err != nil {
			return fmt.Errorf("%w: codec %s: %w", ErrConfig, c.Name, err)
		}
		if _, err := c.NewEncoder(); err != nil {
			return fmt.Errorf("%w: codec %s: %w", ErrConfig, c.Name, err)
		}
		if _, err := c.NewDecoder(); err != nil {
			return fmt.Errorf("%w: codec %s: %w", ErrConfig, c.Name, err)
		}
	}
	return nil
}

// isG711 reports that each byte of a payload is one sample and can be converted by itself.
func isG711(name string) bool { return name == sdp.PCMU || name == sdp.PCMA }

// even reports that a codec's payload has one byte for each step of its timestamp, so that it can be cut and joined anywhere.
func even(c *codec.Codec) bool { return isG711(c.Name) || c.Name == sdp.G722 }

// ticks returns how long a payload lasts, in steps of its codec's timestamp.
func ticks(c *codec.Codec, payload []byte) int {
	switch {
	case even(c):
		return len(payload)
	case c.Name == sdp.Opus:
		return opusTicks(payload)
	default:
		return c.FrameTicks
	}
}

// opusTicks reads how long an Opus packet lasts at 48000 Hz from its first bytes (RFC 6716 section 3.1). It is 20 ms for what is no packet; the decoder
// refuses it later.
func opusTicks(payload []byte) int {
	if len(payload) == 0 {
		return 960
	}
	size := 120 << (payload[0] >> 3 & 3) // CELT: 2.5, 5, 10, 20 ms
	switch config := payload[0] >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		size = [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // both: 10, 20 ms
		size = 480 << (config & 1)
	}
	frames := 1
	switch payload[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(payload) > 1 {
			frames = int(payload[1] & 63)
		}
	}
	if n := frames * size; n > 0 && n <= 48*120 {
		return n
	}
	return 960
}
