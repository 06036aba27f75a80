package jitter

import "time"

// How far the delay may be from the target before audio is touched, in frames, and how rarely.
const (
	calmCalls = 10 // calls between two changes within speech
	farFrames = 6  // a delay this far above the target is cut at once
)

// Get returns what to play at now, which never goes back. Call it whenever the next stretch of audio is needed.
func (b *Buffer) Get(now time.Duration) Result {
	b.calm++
	if b.held == 0 {
		switch {
		case !b.started:
			return b.result(Waiting)
		case b.silent:
			return b.result(Comfort)
		}
		return b.result(Dry)
	}
	s, at, over := b.ahead(now)
	if !b.started || at > b.nextAt+b.cfg.Frame/4 {
		// A talkspurt begins: it may be put wherever the target wants it.
		if over < 0 {
			if !b.started {
				return b.result(Waiting)
			}
			b.silent = true
			return b.result(Comfort)
		}
		b.started = true
	}
	s, over = b.shrink(now, s, over)
	switch short := -over; {
	case s.ext != b.next:
		return b.gap(now, over, s)
	case short > b.cfg.Frame/2 && b.calm > calmCalls, short > 0 && s.silent:
		return b.result(Stretch)
	}
	return b.play(now, s)
}

// ahead returns the first packet held, where the packet to play next is on the timeline, and how much longer than the target it was
// held back. There is a packet.
func (b *Buffer) ahead(now time.Duration) (s *slot, at, over time.Duration) {
	n := b.next
	for b.ring[n&(slots-1)].ext != n {
		n++
	}
	s = &b.ring[n&(slots-1)]
	at = s.media - time.Duration(n-b.next)*b.length
	if b.started && n != b.next {
		at = max(at, b.nextAt)
	}
	// A packet that was faster than the reference was here before: it waits from then.
	return s, at, now - at - min(b.delay.base, s.transit) - b.delay.target
}

// shrink leaves packets out while the delay is too long: at once if it is far too long, else one in a while, and never the last one held.
func (b *Buffer) shrink(now time.Duration, s *slot, over time.Duration) (*slot, time.Duration) {
	frame := b.cfg.Frame
	far := over+b.delay.target > b.cfg.Max+frame || over > farFrames*frame
	once := over > frame+frame/2 && b.calm > calmCalls || over > frame && s.ext == b.next && s.silent
	for (b.held > 1 || s.ext != b.next) && (far && over > frame || once) {
		b.drop()
		b.calm, once = 0, false
		s, _, over = b.ahead(now)
	}
	return s, over
}

// gap handles a missing packet; s is the first one behind it.
func (b *Buffer) gap(now, over time.Duration, s *slot) Result {
	for s.ext != b.next && b.dry >= b.length {
		b.dry -= b.length // its time has passed, and so has that of the others: they were concealed while the buffer was dry
		over -= b.length
		b.pass(b.next + 1)
	}
	n := s.ext - b.next
	switch {
	case n == 0:
		return b.play(now, s)
	case -over > b.cfg.Frame/2:
		return b.result(Stretch) // there is time: it may only be out of order
	case over > time.Duration(n+1)*b.length:
		b.pass(s.ext) // far behind: nothing is won by concealing them
		return b.play(now, s)
	}
	b.stats.Lost++
	b.played <<= 1
	b.next++
	b.nextAt += b.length
	return b.result(Lost)
}

// result is every result but Frame.
func (b *Buffer) result(k Kind) Result {
	r := Result{Kind: k, Ticks: int(b.cfg.Frame * time.Duration(b.cfg.Clock) / time.Second)}
	switch k {
	case Lost:
		r.Ticks = b.ticks
		b.stats.Concealed++
	case Stretch:
		b.calm = 0
		b.stats.Concealed++
	case Dry:
		b.dry += b.cfg.Frame
		b.stats.Concealed++
	case Waiting, Frame, Comfort:
	}
	return r
}

func (b *Buffer) play(now time.Duration, s *slot) Result {
	r := Result{Kind: Frame, Ticks: int(s.ticks), Marker: s.marker, Silent: s.silent, TS: s.ts, Seq: s.seq, Missed: b.missed, Skipped: b.skipped}
	n := 0
	for c := s.first; c != noChunk; c = b.link[c] {
		n += copy(b.out[n:s.size], b.data[c][:])
	}
	r.Payload = b.out[:n]
	b.missed, b.skipped, b.dry = 0, 0, 0
	b.stats.Played++
	b.stats.Delay = now - s.media - b.delay.base
	b.advance(s)
	return r
}
