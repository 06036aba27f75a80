package toll

import (
	"errors"
	"slices"
	"time"
)

// Span is a part of a day, in minutes after midnight by the clock on the wall: From is in it, To is not. 0 <= From <= To <= 1440; the zero value is empty.
type Span struct{ From, To int }

// Hours is the calendar of opening hours. The zero value is closed always, so that the limits for the night hold always.
type Hours struct {
	// Zone is where the clock on the wall hangs; days and months of caps begin there too. If nil, UTC.
	Zone *time.Location
	// Open are the hours by time.Weekday, Sunday first. If empty, the day is closed.
	Open [7]Span
	// Holidays are days on which it is closed, as "2006-01-02". If empty, there are none.
	Holidays []string
}

func (h Hours) validate() error {
	for _, s := range h.Open {
		if s.From < 0 || s.To < s.From || s.To > 24*60 {
			return errors.New("toll: Hours.Open: want 0 <= From <= To <= 1440")
		}
	}
	for _, d := range h.Holidays {
		if _, err := time.Parse(time.DateOnly, d); err != nil {
			return errors.New("toll: Hours.Holidays: want days as 2006-01-02")
		}
	}
	return nil
}

func (h Hours) zone() *time.Location {
	if h.Zone == nil {
		return time.UTC
	}
	return h.Zone
}

// OpenAt reports whether now is within opening hours.
func (h Hours) OpenAt(now time.Time) bool {
	now = now.In(h.zone())
	minute, span := now.Hour()*60+now.Minute(), h.Open[now.Weekday()]
	return span.From <= minute && minute < span.To && !slices.Contains(h.Holidays, now.Format(time.DateOnly))
}
