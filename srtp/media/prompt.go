package media

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// Prompt is audio ready to be sent. It is immutable, encoded once for each codec that asks, and may play on any number of legs at once.
type Prompt struct {
	samples int
	mulaw   func() []byte
	alaw    func() []byte
}

// NewPrompt makes a prompt of samples taken at 8000 a second. It copies pcm. The error wraps ErrConfig for more than an hour.
func NewPrompt(pcm []int16) (*Prompt, error) {
	if len(pcm) > maxPrompt {
		return nil, fmt.Errorf("%w: prompt of %d samples", ErrConfig, len(pcm))
	}
	// µ-law holds 13 bits of a sample, A-law 12; keeping the linear samples would cost twice as much as both together.
	frames := (len(pcm) + samplesPerFrame - 1) / samplesPerFrame
	lin := make([]int16, frames*samplesPerFrame) // the last frame is filled up with silence
	copy(lin, pcm)
	p := &Prompt{samples: len(pcm)}
	p.mulaw = sync.OnceValue(func() []byte {
		b := make([]byte, len(lin))
		codec.EncodeMulaw(b, lin)
		return b
	})
	p.alaw = sync.OnceValue(func() []byte {
		b := make([]byte, len(lin))
		codec.EncodeAlaw(b, lin)
		return b
	})
	return p, nil
}

// LoadWAV makes a prompt of a WAV stream: 16-bit PCM or G.711, any rate from 8000 Hz, mixed to one channel. The errors are those of
// codec.ReadWAV and NewPrompt.
func LoadWAV(r io.Reader) (*Prompt, error) {
	a, err := codec.ReadWAV(r)
	if err != nil {
		return nil, err
	}
	pcm, err := codec.Resample(a.PCM, a.Rate, clockRate)
	if err != nil {
		return nil, err
	}
	return NewPrompt(pcm)
}

// Tone makes a prompt of a sine of freq Hz at a quarter of full scale. The error is NewPrompt's.
func Tone(freq float64, d time.Duration) (*Prompt, error) {
	if d > maxPrompt/clockRate*time.Second {
		return nil, fmt.Errorf("%w: tone of %v", ErrConfig, d)
	}
	return NewPrompt(codec.Tone(freq, d, 0.25))
}

// Duration returns how long the prompt plays, without the silence that fills its last packet.
func (p *Prompt) Duration() time.Duration {
	return time.Duration(p.samples) * time.Second / clockRate
}

// encoded returns the whole prompt in a codec; its length is a multiple of a frame.
func (p *Prompt) encoded(name string) []byte {
	if name == sdp.PCMA {
		return p.alaw()
	}
	return p.mulaw()
}
