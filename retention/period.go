package retention

import (
	"fmt"
	"strings"
	"time"
)

// Period is a length of time in calendar units. It has no fixed length in hours: a month is as long as the month it falls in.
type Period struct {
	Years, Months, Days int // none negative, not all zero
}

// Validate returns ErrPeriod for a period that is zero or has a negative part: nothing is ever kept for no time by mistake.
func (p Period) Validate() error {
	if p.Years < 0 || p.Months < 0 || p.Days < 0 || p == (Period{}) {
		return fmt.Errorf("%w: %d years, %d months, %d days", ErrPeriod, p.Years, p.Months, p.Days)
	}
	if p.Years > 1000 || p.Months > 12000 || p.Days > 366000 {
		return fmt.Errorf("%w: over a thousand years", ErrPeriod)
	}
	return nil
}

// String returns the period in ISO 8601, such as P13M or P1Y2M3D.
func (p Period) String() string {
	var b strings.Builder
	b.WriteByte('P')
	for _, u := range []struct {
		n    int
		unit byte
	}{{p.Years, 'Y'}, {p.Months, 'M'}, {p.Days, 'D'}} {
		if u.n != 0 {
			fmt.Fprintf(&b, "%d%c", u.n, u.unit)
		}
	}
	if b.Len() == 1 {
		return "P0D"
	}
	return b.String()
}

// Due returns the moment from which something created at created and kept for p may be erased, and not before. The rule:
//
//  1. created is read on the calendar and clock of loc (nil is UTC).
//  2. Years and months are added to the month. If that month has no such day, the month's last day is taken: 31 January and a month is 28 February, or
//     29 February in a leap year; 29 February and a year is 28 February. Never the first days of the month after.
//  3. Days are added, each to the same time of day.
//  4. The time of day stays, to the nanosecond. Where loc skips it (clocks go forward), the moment is later by what was skipped; where loc has it
//     twice (clocks go back), it is the second: never early on any reading.
//
// The moment itself is due: one nanosecond earlier is not. The result is in loc.
func Due(created time.Time, p Period, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	c := created.In(loc)
	year, month, day := c.Date()
	first := time.Date(year+p.Years, month+time.Month(p.Months), 1, 0, 0, 0, 0, time.UTC) // for its month only: no clock in it
	day = min(day, daysIn(first))
	hour, minute, second := c.Clock()
	return local(time.Date(first.Year(), first.Month(), day+p.Days, hour, minute, second, c.Nanosecond(), time.UTC), loc)
}

// local returns the moment at which the clock of loc shows what wall shows in UTC. time.Date does not promise which of two moments it takes, so both
// offsets around it are tried and the later one wins.
func local(wall time.Time, loc *time.Location) time.Time {
	var best time.Time
	shows := false
	for _, around := range []time.Duration{-36 * time.Hour, 36 * time.Hour} {
		_, offset := wall.Add(around).In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		_, at := t.Zone()
		exact := at == offset // t shows wall
		switch {
		case exact && !shows:
			best, shows = t, true
		case exact == shows && t.After(best):
			best = t
		}
	}
	return best
}

// daysIn returns the length of the month that first begins.
func daysIn(first time.Time) int { return first.AddDate(0, 1, -1).Day() }

// candidates returns a time before which everything was created that is due at now, and a few days' worth more: month ends, and the hours of a clock
// change, do not subtract as they add, so each candidate is judged by Due.
func candidates(now time.Time, p Period) time.Time {
	return now.UTC().AddDate(-p.Years, -p.Months, -p.Days).AddDate(0, 0, 5)
}
