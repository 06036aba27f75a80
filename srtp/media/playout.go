package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/internal/jitter"
)

// playout turns what a member sent into 20 ms of linear audio at a time.
type playout struct {
	codec *codec.Codec // nil before the first packet
	dec   codec.Decoder
	plc   *codec.PLC // nil where there is none for the rate: gaps are silent
	noise *codec.Noise
	rate  *codec.Resampler // to the conference's rate; nil: they are equal
	to    int              // the conference's rate rate was made for
	pcm   []int16          // decoded, not played yet
	n     int
	out   []int16

	// Of the first old samples in pcm some arrived before the last arrangement; gen is of the last packet, and hidden says that a gap is being concealed.
	old    int
	gen    byte
	hidden bool
}

// next returns the member's next 20 ms at a rate, and whether all of it arrived after the last arrangement. nil: there is nothing to play.
func (m *Member) next(now time.Duration, rate int) (frame []int16, fresh bool) {
	p, in := &m.play, &m.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.dropped || m.leg.secret.Load() {
		in.dropped, p.n, p.old = false, 0, 0
	}
	current := byte(m.conf.gen.Load())
	for tries := 0; p.codec == nil || p.n < p.codec.FrameSamples; tries++ {
		r, c, gen := in.get(now)
		if r.Kind == jitter.Waiting && p.n == 0 || p.codec == nil && c == nil || tries == 8 {
			return nil, false
		}
		p.add(r, c, gen, current)
	}
	size := p.codec.FrameSamples
	fresh = p.old == 0
	frame = p.convert(p.pcm[:size], rate)
	p.n = copy(p.pcm, p.pcm[size:p.n])
	p.old = max(0, p.old-size)
	return frame, fresh
}

// add appends what one result of the buffer stands for. gen is the arrangement a frame arrived under, and current the one in force.
func (p *playout) add(r jitter.Result, c *codec.Codec, gen, current byte) {
	if r.Kind == jitter.Frame && c != nil && c != p.codec && !p.use(c) {
		return
	}
	part, concealed := p.fill(r, c)
	old := p.gen != current
	switch {
	case concealed:
		p.hidden = true
	case r.Kind == jitter.Frame:
		old = gen != current || p.hidden && old // what conceals an older packet goes over into this one
		p.gen, p.hidden = gen, false
	default:
		old = p.hidden && old
		p.hidden = false
	}
	switch {
	case concealed && p.plc != nil:
		p.plc.Conceal(part)
	case concealed:
		clear(part)
	case p.plc != nil:
		p.plc.Good(part)
	}
	p.n += len(part)
	if old {
		p.old = p.n
	}
}

// fill writes a result behind what waits and returns that part of pcm, or the part that must be concealed.
func (p *playout) fill(r jitter.Result, c *codec.Codec) (part []int16, concealed bool) {
	length := min(r.Ticks, p.codec.ClockRate*maxPacketMillis/1000) * p.codec.Rate / p.codec.ClockRate
	part = p.pcm[p.n : p.n+length]
	switch {
	case r.Kind == jitter.Frame && c != nil:
		n, err := p.dec.Decode(p.pcm[p.n:], r.Payload)
		if err != nil || n == 0 {
			return part, true
		}
		return p.pcm[p.n : p.n+n], false
	case r.Kind == jitter.Frame:
		if p.noise == nil {
			p.noise = codec.NewNoise(1)
		}
		_ = p.noise.Set(r.Payload) // what is no comfort noise leaves the level as it was
		p.noise.Fill(part)
		return part, false
	case r.Kind == jitter.Comfort && p.noise != nil:
		p.noise.Fill(part)
		return part, false
	case r.Kind == jitter.Comfort || r.Kind == jitter.Waiting:
		clear(part)
		return part, false
	}
	return part, true
}

// use prepares for a codec and reports whether it can be decoded.
func (p *playout) use(c *codec.Codec) bool {
	dec, err := c.NewDecoder()
	if err != nil {
		return false // cannot happen: checkCodecs made one
	}
	p.codec, p.dec, p.rate = c, dec, nil
	p.plc, _ = codec.NewPLC(c.Rate) // nil for rates it does not have
	p.pcm = make([]int16, c.Rate*(maxPacketMillis+2*frameMillis)/1000)
	p.n, p.old, p.to = 0, 0, 0
	return true
}

// convert copies a frame at the conference's rate.
func (p *playout) convert(pcm []int16, rate int) []int16 {
	if p.to != rate {
		p.to, p.rate = rate, nil
		p.out = make([]int16, rate/50)
		if p.codec.Rate != rate {
			p.rate, _ = codec.NewResampler(p.codec.Rate, rate) // checkCodecs has seen that the rate is one of its rates
		}
	}
	if p.rate == nil {
		copy(p.out, pcm)
	} else if _, err := p.rate.Process(p.out, pcm); err != nil {
		clear(p.out) // cannot happen: 20 ms become 20 ms
	}
	return p.out
}
