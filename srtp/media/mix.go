package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// calmFrames is how many frames of silence a new G.722 encoder sends first. It begins with its smallest step; a decoder that has just heard somebody loud has a great one, would take
// the first voice for a shout, and comes down to the encoder's step in silence.
const calmFrames = 2

// quiet is the greatest sample that counts as silence: the least A-law has is 8.
const quiet = 8

// sharedFrame is one result of the mixer in G.711, which has no state: whoever hears it can have the same bytes.
type sharedFrame struct {
	at   [2]uint64 // the tick each was made in
	data [2][samplesPerFrame]byte
}

// voice is one member's outgoing codec, for codecs with a state or another rate than the conference. Members who hear the same share the first one's.
type voice struct {
	codec *codec.Codec
	from  int // the conference's rate
	calm  int // frames of silence to send first
	enc   codec.Encoder
	rate  *codec.Resampler // nil: the rates are equal
	pcm   []int16
	data  []byte
	n     int
	at    uint64 // the tick data was made in
}

// tick implements ticker. It runs on the pacer.
func (c *Conference) tick(now time.Time, box *outbox) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count == 0 {
		c.paced = false
		return false
	}
	c.ticks++
	since := now.Sub(c.eng.epoch)
	for i, m := range c.members {
		if m != nil {
			c.frames[i] = c.listen(m, since)
		}
	}
	if c.mixer.Mix(c.frames, c.hear) != nil {
		return true // cannot happen: every frame has the mixer's length
	}
	if n := c.mixer.Results(); n > len(c.shared) {
		c.shared = append(c.shared, make([]sharedFrame, n-len(c.shared))...)
	}
	for _, m := range c.members {
		if m != nil {
			c.speak(m, box, now)
			c.relayKeys(m)
		}
	}
	return true
}

// listen returns a member's next frame, nil if it is silent.
func (c *Conference) listen(m *Member, since time.Duration) []int16 {
	frame, fresh := m.next(since, c.rate)
	if p := m.play.codec; p != nil && p.Rate > c.rate && c.rate < wideRate {
		c.widen()
		return nil // its first 20 ms make way for the change
	}
	if frame == nil {
		return nil
	}
	if m.fence > 0 && fresh {
		if m.fence--; m.fence == 0 {
			c.release(m)
		}
	}
	for _, v := range frame {
		if v > quiet || v < -quiet {
			return frame
		}
	}
	return nil
}

// widen makes 16000 Hz the rate of the mix.
func (c *Conference) widen() {
	if c.setRate(wideRate) != nil {
		return // cannot happen: it is a rate the mixer has
	}
	clear(c.frames) // of this tick, at the old rate
}

// speak sends a member what it hears.
func (c *Conference) speak(m *Member, box *outbox, now time.Time) {
	t := &m.leg.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.member != m || t.codec == nil {
		return
	}
	if m.cut {
		// What filter, encoder and a packet that is not full remember is of somebody it may not hear any more.
		m.cut = false
		m.voice = m.voice.cleared()
		t.quit()
	}
	if t.codec.Rate > c.rate && c.rate < wideRate {
		c.widen()
		return
	}
	var payload []byte
	from := any(m)
	if music := c.cfg.Music; music != nil && c.alone(m.n) {
		payload, from = music.frame(t.codec, int(now.Sub(c.eng.epoch)/frameTime)%music.frames), music
	} else {
		payload = c.encoded(m, t.codec)
	}
	switch {
	case !t.open():
		t.quit()
	case t.fg == nil && len(payload) > 0:
		t.emit(box, from, payload, now)
	}
}

// encoded returns what a member hears in its codec: made once for all who hear the same in the same codec.
func (c *Conference) encoded(m *Member, to *codec.Codec) []byte {
	pcm, result := c.mixer.Heard(m.n)
	if pcm == nil {
		pcm = c.zero
	}
	if c.rate == clockRate && isG711(to.Name) {
		return c.plain(pcm, result, to.Name)
	}
	if v := m.lead.voice; m.lead != m && v != nil && v.codec == to && v.at == c.ticks {
		return v.data[:v.n]
	}
	v := m.voice
	if v == nil || v.codec != to || v.from != c.rate || v.at+1 < c.ticks && v.at != 0 {
		if v = newVoice(to, c.rate); v == nil {
			return nil
		}
		m.voice = v
	}
	if v.calm > 0 {
		v.calm--
		pcm = c.zero
	}
	return v.encode(pcm, c.ticks)
}

// plain encodes G.711 at the conference's rate.
func (c *Conference) plain(pcm []int16, result int, name string) []byte {
	if result < 0 {
		if name == sdp.PCMA {
			return silentAlaw[:]
		}
		return silentMulaw[:]
	}
	law := 0
	if name == sdp.PCMA {
		law = 1
	}
	s := &c.shared[result]
	if s.at[law] != c.ticks {
		s.at[law] = c.ticks
		if law == 1 {
			codec.EncodeAlaw(s.data[1][:], pcm)
		} else {
			codec.EncodeMulaw(s.data[0][:], pcm)
		}
	}
	return s.data[law][:]
}

var silentMulaw, silentAlaw = fill(codec.SilenceMulaw), fill(codec.SilenceAlaw)

func fill(b byte) (frame [samplesPerFrame]byte) {
	for i := range frame {
		frame[i] = b
	}
	return frame
}

// newVoice returns nil if the codec cannot be encoded, which checkCodecs has ruled out.
func newVoice(to *codec.Codec, rate int) *voice {
	enc, err := to.NewEncoder()
	if err != nil {
		return nil
	}
	v := &voice{codec: to, from: rate, enc: enc, data: make([]byte, to.MaxPayload)}
	if even(to) && !isG711(to.Name) {
		v.calm = calmFrames
	}
	if to.Rate != rate {
		if v.rate, err = codec.NewResampler(rate, to.Rate); err != nil {
			return nil
		}
		v.pcm = make([]int16, to.FrameSamples)
	}
	return v
}

// cleared returns a voice that remembers nothing of what it encoded. The encoder of G.722 is kept: its filter holds 1.5 ms, which is nothing anybody could make out, and the
// phone's decoder would answer a new one with a burst of full loudness, because it has adapted to the old one's level.
func (v *voice) cleared() *voice {
	if v == nil || !even(v.codec) {
		return nil
	}
	if v.rate != nil {
		v.rate, _ = codec.NewResampler(v.from, v.codec.Rate) // newVoice has made one like it
	}
	return v
}

func (v *voice) encode(pcm []int16, tick uint64) []byte {
	if v.rate != nil {
		if _, err := v.rate.Process(v.pcm, pcm); err != nil {
			return nil
		}
		pcm = v.pcm
	}
	n, err := v.enc.Encode(v.data, pcm)
	if err != nil {
		return nil
	}
	v.n, v.at = n, tick
	return v.data[:n]
}

// relayKeys sends what a member pressed to those who hear it. The caller holds mu.
func (c *Conference) relayKeys(m *Member) {
	in := &m.intake
	in.mu.Lock()
	keys, n := in.keys, in.pressed
	in.pressed = 0
	in.mu.Unlock()
	if n == 0 || m.leg.secret.Load() {
		return
	}
	events := make([]byte, 0, n)
	for _, k := range keys[:n] {
		if e, ok := eventOf(k); ok {
			events = append(events, e)
		}
	}
	for i, o := range c.members {
		if o == nil || !c.hear[i].Has(m.n) {
			continue
		}
		t := &o.leg.tx
		t.mu.Lock()
		if t.member == o && t.fg == nil && t.open() && t.eventPT >= 0 {
			t.fg = &job{digits: &digitSender{events: events}, done: make(chan struct{})}
			o.leg.kick()
		}
		t.mu.Unlock()
	}
}
