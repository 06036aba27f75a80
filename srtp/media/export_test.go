package media

import (
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Datagram hands the leg's port a packet as its reader would, for tests that count allocations and time without the scheduler's part.
func (l *Leg) Datagram(in, out []byte, src netip.AddrPort) {
	s := l.port.Load().rtp
	s.mu.Lock()
	defer s.mu.Unlock()
	s.datagram(in, out, src, time.Now())
	s.box.flush()
}

// DatagramBuffer is the size of the reader's work buffer.
const DatagramBuffer = maxDatagram + headroom

// Manual keeps the pacer from ticking the conference, for tests that tick it themselves. It is called before the first Join.
func (c *Conference) Manual() { c.paced = true }

// Tick is one tick of the pacer at a time since the engine's start.
func (c *Conference) Tick(since time.Duration) {
	box := c.eng.pace.box
	c.eng.pace.sending.Lock()
	defer c.eng.pace.sending.Unlock()
	c.tick(c.eng.epoch.Add(since), box)
	box.flush()
}

// Feed puts 20 ms of the codec the leg sends into the member's playout buffer, as its reader would. buf has room for a packet.
func (m *Member) Feed(buf []byte, seq uint16, payload []byte, since time.Duration) {
	c := m.leg.sendsWith()
	p := packet{raw: buf[:12+copy(buf[12:], payload)], head: 12, kind: kindAudio, codec: c, clock: uint32(c.ClockRate), seq: seq,
		ts: uint32(seq) * uint32(c.FrameTicks), ssrc: 1, at: m.conf.eng.epoch.Add(since)}
	p.payload = p.raw[12:]
	m.take(&p, 0)
}

// NaiveTick does a tick's work as one would write it down first: each member is decoded, each listener's sum is made of all the others and encoded for it alone.
func (c *Conference) NaiveTick(since time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range c.members {
		c.frames[i], _ = m.next(since, c.rate)
	}
	sum, out, coded := make([]int32, c.rate/50), make([]int16, c.rate/50), make([]byte, samplesPerFrame)
	for i := range c.members {
		clear(sum)
		for j, f := range c.frames {
			if i == j || f == nil {
				continue
			}
			for k, v := range f {
				sum[k] += int32(v)
			}
		}
		for k, v := range sum {
			out[k] = int16(max(-32768, min(32767, v)))
		}
		codec.EncodeMulaw(coded, out)
	}
}

// OpusTicks is what the leg reads from an Opus packet without decoding it.
var OpusTicks = opusTicks

// Scaler carries the events of one stream to another clock.
type Scaler struct{ s eventScaler }

// Scale changes the duration in payload and returns where the event is in the destination's time, counted from the key's beginning, and that beginning in the source's.
func (s *Scaler) Scale(payload []byte, ts, from, to uint32) (behind, first uint32, ok bool) {
	if first, ok = s.s.begin(payload, ts); !ok {
		return 0, 0, false
	}
	return s.s.scale(payload, from, to), first, true
}
