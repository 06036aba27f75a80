package media

import (
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/internal/jitter"
)

// fenceFrames is how many frames of audio that arrived after an arrangement it takes until a new listener gets one: the first is mixed up with what was before it by
// concealment and filters.
const fenceFrames = 2

// Member is a leg's place in a conference. Conference.Join makes it. It is safe for concurrent use.
type Member struct {
	conf *Conference
	leg  *Leg
	into route // from the leg to here

	intake intake
	play   playout // the conference's mu guards it and what follows
	n      int     // number in the conference
	in     bool
	fence  int     // above 0: some listeners do not hear it yet
	cut    bool    // it lost a speaker since the last tick
	lead   *Member // the first member that hears the same
	voice  *voice
}

// intake is what came from the leg and was not played yet.
type intake struct {
	mu      sync.Mutex
	gone    bool
	dropped bool // what is decoded already shall not be played either
	buf     *jitter.Buffer
	clock   uint32
	skip    uint16         // packets that were no audio: their numbers are no losses
	codecs  []*codec.Codec // by the number in front of the payload
	keys    [8]byte
	pressed int // in keys
}

// noiseTag stands in front of comfort noise where audio has the number of its codec.
const noiseTag = 0xff

func newMember(c *Conference, l *Leg) *Member {
	m := &Member{conf: c, leg: l}
	m.into = route{from: l, member: m}
	m.lead = m
	return m
}

// Leg returns the member's leg.
func (m *Member) Leg() *Leg { return m.leg }

// attach takes the leg; from is the route it had until now, nil for none. The caller holds the conference's mu.
func (m *Member) attach(from *route) error {
	l, t := m.leg, &m.leg.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.agreed() && l.ended():
		return ErrClosed
	case !t.agreed():
		return ErrNotReady
	case t.member != nil || from == nil && t.route != nil || !l.out.CompareAndSwap(from, &m.into):
		return ErrBusy
	}
	t.route, t.member = nil, m
	t.quit()
	l.seatIn.Store(m)
	if l.ended() { // it closed before it could see the conference
		l.seatIn.CompareAndSwap(m, nil)
		l.out.CompareAndSwap(&m.into, nil)
		t.member = nil
		return ErrClosed
	}
	return nil
}

// Leave takes the leg out; it stays open. When it returns, nothing of it is on its way to the others and nothing of the conference to it. It is safe to call
// again. Closing the leg leaves.
func (m *Member) Leave() {
	c, l := m.conf, m.leg
	c.mu.Lock()
	c.evict(m)
	m.shut()
	l.out.CompareAndSwap(&m.into, nil)
	t := &l.tx
	t.mu.Lock()
	if t.member == m {
		t.member = nil
		t.quit()
	}
	l.kick()
	t.mu.Unlock()
	l.seatIn.CompareAndSwap(m, nil)
	c.mu.Unlock()
	l.settle()
	c.eng.pace.barrier()
}

// shut takes nothing in any more.
func (m *Member) shut() {
	m.intake.mu.Lock()
	m.intake.gone, m.intake.buf = true, nil
	m.intake.mu.Unlock()
}

// forget throws away what waits to be played.
func (m *Member) forget() {
	m.intake.mu.Lock()
	m.intake.buf, m.intake.dropped, m.intake.pressed = nil, true, 0
	m.intake.mu.Unlock()
}

// take puts a packet of the leg into the playout buffer. It runs on the leg's reader goroutine and spoils p.
func (m *Member) take(p *packet, digit byte) {
	in := &m.intake
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.gone || m.leg.secret.Load() {
		return
	}
	tag := byte(noiseTag)
	length := ticksOf(p)
	switch {
	case p.kind == kindAudio:
		tag = in.tag(p.codec)
	case p.kind == kindNoise && p.clock == in.clock:
	default:
		if digit != 0 && m.conf.cfg.RelayDigits && in.pressed < len(in.keys) {
			in.keys[in.pressed] = digit
			in.pressed++
		}
		in.skip++
		return
	}
	if in.buf == nil || p.clock != in.clock {
		buf, err := jitter.New(jitter.Config{Clock: int(p.clock)})
		if err != nil {
			return // cannot happen: the clocks are those of codecs
		}
		in.buf, in.clock = buf, p.clock
	}
	// The header is done with; its last bytes tell whoever plays the packet what it is and when it came.
	p.raw[p.head-2], p.raw[p.head-1] = byte(m.conf.gen.Load()), tag
	in.buf.Put(jitter.Packet{SSRC: p.ssrc, Seq: p.seq - in.skip, TS: p.ts, Marker: p.marker, Ticks: length, Silent: tag == noiseTag,
		Payload: p.raw[p.head-2 : p.head+len(p.payload)], At: p.at.Sub(m.conf.eng.epoch)})
}

func ticksOf(p *packet) int {
	if p.kind == kindAudio {
		return ticks(p.codec, p.payload)
	}
	return int(p.clock / 50)
}

// tag is the number of a codec.
func (in *intake) tag(c *codec.Codec) byte {
	for i, known := range in.codecs {
		if known == c {
			return byte(i)
		}
	}
	if len(in.codecs) == noiseTag {
		in.codecs = in.codecs[:0] // cannot happen: an engine has a handful
	}
	in.codecs = append(in.codecs, c)
	return byte(len(in.codecs) - 1)
}

// get takes the next piece out of the buffer; c is the codec of a frame, nil for comfort noise.
func (in *intake) get(now time.Duration) (r jitter.Result, c *codec.Codec, gen byte) {
	if in.buf == nil {
		return jitter.Result{}, nil, 0
	}
	r = in.buf.Get(now)
	if r.Kind != jitter.Frame {
		return r, nil, 0
	}
	if tag := int(r.Payload[1]); tag != noiseTag {
		c = in.codecs[tag]
	}
	gen, r.Payload = r.Payload[0], r.Payload[2:]
	return r, c, gen
}
