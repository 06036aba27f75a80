package media

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Prompt is audio ready to be sent: a recording, a tone, or several one after the other. It is immutable and may play on any number of legs and
// conferences at once. It is encoded once for each codec that plays it, by the caller of Play, Loop or Join, or by the pacer if a leg changes its codec in between, and keeps the result; its linear
// samples stay in memory as well, 2 bytes each.
type Prompt struct {
	parts  []*recording
	frames int
	last   time.Duration // how much of the last frame is silence that fills it up
}

// recording is one piece of audio at 8000 or 16000 Hz, in whole frames.
type recording struct {
	rate int
	pcm  []int16

	mu    sync.Mutex // not held while encoding: the pacer must not wait for another codec
	coded map[string]*coding
}

// coding is a recording in the codec of one name, encoded by the first who asks.
type coding struct {
	once sync.Once
	done *encoded // nil if that failed
}

// encoded is a recording in one codec.
type encoded struct {
	data []byte
	ends []uint32 // of the frames in data; nil: all have the same size
	size int
}

func (e *encoded) frame(i int) []byte {
	if e.ends == nil {
		return e.data[i*e.size : (i+1)*e.size]
	}
	from := uint32(0)
	if i > 0 {
		from = e.ends[i-1]
	}
	return e.data[from:e.ends[i]]
}

// NewPrompt makes a prompt of samples taken at 8000 a second. It copies pcm. The error wraps ErrConfig for more than an hour.
func NewPrompt(pcm []int16) (*Prompt, error) { return newPrompt(pcm, clockRate) }

// NewWidePrompt makes a prompt of samples taken at 16000 a second: legs with a wideband codec get all of them. It copies pcm. The error wraps ErrConfig
// for more than an hour.
func NewWidePrompt(pcm []int16) (*Prompt, error) { return newPrompt(pcm, wideRate) }

func newPrompt(pcm []int16, rate int) (*Prompt, error) {
	if len(pcm) > maxPrompt*rate {
		return nil, fmt.Errorf("%w: prompt of %d samples", ErrConfig, len(pcm))
	}
	size := rate / 50
	frames := (len(pcm) + size - 1) / size
	full := make([]int16, frames*size) // the last frame is filled up with silence
	copy(full, pcm)
	p := &Prompt{frames: frames, last: time.Duration(len(full)-len(pcm)) * time.Second / time.Duration(rate)}
	if frames > 0 {
		p.parts = []*recording{{rate: rate, pcm: full}}
	}
	return p, nil
}

// LoadWAV makes a prompt of a WAV stream in any form codec.ReadWAV takes, such as a file or what a codec/speech Synthesizer returns, mixed to one channel. Audio of
// 16000 Hz and more keeps 16000, other audio 8000. The errors are those of codec.ReadWAV and NewPrompt.
func LoadWAV(r io.Reader) (*Prompt, error) {
	a, err := codec.ReadWAV(r)
	if err != nil {
		return nil, err
	}
	rate := clockRate
	if a.Rate >= wideRate {
		rate = wideRate
	}
	pcm, err := codec.Resample(a.PCM, a.Rate, rate)
	if err != nil {
		return nil, err
	}
	return newPrompt(pcm, rate)
}

// PlayList makes one prompt of several that play one after the other, each from the beginning of a packet. It shares their memory. Nil and empty prompts
// are left out. The error wraps ErrConfig for more than an hour.
func PlayList(prompts ...*Prompt) (*Prompt, error) {
	list := &Prompt{}
	for _, p := range prompts {
		if p == nil || p.frames == 0 {
			continue
		}
		list.parts = append(list.parts, p.parts...)
		list.frames += p.frames
		list.last = p.last
	}
	if list.frames > maxPrompt*50 {
		return nil, fmt.Errorf("%w: list of %v", ErrConfig, list.Duration())
	}
	return list, nil
}

// Duration returns how long the prompt plays, without the silence that fills its last packet.
func (p *Prompt) Duration() time.Duration { return time.Duration(p.frames)*frameTime - p.last }

// frame returns the coded frame i, 0 to frames-1; nil if the codec failed.
func (p *Prompt) frame(c *codec.Codec, i int) []byte {
	for _, r := range p.parts {
		n := len(r.pcm) / (r.rate / 50)
		if i < n {
			if e := r.encoded(c); e != nil {
				return e.frame(i)
			}
			return nil
		}
		i -= n
	}
	return nil
}

// prepare encodes the prompt for a codec, so that the pacer need not.
func (p *Prompt) prepare(c *codec.Codec) {
	if c == nil {
		return
	}
	for _, r := range p.parts {
		r.encoded(c)
	}
}

// encoded returns the recording in a codec; nil if that fails.
func (r *recording) encoded(c *codec.Codec) *encoded {
	r.mu.Lock()
	x := r.coded[c.Name]
	if x == nil {
		if r.coded == nil {
			r.coded = make(map[string]*coding)
		}
		x = &coding{}
		r.coded[c.Name] = x
	}
	r.mu.Unlock()
	x.once.Do(func() { x.done, _ = r.encode(c) })
	return x.done
}

func (r *recording) encode(c *codec.Codec) (*encoded, error) {
	enc, err := c.NewEncoder()
	if err != nil {
		return nil, err
	}
	pcm := r.pcm
	if r.rate != c.Rate {
		if pcm, err = codec.Resample(pcm, r.rate, c.Rate); err != nil {
			return nil, err
		}
	}
	frames := len(pcm) / c.FrameSamples
	e := &encoded{data: make([]byte, 0, frames*c.MaxPayload), size: c.MaxPayload}
	if warm := min(frames, warmFrames); !isG711(c.Name) && warm > 0 {
		// The encoder begins in the state of the end: a loop has no seam then, and a decoder that has just heard something loud is not taken by surprise.
		pad := make([]byte, c.MaxPayload)
		for i := frames - warm; i < frames; i++ {
			if _, err := enc.Encode(pad, pcm[i*c.FrameSamples:(i+1)*c.FrameSamples]); err != nil {
				return nil, err
			}
		}
	}
	ends := make([]uint32, 0, frames)
	same := true
	for i := range frames {
		at := len(e.data)
		n, err := enc.Encode(e.data[at:cap(e.data)][:c.MaxPayload], pcm[i*c.FrameSamples:(i+1)*c.FrameSamples])
		if err != nil {
			return nil, err
		}
		e.data = e.data[:at+n]
		ends = append(ends, uint32(at+n))
		same = same && n == c.MaxPayload
	}
	if !same {
		e.ends = ends
		e.data = append([]byte(nil), e.data...) // without the room that was not used
	}
	return e, nil
}
