package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Arrivals says when works come. It is one of Poisson, Profile and Instants.
type Arrivals interface {
	check() error
	// from returns what yields the arrivals from a time on, in nanoseconds since 1970; false if there are no more. It draws from r.
	from(start int64, r *rand.Rand) func() (int64, bool)
}

// Poisson arrivals come at one rate at all times.
type Poisson struct {
	PerHour float64 // required
}

func (p Poisson) check() error { return checkRate(p.PerHour) }

func (p Poisson) from(start int64, r *rand.Rand) func() (int64, bool) {
	at, gap := start, float64(time.Hour)/p.PerHour
	return func() (int64, bool) {
		at += int64(duration(gap * r.ExpFloat64()))
		return at, p.PerHour > 0
	}
}

// Profile arrivals are a Poisson stream whose rate changes with the time of the day and the day of the week.
type Profile struct {
	// PerHour are the rates in equal parts of a day, from midnight: 24 for hours, 96 for quarters of an hour. Required.
	PerHour []float64
	// Week multiplies the rates by the day of the week, from Sunday as in time.Weekday. If all are 0, every day is the same.
	Week [7]float64
	// Offset is local time minus UTC, at most 14 h either way. If 0, the profile is in UTC.
	Offset time.Duration
}

func (p Profile) check() error {
	if len(p.PerHour) == 0 || len(p.PerHour) > 1440 {
		return fmt.Errorf("%w: a profile of %d parts; from 1 to 1440", ErrInvalid, len(p.PerHour))
	}
	if p.Offset.Abs() > 14*time.Hour {
		return fmt.Errorf("%w: %v from UTC", ErrInvalid, p.Offset)
	}
	for _, x := range append(p.Week[:], p.PerHour...) {
		if err := checkRate(x); err != nil {
			return err
		}
	}
	return checkRate(slices.Max(p.PerHour) * slices.Max(p.Week[:]))
}

const (
	day  = int64(24 * time.Hour)
	week = 7 * day
	// thursday is the weekday of 1970-01-01.
	thursday = int64(time.Thursday)
)

// At returns the rate, in works per hour, at a time.
func (p Profile) At(t time.Time) float64 { return p.at(t.UnixNano()) }

func (p Profile) at(ns int64) float64 {
	local := ns + int64(p.Offset)
	rate := p.PerHour[int(local%day*int64(len(p.PerHour))/day)]
	if p.Week != [7]float64{} {
		rate *= p.Week[(local/day+thursday)%7]
	}
	return rate
}

// from thins a stream of the greatest rate (Lewis and Shedler 1979): a candidate stays with the probability of its rate to the greatest.
func (p Profile) from(start int64, r *rand.Rand) func() (int64, bool) {
	most := slices.Max(p.PerHour)
	if p.Week != [7]float64{} {
		most *= slices.Max(p.Week[:])
	}
	at, gap := start, float64(time.Hour)/most
	return func() (int64, bool) {
		for most > 0 {
			at += int64(duration(gap * r.ExpFloat64()))
			if at > lastNano {
				break
			}
			if r.Float64()*most < p.at(at) {
				return at, true
			}
		}
		return 0, false
	}
}

// Instants are arrivals at given times, in order: those of a log, for example. They must not be changed while a run uses them.
type Instants []time.Time

func (in Instants) check() error {
	for i, t := range in {
		if i > 0 && t.Before(in[i-1]) {
			return fmt.Errorf("%w: arrival %d is before the one before it", ErrInvalid, i)
		}
		if s := t.Unix(); s < 0 || s > lastUnix {
			return fmt.Errorf("%w: arrival %d is at %v", ErrInvalid, i, t)
		}
	}
	return nil
}

func (in Instants) from(start int64, _ *rand.Rand) func() (int64, bool) {
	i, _ := slices.BinarySearchFunc(in, start, func(t time.Time, ns int64) int {
		if t.UnixNano() < ns {
			return -1
		}
		return 1
	})
	return func() (int64, bool) {
		if i >= len(in) {
			return 0, false
		}
		i++
		return in[i-1].UnixNano(), true
	}
}

// The year 2200, where acd's times end.
const (
	lastUnix = 7_258_118_400
	lastNano = lastUnix * int64(time.Second)
)

func checkRate(perHour float64) error {
	if !(perHour >= 0) || math.IsInf(perHour, 1) || perHour > 1e8 {
		return fmt.Errorf("%w: a rate of %v per hour", ErrInvalid, perHour)
	}
	return nil
}
