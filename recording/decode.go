package recording

import "fmt"

// Decoder turns the frames of one stream, in their order, into linear audio. It may keep state between frames. It is used by one goroutine at a time.
type Decoder interface {
	// Decode writes 16-bit mono samples at SampleRate of one payload into dst, which has room for exactly as long as the frame lasts, and returns how many
	// it wrote. It keeps neither slice. After an error, or with fewer samples than there is room for, what is missing plays as silence and the stream goes on.
	Decode(dst []int16, payload []byte) (n int, err error)
}

// pcm is a stretch of decoded audio.
type pcm struct {
	at      int64
	samples []int16
}

// stream is the decoder of one party, and up to where it has decoded.
type stream struct {
	code byte
	dec  Decoder
	end  int64
}

// preroll is how much of what comes before is decoded and thrown away when somebody starts in the middle, so that a decoder finds its state.
const preroll = int64(SampleRate)

// decodeFrames decodes one party's frames of a segment, unless that was done. A decoder that has just decoded what comes before goes on; otherwise a new one
// is made and hears the second before.
func (p *Playback) decodeFrames(c *cached, it item, party int) error {
	if c.pcm[party] != nil {
		return nil
	}
	c.pinned = true
	defer func() { c.pinned = false }()
	st := &p.streams[party]
	first := int64(-1)
	for _, r := range c.audio {
		if r.kind == kindFrames && int(r.party) == party {
			first = int64(r.at)
			break
		}
	}
	if st.dec == nil || st.end != first {
		*st = stream{end: -1}
		for before, err := range p.overlapping(first-preroll, first) {
			if err != nil {
				return err
			}
			if before.number >= it.number {
				break
			}
			b, err := p.segmentLocked(before)
			if err != nil {
				return err
			}
			if _, err := p.run(st, b, party); err != nil {
				return err
			}
		}
	}
	out, err := p.run(st, c, party)
	if err != nil {
		return err
	}
	c.pcm[party] = out
	return nil
}

// run decodes all frames that a segment has of a party.
func (p *Playback) run(st *stream, c *cached, party int) ([]pcm, error) {
	out := []pcm{}
	for _, r := range c.audio {
		if r.kind != kindFrames || int(r.party) != party {
			continue
		}
		if st.dec == nil || st.code != r.code {
			open := p.decoders[codecName(r.code)]
			if open == nil {
				return nil, fmt.Errorf("%w: %s", ErrCodec, codecName(r.code))
			}
			*st = stream{code: r.code, dec: open()}
			if st.dec == nil {
				return nil, fmt.Errorf("%w: %s", ErrCodec, codecName(r.code))
			}
		}
		s := pcm{at: int64(r.at), samples: make([]int16, r.ticks())}
		room := s.samples
		for b := r.data; len(b) > 0; {
			ticks, payload, rest, err := cutFrame(b)
			if err != nil {
				return nil, err // checked when it was read
			}
			from := s.at + int64(len(s.samples)-len(room))
			if p.cut.hides(party, from, from+int64(ticks)) {
				// Not decoded: what a decoder remembers of it would be heard in the frames behind it.
			} else if n, err := st.dec.Decode(room[:ticks:ticks], payload); err != nil || n < 0 || n > ticks {
				clear(room[:ticks]) // one bad packet of a peer is no reason to lose the recording
			}
			room, b = room[ticks:], rest
		}
		st.end = s.at + int64(len(s.samples))
		out = append(out, s)
	}
	return out, nil
}
