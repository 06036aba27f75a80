package codec

import (
	"fmt"
	"strings"
)

// An Encoder compresses one direction of one stream. It keeps state between frames and is used by one goroutine at a time.
type Encoder interface {
	// Encode compresses pcm, which is one frame of the codec's sample rate and channels, into dst and returns how many bytes it wrote. It
	// allocates nothing and keeps neither slice. The error wraps ErrShort if dst is too small and ErrFrame for a number of samples the
	// codec cannot carry; nothing is written then and the state is as before.
	Encode(dst []byte, pcm []int16) (n int, err error)
}

// A Decoder expands one direction of one stream. It keeps state between frames and is used by one goroutine at a time.
type Decoder interface {
	// Decode expands one payload into dst and returns how many samples it wrote, those of all channels counted. It keeps neither slice.
	// The error wraps ErrShort if dst is too small and ErrFrame for a payload that is none of this codec; the stream can go on after both.
	Decode(dst []int16, payload []byte) (n int, err error)
}

// Codec describes one audio codec as RTP carries it, and makes its encoders and decoders. A Codec is a value: copy it, but do not change the
// copy of a codec that this package made. A service passes the list of those it wants around; there is no registry.
type Codec struct {
	// Name is the encoding name of an a=rtpmap line; names are compared without regard to case (RFC 4855 section 3). Required.
	Name string
	// PayloadType is the static payload type of RFC 3551 section 6. It means something only if Static is set; without that the number is
	// agreed on by the session description.
	PayloadType uint8
	Static      bool
	// ClockRate is the rate of RTP timestamps in Hz, the second figure of a=rtpmap. For G.722 it is 8000, which RFC 3551 section 4.5.2 keeps
	// because a first version of it had the error.
	ClockRate int
	// Rate is the samples a second of the linear audio, in Hz; Channels how many are interleaved, and the third figure of a=rtpmap is
	// RTPChannels, which differs only for Opus (RFC 7587 section 7: always 2). If RTPChannels is zero, Channels.
	Rate, Channels, RTPChannels int
	// FrameSamples are the samples of all channels in 20 ms, FrameTicks the steps of the RTP timestamp.
	FrameSamples, FrameTicks int
	// MaxPayload is the room in bytes that Encode needs for 20 ms.
	MaxPayload int
	// NewEncoder and NewDecoder make one direction of one stream. They fail if this build cannot do it, and may be called concurrently.
	NewEncoder func() (Encoder, error)
	NewDecoder func() (Decoder, error)
}

// RTPMap returns what follows the payload type in an a=rtpmap line: "PCMU/8000" or "opus/48000/2".
func (c Codec) RTPMap() string {
	ch := c.RTPChannels
	if ch == 0 {
		ch = c.Channels
	}
	if ch > 1 {
		return fmt.Sprintf("%s/%d/%d", c.Name, c.ClockRate, ch)
	}
	return fmt.Sprintf("%s/%d", c.Name, c.ClockRate)
}

// ByName returns the first codec of list with this encoding name, without regard to case, and whether there is one.
func ByName(list []Codec, name string) (Codec, bool) {
	for _, c := range list {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Codec{}, false
}

// PCMU is G.711 µ-law: 64 kbit/s, payload type 0.
func PCMU() Codec {
	return g711Codec("PCMU", 0, g711{EncodeMulaw, DecodeMulaw})
}

// PCMA is G.711 A-law: 64 kbit/s, payload type 8.
func PCMA() Codec {
	return g711Codec("PCMA", 8, g711{EncodeAlaw, DecodeAlaw})
}

// G722 is ITU-T G.722 at 64 kbit/s (mode 1), 7 kHz of audio, payload type 9.
func G722() Codec {
	return Codec{
		Name: "G722", PayloadType: 9, Static: true, ClockRate: 8000, Rate: 16000, Channels: 1, FrameSamples: 320, FrameTicks: 160, MaxPayload: 160,
		NewEncoder: func() (Encoder, error) { return newG722Encoder(), nil },
		NewDecoder: func() (Decoder, error) { return newG722Decoder(), nil },
	}
}

func g711Codec(name string, pt uint8, g g711) Codec {
	return Codec{
		Name: name, PayloadType: pt, Static: true, ClockRate: 8000, Rate: 8000, Channels: 1, FrameSamples: 160, FrameTicks: 160, MaxPayload: 160,
		NewEncoder: func() (Encoder, error) { return g, nil },
		NewDecoder: func() (Decoder, error) { return g, nil },
	}
}

// g711 has no state: each sample stands for itself.
type g711 struct {
	enc func([]byte, []int16) int
	dec func([]int16, []byte) int
}

func (g g711) Encode(dst []byte, pcm []int16) (int, error) {
	if len(dst) < len(pcm) {
		return 0, fmt.Errorf("%w: %d bytes for %d samples", ErrShort, len(dst), len(pcm))
	}
	return g.enc(dst, pcm), nil
}

func (g g711) Decode(dst []int16, payload []byte) (int, error) {
	if len(dst) < len(payload) {
		return 0, fmt.Errorf("%w: room for %d samples of %d", ErrShort, len(dst), len(payload))
	}
	return g.dec(dst, payload), nil
}
