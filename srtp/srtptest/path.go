package srtptest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// PathConfig is what one direction of a network does to packets. The zero value is a perfect network.
type PathConfig struct {
	// Seed chooses the fate of the packets. If zero, zero is the seed: every Path with the same configuration does the same to the same packets.
	Seed uint64
	// Loss is the share of packets that never arrive, 0 to 1. If zero, none is lost by chance.
	Loss float64
	// Drop loses chosen packets: n counts the packets of the path from 0, packet is one as sent and must not be kept. If nil, none.
	Drop func(n uint64, packet []byte) bool
	// Delay is how long a packet is under way at least. If zero, no time.
	Delay time.Duration
	// Jitter is how much longer a packet may be under way, equally likely for every time up to it. It keeps the order of packets. If zero, none is.
	Jitter time.Duration
	// Reorder is the share of packets that fall behind later ones, 0 to 1. If zero, none does.
	Reorder float64
	// ReorderBy is how much later a packet of Reorder arrives. If zero, 30 ms, which is behind the next packet of a phone.
	ReorderBy time.Duration
	// Duplicate is the share of packets that arrive twice, 0 to 1, the second one up to 20 ms later. If zero, none does.
	Duplicate float64
	// Rate is how many bits a second pass, headers of UDP and IP not counted. If zero, any number.
	Rate int
	// Queue is how long packets may wait for Rate; one that would wait longer is lost. If zero, 200 ms.
	Queue time.Duration
	// Drift says by how many millionths the sender's clock seems slow: at 100, the delay grows by 6 ms a minute. If negative, it seems fast, and Delay shrinks until
	// nothing of it is left. If zero, the clocks agree.
	Drift float64
}

const (
	defaultReorderBy = 30 * time.Millisecond
	defaultQueue     = 200 * time.Millisecond
	// copyWithin is how far behind the first one the second copy of a packet arrives at most.
	copyWithin = 20 * time.Millisecond
)

func (c PathConfig) check() error {
	for _, share := range []float64{c.Loss, c.Reorder, c.Duplicate} {
		if !(share >= 0 && share <= 1) {
			return fmt.Errorf("%w: a share of packets is outside 0 to 1", ErrConfig)
		}
	}
	switch {
	case c.Delay < 0 || c.Jitter < 0 || c.ReorderBy < 0 || c.Queue < 0 || c.Rate < 0:
		return fmt.Errorf("%w: a path has a negative time or rate", ErrConfig)
	case !(c.Drift > -1e6 && c.Drift < 1e6):
		return fmt.Errorf("%w: drift", ErrConfig)
	}
	return nil
}

// PathStats counts what a Path did.
type PathStats struct {
	Packets    uint64 // sent into it
	Lost       uint64 // by Loss or Drop
	Congested  uint64 // lost because they would have waited longer than Queue
	Reordered  uint64 // made late
	Duplicated uint64 // that arrived twice
}

// Path is one direction of a network as arithmetic: it is told when each packet is sent and says when it arrives. Make one with NewPath.
type Path struct {
	cfg     PathConfig
	rng     *rand.Rand
	stats   PathStats
	started bool
	base    time.Duration // when the first packet was sent
	free    time.Duration // when the line of Rate is free
	last    time.Duration // latest arrival of a packet in order
}

// NewPath returns a path that nothing was sent over yet. The error wraps ErrConfig.
func NewPath(cfg PathConfig) (*Path, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.ReorderBy == 0 {
		cfg.ReorderBy = defaultReorderBy
	}
	if cfg.Queue == 0 {
		cfg.Queue = defaultQueue
	}
	return &Path{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0))}, nil
}

// Send takes a packet that is sent at a time of the caller's clock, which never goes back, and returns when it arrives: at no time if it is lost, twice if
// it is doubled.
func (p *Path) Send(at time.Duration, packet []byte) []time.Duration {
	n := p.stats.Packets
	p.stats.Packets++
	if !p.started {
		p.started, p.base = true, at
	}
	// Always the same draws, so that one packet's fate does not depend on another setting or on the time.
	loss, jitter, late, twice, gap := p.rng.Float64(), p.rng.Float64(), p.rng.Float64(), p.rng.Float64(), p.rng.Float64()
	if loss < p.cfg.Loss || p.cfg.Drop != nil && p.cfg.Drop(n, packet) {
		p.stats.Lost++
		return nil
	}
	t := at
	if p.cfg.Rate > 0 {
		t = max(at, p.free)
		if t-at > p.cfg.Queue {
			p.stats.Congested++
			return nil
		}
		t += time.Duration(len(packet)) * 8 * time.Second / time.Duration(p.cfg.Rate)
		p.free = t
	}
	t += p.cfg.Delay + time.Duration(jitter*float64(p.cfg.Jitter)) + time.Duration(float64(at-p.base)*p.cfg.Drift/1e6)
	t = max(t, at)
	if late < p.cfg.Reorder {
		p.stats.Reordered++
		t += p.cfg.ReorderBy
	} else {
		t = max(t, p.last)
		p.last = t
	}
	if twice < p.cfg.Duplicate {
		p.stats.Duplicated++
		return []time.Duration{t, t + time.Duration(gap*float64(copyWithin))}
	}
	return []time.Duration{t}
}

// Stats returns the counters so far.
func (p *Path) Stats() PathStats { return p.stats }
