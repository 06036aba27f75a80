package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/internal/quality"
)

// burstLimit bounds what one packet counts as lost: a jump of the sequence is no loss of seconds.
const burstLimit = 250

// stream keeps the reception statistics of RFC 3550 appendix A for the peer's current source.
type stream struct {
	started  bool
	ssrc     uint32
	base     uint32 // first sequence number
	highest  uint32 // extended by cycles in the upper half
	received uint64 // of this source
	transit  int64
	jitter   int64  // in timestamp units, times 16
	clock    uint32 // rate of the timestamps in Hz

	priorExpected, priorReceived uint64 // at the last report

	total    uint64 // received over all sources
	totalOut uint64 // lost over all earlier sources
	bursts   quality.Bursts
}

// reset begins a new source and keeps the sums.
func (s *stream) reset() {
	*s = stream{total: s.total, totalOut: s.totalOut + s.lost(), bursts: s.bursts}
}

func (s *stream) update(p *packet, now time.Time) {
	if !s.started || p.ssrc != s.ssrc {
		s.reset()
		s.started, s.ssrc = true, p.ssrc
		s.base, s.highest = uint32(p.seq), uint32(p.seq)
	}
	s.received++
	s.total++
	step := p.seq - uint16(s.highest)
	if step != 0 && step < 1<<15 {
		s.highest += uint32(step)
		for range min(step-1, burstLimit) {
			s.bursts.Lost()
		}
	}
	s.bursts.Received()
	if p.kind == kindEvent || p.clock == 0 {
		return // its timestamp stands still, which is not jitter
	}
	transit := arrival(now, p.clock) - int64(p.ts)
	if s.clock != p.clock {
		s.clock, s.jitter, s.transit = p.clock, 0, transit // the first one, or a codec with another clock
	}
	d := int64(int32(transit - s.transit)) // timestamps wrap
	s.transit = transit
	if d < 0 {
		d = -d
	}
	s.jitter += d - (s.jitter+8)/16
}

// arrival is now in timestamp units.
func arrival(now time.Time, clock uint32) int64 { return now.UnixMicro() * int64(clock/1000) / 1000 }

// spread is the jitter as a time.
func (s *stream) spread() time.Duration {
	if s.clock == 0 {
		return 0
	}
	return time.Duration(s.jitter/16) * time.Second / time.Duration(s.clock)
}

func (s *stream) expected() uint64 {
	if !s.started {
		return 0
	}
	return uint64(s.highest-s.base) + 1
}

func (s *stream) lost() uint64 {
	if e := s.expected(); e > s.received {
		return e - s.received
	}
	return 0
}

// interval returns the loss since the last call as a fraction of 256.
func (s *stream) interval() uint8 {
	expected, received := s.expected(), s.received
	de, dr := expected-s.priorExpected, received-s.priorReceived
	s.priorExpected, s.priorReceived = expected, received
	if de == 0 || dr >= de {
		return 0
	}
	return uint8(min(255, (de-dr)*256/de))
}
