package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Dist is a distribution of times. Draw takes all its randomness from r and keeps no state, so that one Dist may serve many runs at once.
// Draws below 0 count as 0 and those above a year as a year.
type Dist interface {
	Draw(r *rand.Rand) time.Duration
}

// checker is a Dist that can be wrong.
type checker interface{ check() error }

// longest is the longest time that is drawn. It keeps sums of times in 64 bits.
const longest = 366 * 24 * time.Hour

// Fixed is always the same time.
type Fixed time.Duration

// Draw implements [Dist].
func (d Fixed) Draw(*rand.Rand) time.Duration { return time.Duration(d) }

func (d Fixed) check() error { return positive("a fixed time", time.Duration(d), 0) }

// Exponential has no memory: what the formulas assume.
type Exponential struct {
	Mean time.Duration // required
}

// Draw implements [Dist].
func (d Exponential) Draw(r *rand.Rand) time.Duration {
	return duration(float64(d.Mean) * r.ExpFloat64())
}

func (d Exponential) check() error { return positive("a mean", d.Mean, 1) }

// LogNormal fits most handling times that were ever measured in contact centers.
type LogNormal struct {
	Mean time.Duration // required
	// SD is the standard deviation. If 0, every draw is Mean.
	SD time.Duration
}

// Draw implements [Dist].
func (d LogNormal) Draw(r *rand.Rand) time.Duration {
	ratio := float64(d.SD) / float64(d.Mean)
	variance := math.Log1p(ratio * ratio)
	return duration(float64(d.Mean) * math.Exp(math.Sqrt(variance)*r.NormFloat64()-variance/2))
}

func (d LogNormal) check() error {
	if err := positive("a mean", d.Mean, 1); err != nil {
		return err
	}
	return positive("a standard deviation", d.SD, 0)
}

// ErlangK is the sum of K exponential times: less scattered than one, the less the greater K.
type ErlangK struct {
	K    int           // required, from 1 to 1000
	Mean time.Duration // of the sum; required
}

// Draw implements [Dist].
func (d ErlangK) Draw(r *rand.Rand) time.Duration {
	var sum float64
	for range d.K {
		sum += r.ExpFloat64()
	}
	return duration(float64(d.Mean) / float64(d.K) * sum)
}

func (d ErlangK) check() error {
	if d.K < 1 || d.K > 1000 {
		return fmt.Errorf("%w: an Erlang distribution of %d phases; from 1 to 1000", ErrInvalid, d.K)
	}
	return positive("a mean", d.Mean, 1)
}

// Empirical draws from measured times, each as likely as any other. It must not be empty, and must not be changed while a run uses it.
type Empirical []time.Duration

// Draw implements [Dist].
func (d Empirical) Draw(r *rand.Rand) time.Duration { return d[r.IntN(len(d))] }

func (d Empirical) check() error {
	if len(d) == 0 {
		return fmt.Errorf("%w: an empirical distribution without a measurement", ErrInvalid)
	}
	for _, x := range d {
		if err := positive("a measured time", x, 0); err != nil {
			return err
		}
	}
	return nil
}

func positive(what string, d, least time.Duration) error {
	if d < least || d > longest {
		return fmt.Errorf("%w: %s of %v; from %v to %v", ErrInvalid, what, d, least, longest)
	}
	return nil
}

func checkDist(what string, d Dist) error {
	if c, ok := d.(checker); ok {
		if err := c.check(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	return nil
}

// duration turns a drawn number of nanoseconds into a time.
func duration(ns float64) time.Duration {
	if ns < float64(longest) {
		return time.Duration(ns + 0.5)
	}
	return longest
}

// draw keeps what a foreign Dist draws within bounds.
func draw(d Dist, r *rand.Rand) int64 { return int64(min(max(d.Draw(r), 0), longest)) }
