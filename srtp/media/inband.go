package media

import (
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// keySource is how a key came.
type keySource uint8

const (
	fromEvent keySource = iota // telephone-event
	fromTone                   // in-band
)

// inband finds keys in a leg's audio. Only legs that want it have one. What it needs to decode is made with the first packet.
type inband struct {
	mu       sync.Mutex
	codec    *codec.Codec
	dec      codec.Decoder
	down     *codec.Resampler // to 8000 Hz; nil: it is already
	detector *codec.DTMFDetector
	pcm      []int16
	low      []int16
	keys     []byte

	twins [8]twin // reports that the other way has not confirmed yet, latest last
}

// twin is a key that came one way and may come the other way again.
type twin struct {
	key  byte
	from keySource
	at   time.Time
}

// hear looks for keys in an audio packet. A nil inband does nothing.
func (b *inband) hear(l *Leg, p *packet) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.keys = b.keys[:0]
	if b.codec != p.codec {
		b.use(p.codec)
	}
	if b.dec != nil {
		b.detect(p.payload)
	}
	for _, k := range b.keys {
		if !b.twin(k, fromTone, p.at) {
			l.pushDigit(k)
		}
	}
	b.mu.Unlock()
}

// use prepares for a codec. Without a decoder nothing is detected, which checkCodecs has ruled out.
func (b *inband) use(c *codec.Codec) {
	b.codec, b.dec, b.down = c, nil, nil
	dec, err := c.NewDecoder()
	if err != nil {
		return
	}
	if c.Rate != clockRate {
		if b.down, err = codec.NewResampler(c.Rate, clockRate); err != nil {
			return
		}
	}
	b.dec = dec
	if b.detector == nil {
		b.detector = codec.NewDTMFDetector(codec.DTMFConfig{})
		b.keys = make([]byte, 0, 8)
	}
	b.pcm = make([]int16, c.FrameSamples*6) // 120 ms, the longest packet of any codec
	b.low = make([]int16, samplesPerFrame*6+1)
}

func (b *inband) detect(payload []byte) {
	n, err := b.dec.Decode(b.pcm, payload)
	if err != nil {
		return
	}
	pcm := b.pcm[:n]
	if b.down != nil {
		if n, err = b.down.Process(b.low, pcm); err != nil {
			return
		}
		pcm = b.low[:n]
	}
	b.keys = b.detector.Detect(b.keys, pcm)
}

// twin reports that a key is the one that came the other way a moment ago, and remembers it if not. Many phones send a key as events and let the beginning
// of its tone through, or all of it.
func (b *inband) twin(key byte, from keySource, at time.Time) bool {
	for i := range b.twins {
		t := &b.twins[i]
		if t.key == key && t.from != from && at.Sub(t.at) < twinWindow {
			t.key = 0
			return true
		}
	}
	copy(b.twins[:], b.twins[1:])
	b.twins[len(b.twins)-1] = twin{key, from, at}
	return false
}

// keyed takes a key that came as an event.
func (l *Leg) keyed(key byte, at time.Time) {
	if b := l.inband; b != nil {
		b.mu.Lock()
		known := b.twin(key, fromEvent, at)
		b.mu.Unlock()
		if known {
			return
		}
	}
	l.pushDigit(key)
}
