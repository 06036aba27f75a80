package codec

import (
	"fmt"
	"math"
	"time"
)

// CN describes comfort noise of RFC 3389 for session descriptions: payload type 13, 8000 Hz. It has no encoder or decoder, because a payload describes
// any length of time: use AppendNoise and a Noise.
func CN() Codec {
	none := fmt.Errorf("%w: comfort noise has no frames", ErrFrame)
	return Codec{
		Name: "CN", PayloadType: 13, Static: true, ClockRate: 8000, Rate: 8000, Channels: 1, FrameSamples: 160, FrameTicks: 160, MaxPayload: 1,
		NewEncoder: func() (Encoder, error) { return nil, none },
		NewDecoder: func() (Decoder, error) { return nil, none },
	}
}

// Level returns the level of pcm in dBov: 0 is the overload point, a square wave of full scale, and -127 the least, which silence has too
// (RFC 3389 section 3).
func Level(pcm []int16) float64 {
	var e float64
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	if e == 0 {
		return -127
	}
	return max(-127, 10*math.Log10(e/float64(len(pcm))/(32767*32767)))
}

// AppendNoise appends the RFC 3389 payload for background noise of a level in dBov, such as VAD.Noise returns: one byte, without a spectrum.
func AppendNoise(dst []byte, dbov float64) []byte {
	if math.IsNaN(dbov) {
		dbov = -127
	}
	return append(dst, byte(math.Round(max(0, min(127, -dbov)))))
}

// noiseLoudest bounds what a peer can have us play as background: a packet that asks for more is a mistake or meant to hurt ears.
const noiseLoudest = -20

// Noise makes comfort noise at the level a peer asked for. It is white: the spectrum that a payload may carry is not used, which RFC 3389 section 4
// allows. The level glides, so that updates do not click. It is used by one goroutine at a time.
type Noise struct {
	rng       uint64
	goal, amp float32
	set       bool
}

// NewNoise makes a silent Noise. Two with the same seed are equal; a different one for each stream keeps them apart.
func NewNoise(seed uint64) *Noise {
	return &Noise{rng: seed*2862933555777941757 + 3037000493}
}

// Set takes a payload. The level is clipped to -20 dBov. The error wraps ErrFrame for an empty payload, one of more than 1 KiB, or one whose reserved bit
// is set; the level stays as it was then.
func (g *Noise) Set(payload []byte) error {
	if len(payload) == 0 || len(payload) > 1024 || payload[0] > 127 {
		return fmt.Errorf("%w: comfort noise of %d bytes", ErrFrame, len(payload))
	}
	g.SetLevel(-float64(payload[0]))
	return nil
}

// SetLevel takes a level in dBov. It is clipped to -20; -127 and below is silence.
func (g *Noise) SetLevel(dbov float64) {
	g.goal = 0
	if dbov > -127 {
		// Uniform noise of peak a has the power of a square wave of a/√3.
		g.goal = float32(32767 * math.Sqrt(3) * math.Pow(10, min(noiseLoudest, dbov)/20))
	}
	if !g.set {
		g.amp, g.set = g.goal, true
	}
}

// Fill writes noise. It does not allocate.
func (g *Noise) Fill(dst []int16) {
	for i := range dst {
		g.amp += (g.goal - g.amp) / 128
		g.rng = g.rng*6364136223846793005 + 1442695040888963407
		dst[i] = round16(g.amp * float32(int32(g.rng>>32)) / (1 << 31))
	}
}

// VADConfig describes a VAD.
type VADConfig struct {
	// Margin is how much louder than the background a frame must be to count as voice, in dB. If zero, 9.
	Margin float64
	// Floor is the level in dBov below which nothing counts as voice, whatever the background. If zero, -55.
	Floor float64
	// Hangover is how long voice goes on after the last loud frame, so that the ends of words are kept. If zero, 240 ms.
	Hangover time.Duration
}

const (
	vadMargin   = 9
	vadFloor    = -55
	vadHangover = 240 * time.Millisecond
	vadStart    = -60 // the background before anything was heard
	vadLoudest  = -38 // a background is never louder: whoever talks without a pause is heard as talking
	vadRise     = 3   // dB a second by which the background follows upwards
)

// VAD tells voice from background by energy. The background is the quiet between words: it follows quieter frames within a few and louder ones by 3 dB a
// second, up to -38 dBov. It is good for silence suppression and for noticing that nobody speaks; it does not know a voice from music.
// It is used by one goroutine at a time.
type VAD struct {
	cfg   VADConfig
	rate  int
	back  float64
	level float64
	hang  time.Duration
}

// NewVAD makes a VAD for samples at rate Hz, one channel. The error wraps ErrRate for a rate outside 1000 to 192000 Hz.
func NewVAD(rate int, cfg VADConfig) (*VAD, error) {
	if rate < 1000 || rate > 192000 {
		return nil, fmt.Errorf("%w: %d Hz", ErrRate, rate)
	}
	if cfg.Margin == 0 {
		cfg.Margin = vadMargin
	}
	if cfg.Floor == 0 {
		cfg.Floor = vadFloor
	}
	if cfg.Hangover == 0 {
		cfg.Hangover = vadHangover
	}
	return &VAD{cfg: cfg, rate: rate, back: vadStart, level: -127}, nil
}

// Voice takes a frame of 10 to 60 ms and reports whether it is voice or the end of it. It does not allocate.
func (v *VAD) Voice(pcm []int16) bool {
	if len(pcm) == 0 {
		return v.hang > 0
	}
	d := time.Duration(len(pcm)) * time.Second / time.Duration(v.rate)
	v.level = Level(pcm)
	loud := v.level > max(v.cfg.Floor, v.back+v.cfg.Margin)
	if v.level < v.back {
		v.back = max(-127, v.back+(v.level-v.back)*0.25) // a single quiet frame is not believed whole
	} else {
		v.back = min(vadLoudest, v.level, v.back+vadRise*d.Seconds())
	}
	if loud {
		v.hang = v.cfg.Hangover
		return true
	}
	if v.hang > 0 {
		v.hang -= d
		return true
	}
	return false
}

// Noise returns the level of the background in dBov.
func (v *VAD) Noise() float64 { return v.back }

// Level returns the level of the last frame in dBov.
func (v *VAD) Level() float64 { return v.level }
