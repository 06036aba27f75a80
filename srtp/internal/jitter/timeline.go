package jitter

import "time"

const (
	maxForward  = 3000            // a greater step of the sequence number is a new sequence (RFC 3550 appendix A.1)
	maxBackward = 100             // so is one further back
	maxTransit  = 2 * time.Second // a greater change of the transit time is a jump of the timestamp, or a network that stood still
)

type placement uint8

const (
	placeNormal placement = iota
	placeRefuse
	placeRestart
)

// timeline gives packets of one stream numbers that never wrap and times that never jump, whatever its sources do: a new source, sequence or
// timestamp goes on where the one before ended.
type timeline struct {
	begun   bool
	ssrc    uint32
	seq     uint16 // of the packet with the highest number
	ts      uint32
	ext     int64
	media   time.Duration
	length  time.Duration
	transit time.Duration
	odd     uint16 // what follows the packet that was out of sequence
	isOdd   bool
}

// place returns a packet's extended number and when it was sent.
func (t *timeline) place(p *Packet, clock int) (ext int64, media time.Duration, verdict placement) {
	length := span(int64(p.Ticks), clock)
	if !t.begun {
		t.begun, t.ssrc = true, p.SSRC
		t.reach(p, 1<<16|int64(p.Seq), p.At, length)
		return t.ext, t.media, placeNormal
	}
	if p.SSRC != t.ssrc {
		t.ssrc = p.SSRC
		return t.restart(p, length)
	}
	step := int64(int16(p.Seq - t.seq))
	if step > maxForward || step < -maxBackward {
		// One packet from nowhere changes nothing; the second in a row is a new sequence.
		if t.isOdd && p.Seq == t.odd {
			return t.restart(p, length)
		}
		t.isOdd, t.odd = true, p.Seq+1
		return 0, 0, placeRefuse
	}
	t.isOdd = false
	media = t.media + span(int64(int32(p.TS-t.ts)), clock)
	if step <= 0 {
		if media > t.media || t.media-media > maxTransit {
			return 0, 0, placeRefuse // an old packet with the time of a newer one
		}
		return t.ext + step, media, placeNormal
	}
	if change := p.At - media - t.transit; media < t.media || change > maxTransit || change < -maxTransit {
		ext, media, verdict = t.ext+step, t.following(p), placeRestart
	} else {
		ext = t.ext + step
	}
	t.reach(p, ext, media, length)
	return ext, media, verdict
}

// restart goes on with another source or sequence.
func (t *timeline) restart(p *Packet, length time.Duration) (int64, time.Duration, placement) {
	t.reach(p, t.ext+1, t.following(p), length)
	return t.ext, t.media, placeRestart
}

// following is the time of a packet whose timestamp has no relation to those before: its transit was like that of the last one.
func (t *timeline) following(p *Packet) time.Duration {
	return max(p.At-t.transit, t.media+t.length)
}

func (t *timeline) reach(p *Packet, ext int64, media, length time.Duration) {
	t.seq, t.ts, t.ext, t.media, t.length, t.transit, t.isOdd = p.Seq, p.TS, ext, media, length, p.At-media, false
}

func span(ticks int64, clock int) time.Duration {
	// Whole seconds first, because a timestamp's whole range in nanoseconds times the clock is more than 64 bits hold.
	c := int64(clock)
	return time.Duration(ticks/c)*time.Second + time.Duration(ticks%c)*time.Second/time.Duration(c)
}
