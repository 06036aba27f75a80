package jitter

import "time"

const (
	window    = 256                    // packets measured
	unit      = 100 * time.Microsecond // of the measurement: 32 bits of it last 59 hours of drift
	bin       = 4 * time.Millisecond
	bins      = 128
	everyN    = 8  // packets between two estimates
	fallEvery = 2  // estimates between two steps of a falling target
	pathN     = 5  // packets in a row beyond Max that make a new path
	inTime    = 98 // of 100 packets
)

// estimator measures how the transit time varies.
type estimator struct {
	base   time.Duration // transit of the fastest packet of the window
	target time.Duration
	times  [window]int32
	n, pos int
	since  int
	calm   int // estimates that asked for less
	slow   int // packets in a row beyond the longest delay
}

// learn takes the transit time of a packet.
func (e *estimator) learn(transit time.Duration, cfg *Config) {
	if e.n > 0 && transit-e.base > cfg.Max {
		e.slow++
	} else {
		e.slow = 0
	}
	if e.slow >= pathN {
		// The packets take another way now: the old one tells nothing about it.
		e.n, e.pos, e.slow, e.since = 0, 0, 0, 0
		e.base = transit
	}
	e.times[e.pos] = int32(min(max(transit/unit, -1<<31), 1<<31-1))
	e.pos = (e.pos + 1) % window
	if e.n == 0 || transit < e.base {
		e.base = transit
	}
	e.n = min(e.n+1, window)
	if e.since++; e.since >= everyN {
		e.since = 0
		e.estimate(cfg)
	}
}

// estimate sets base and target from the window.
func (e *estimator) estimate(cfg *Config) {
	low := e.times[0]
	for _, v := range e.times[1:e.n] {
		low = min(low, v)
	}
	var count [bins]uint16
	for _, v := range e.times[:e.n] {
		count[min(int64(v)-int64(low), int64((bins-1)*(bin/unit)))/int64(bin/unit)]++
	}
	need, sum, i := (e.n*inTime+99)/100, 0, 0
	for ; i < bins; i++ {
		if sum += int(count[i]); sum >= need {
			break
		}
	}
	want := min(max(time.Duration(i+1)*bin+cfg.Frame, cfg.Min), cfg.Max)
	rose := time.Duration(low)*unit - e.base
	e.base = time.Duration(low) * unit
	switch {
	case want > e.target, rose > bin:
		// With another reference the old target means nothing.
		e.target, e.calm = want, 0
	case want < e.target:
		if e.calm++; e.calm >= fallEvery {
			e.target, e.calm = max(e.target-bin, want), 0
		}
	default:
		e.calm = 0
	}
}
