package quality

// Gmin is the number of packets received in a row that ends a burst (RFC 3611 section 4.7.2).
const Gmin = 16

// Bursts tells bursts of loss from gaps between them (RFC 3611 section 4.7.2): a burst begins and ends with a lost packet and has never Gmin
// packets received in a row; a single loss with Gmin received on both sides is part of a gap. The zero Bursts is ready. It is a plain
// value; a copy counts on its own.
type Bursts struct {
	received, lost uint64
	runs           uint64 // runs of loss
	run            uint64 // packets received in a row
	burst          uint64 // packets of the burst so far, up to its last loss; 0: none
	burstLost      uint64
	last           bool // the last packet was lost

	bursts, inBursts, lostInBursts uint64 // of the bursts that ended
	alone                          uint64 // losses in gaps
}

// Received counts a packet that was played.
func (b *Bursts) Received() {
	b.received++
	b.run++
	b.last = false
	if b.run == Gmin {
		b.end()
	}
}

// Lost counts a packet that was not: missing, late or skipped.
func (b *Bursts) Lost() {
	b.lost++
	if !b.last {
		b.runs++
	}
	b.last = true
	if b.burst > 0 {
		b.burst += b.run
	}
	b.burst++
	b.burstLost++
	b.run = 0
}

// end closes the burst: enough packets were received in a row.
func (b *Bursts) end() {
	switch {
	case b.burstLost == 1:
		b.alone++
	case b.burstLost > 1:
		b.bursts++
		b.inBursts += b.burst
		b.lostInBursts += b.burstLost
	}
	b.burst, b.burstLost = 0, 0
}

// Loss returns the share of packets not played, 0 to 1.
func (b *Bursts) Loss() float64 { return share(b.lost, b.lost+b.received) }

// Ratio returns the burst ratio of G.107: the mean length of a run of loss over the length that random loss of the same share would make,
// at least 1.
func (b *Bursts) Ratio() float64 {
	if b.runs == 0 {
		return 1
	}
	return max(float64(b.lost)/float64(b.runs)*(1-b.Loss()), 1)
}

// Measure is what RFC 3611 section 4.7.2 asks for.
type Measure struct {
	// BurstDensity and GapDensity are the shares of packets lost within bursts and within gaps, 0 to 1.
	BurstDensity, GapDensity float64
	// Burst and Gap are the mean lengths in packets. If zero, there was none.
	Burst, Gap float64
}

// Measure returns the densities and lengths so far; a burst still open counts as ended.
func (b *Bursts) Measure() Measure {
	c := *b
	c.end()
	total := c.received + c.lost
	gaps, inGaps := c.bursts+1, total-c.inBursts // a gap before, between and behind bursts; some may be empty
	m := Measure{BurstDensity: share(c.lostInBursts, c.inBursts), GapDensity: share(c.alone, inGaps), Gap: float64(inGaps) / float64(gaps)}
	if c.bursts > 0 {
		m.Burst = float64(c.inBursts) / float64(c.bursts)
	}
	return m
}

func share(part, of uint64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}
