package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Shift is when some agents are at work.
type Shift struct {
	// Agents are their ids. Required. Each agent is in one shift at most; who is in none is always at work.
	Agents []string
	// Hours are when they are logged in. If empty, always. Who is in a conversation at its end leaves after that.
	Hours []acd.Hours
	// Breaks are when they are logged in and not ready. If empty, never.
	Breaks []acd.Hours
}

func (s Shift) check() error {
	for _, h := range slices.Concat(s.Hours, s.Breaks) {
		if h.From < 0 || h.Until < 0 || h.Until > 24*time.Hour || h.From >= until(h) || h.Offset.Abs() > 14*time.Hour {
			return fmt.Errorf("%w: hours from %v until %v, %v from UTC", ErrInvalid, h.From, h.Until, h.Offset)
		}
		for _, d := range h.Days {
			if d < time.Sunday || d > time.Saturday {
				return fmt.Errorf("%w: no weekday is %d", ErrInvalid, d)
			}
		}
	}
	return nil
}

// presence is what a shift wants of its agents.
type presence uint8

const (
	away presence = iota
	pausing
	present
)

func (s Shift) at(ns int64) presence {
	switch {
	case len(s.Hours) > 0 && !within(s.Hours, ns):
		return away
	case within(s.Breaks, ns):
		return pausing
	}
	return present
}

// next returns when the presence may change next; false if never.
func (s Shift) next(ns int64) (int64, bool) {
	var first int64
	for _, h := range slices.Concat(s.Hours, s.Breaks) {
		local := ns + int64(h.Offset)
		midnight := local - local%day
		for d := range int64(9) {
			for _, edge := range []time.Duration{h.From, until(h)} {
				at := midnight + d*day + int64(edge) - int64(h.Offset)
				if at > ns && on(h, midnight+d*day) && (first == 0 || at < first) {
					first = at
				}
			}
		}
	}
	return first, first > 0
}

func until(h acd.Hours) time.Duration {
	if h.Until == 0 {
		return 24 * time.Hour
	}
	return h.Until
}

func on(h acd.Hours, midnight int64) bool {
	return len(h.Days) == 0 || slices.Contains(h.Days, time.Weekday((midnight/day+thursday)%7))
}

func within(hours []acd.Hours, ns int64) bool {
	for _, h := range hours {
		local := ns + int64(h.Offset)
		midnight := local - local%day
		if since := local - midnight; on(h, midnight) && since >= int64(h.From) && since < int64(until(h)) {
			return true
		}
	}
	return false
}
