package opus

import (
	"errors"
	"fmt"

	pion "github.com/pion/opus"

	"github.com/ringfence/ringfence/srtp/codec"
)

// ErrNoEncoder is returned by the NewEncoder of Codec in a build without the tag "opus".
var ErrNoEncoder = errors.New("opus: this program was built without the tag opus, so it decodes only")

// Config describes how Opus is used. The stream on the wire is the same whatever Rate is; only the linear side changes.
type Config struct {
	// Rate is the sample rate of the linear side: 8000, 16000, 24000 or 48000 Hz. If zero, 16000: a telephone call holds no more.
	Rate int
	// Bitrate is the encoder's goal in bits a second, 6000 to 128000. If zero, 24000.
	Bitrate int
	// Complexity is how hard the encoder works, 1 to 10. If zero, 5.
	Complexity int
	// NoFEC leaves out the in-band repetition of speech for a peer that lost a packet. If false, it is sent when Loss says that packets are lost.
	NoFEC bool
	// Loss is the share of packets the encoder should expect to be lost, in percent, 0 to 50. If zero, none.
	Loss int
}

// maxPacket bounds what the encoder makes of 20 ms: half more than the highest bitrate needs. A single frame could have 1275 bytes (RFC 6716 section 3.2.1), which
// no call needs and a packet should not have.
const maxPacket = 480

// Codec returns Opus with one channel. On the wire it is opus/48000/2 whatever is inside (RFC 7587 section 7), with a dynamic payload type. Payloads of up to 120 ms
// are decoded, so give Decode room for six times FrameSamples. Lost packets are concealed by codec.PLC or left silent; Decode refuses an empty payload. The error
// wraps codec.ErrRate or codec.ErrFrame for a Config out of range.
func Codec(cfg Config) (codec.Codec, error) {
	if cfg.Rate == 0 {
		cfg.Rate = 16000
	}
	if cfg.Bitrate == 0 {
		cfg.Bitrate = 24000
	}
	if cfg.Complexity == 0 {
		cfg.Complexity = 5
	}
	switch cfg.Rate {
	case 8000, 16000, 24000, 48000:
	default:
		return codec.Codec{}, fmt.Errorf("%w: %d Hz of Opus", codec.ErrRate, cfg.Rate)
	}
	if cfg.Bitrate < 6000 || cfg.Bitrate > 128000 || cfg.Complexity < 1 || cfg.Complexity > 10 || cfg.Loss < 0 || cfg.Loss > 50 {
		return codec.Codec{}, fmt.Errorf("%w: Opus with %d bit/s, complexity %d, loss %d", codec.ErrFrame, cfg.Bitrate, cfg.Complexity, cfg.Loss)
	}
	return codec.Codec{
		Name: "opus", ClockRate: 48000, Rate: cfg.Rate, Channels: 1, RTPChannels: 2,
		FrameSamples: cfg.Rate / 50, FrameTicks: 960, MaxPayload: maxPacket,
		NewEncoder: func() (codec.Encoder, error) { return newEncoder(cfg) },
		NewDecoder: func() (codec.Decoder, error) { return newDecoder(cfg.Rate) },
	}, nil
}

type decoder struct {
	rate int
	d    pion.Decoder
}

func newDecoder(rate int) (codec.Decoder, error) {
	d, err := pion.NewDecoderWithOutput(rate, 1)
	if err != nil {
		return nil, fmt.Errorf("opus: %w", err)
	}
	return &decoder{rate: rate, d: d}, nil
}

// Decode decodes one packet. Stereo is mixed to one channel.
func (d *decoder) Decode(dst []int16, payload []byte) (n int, err error) {
	n, err = Samples(payload, d.rate)
	if err != nil {
		return 0, err
	}
	if len(dst) < n {
		return 0, fmt.Errorf("%w: room for %d samples of %d", codec.ErrShort, len(dst), n)
	}
	// A peer chooses these bytes. If one of them should drive the decoder out of its tables, this packet is lost and the call goes on, with a new decoder:
	// nothing is known of the old one's state.
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("%w: Opus decoder failed", codec.ErrFrame)
			d.d, _ = pion.NewDecoderWithOutput(d.rate, 1) // the same arguments as before
		}
	}()
	got, err := d.d.DecodeToInt16(payload, dst[:n])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", codec.ErrFrame, err)
	}
	return got, nil
}

// Samples returns how many samples at rate Hz one packet decodes to, by its first bytes (RFC 6716 section 3.1). The error wraps codec.ErrFrame for a packet that is empty
// or longer than 120 ms.
func Samples(payload []byte, rate int) (int, error) {
	if len(payload) == 0 {
		return 0, fmt.Errorf("%w: empty Opus packet", codec.ErrFrame)
	}
	config, frames := payload[0]>>3, 1
	var ticks int // a frame's, at 48000 Hz
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		ticks = [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		ticks = 480 << (config & 1)
	default: // CELT: 2.5, 5, 10, 20 ms
		ticks = 120 << (config & 3)
	}
	switch payload[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(payload) < 2 {
			return 0, fmt.Errorf("%w: Opus packet cut off", codec.ErrFrame)
		}
		frames = int(payload[1] & 0x3f)
	}
	if frames == 0 || frames*ticks > 5760 {
		return 0, fmt.Errorf("%w: Opus packet of %d frames", codec.ErrFrame, frames)
	}
	return frames * ticks * rate / 48000, nil
}
