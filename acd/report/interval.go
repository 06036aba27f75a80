package report

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Interval is what happened in a part of the day.
type Interval struct {
	From, To time.Time // To does not belong to it
	Report             // what happened in it; At is To, and what goes on is as of To
}

// Bucket returns the interval of a length that t is in, aligned to midnight on the clocks of a zone. A length must divide a day. Where
// clocks change, an interval ends and another begins, so each is told apart by From even if the clock shows the same time twice; one
// that would reach across the change is shorter.
func Bucket(t time.Time, length time.Duration, zone *time.Location) (from, to time.Time) {
	local := t.In(zone)
	_, offset := local.Zone()
	wall := t.Add(time.Duration(offset) * time.Second)
	from = t.Add(-wall.Sub(wall.UTC().Truncate(24*time.Hour)) % length).In(zone)
	to = from.Add(length)
	begins, ends := local.ZoneBounds()
	if !begins.IsZero() && from.Before(begins) {
		from = begins
	}
	if !ends.IsZero() && ends.Before(to) {
		to = ends
	}
	return from, to
}

func checkLength(length time.Duration) error {
	if length < time.Minute || length > 12*time.Hour || 24*time.Hour%length != 0 {
		return fmt.Errorf("%w: an interval of %v: it must be from 1 min to 12 h and divide a day", acd.ErrConfig, length)
	}
	return nil
}

// sum is what is counted of the center as a whole in one interval, or in all that are over.
type sum struct {
	totals Totals
	staff  Staff // Scheduled and Adherent; the others are in spent
	spent  spent
}

func (s *sum) add(o *sum) {
	s.totals.add(&o.totals)
	s.staff.add(&o.staff)
	for i := range s.spent {
		s.spent[i] += o.spent[i]
	}
}

// advance lets time pass, and closes the intervals that end with it.
func (t *Tally) advance(to int64) {
	if to <= t.now {
		return
	}
	for t.end > 0 && to >= t.end {
		t.pass(t.end)
		t.close()
	}
	t.pass(to)
}

func (t *Tally) pass(to int64) {
	d := to - t.now
	for s, n := range t.inState {
		t.cur.spent[s] += int64(n) * d
	}
	t.now = to
}

// open begins the interval that a moment is in.
func (t *Tally) open(at int64) {
	if t.cfg.Interval > 0 {
		from, to := Bucket(time.Unix(0, at).UTC(), t.cfg.Interval, t.cfg.Zone)
		t.from, t.end = from.UnixNano(), to.UnixNano()
	}
}

// close ends the running interval and begins the next. One in which nothing happened and nobody was there leaves no trace.
func (t *Tally) close() {
	for _, a := range t.planned {
		t.settle(a, t.end)
	}
	iv := t.interval(t.end)
	for _, r := range t.rows {
		r.past.add(&r.cur)
		r.cur = Waits{}
		r.interval++
	}
	t.past.add(&t.cur)
	t.cur = sum{}
	t.open(t.end)
	if iv.Totals == (Totals{}) && iv.All == (Waits{}) && iv.Staff == (Staff{}) {
		return
	}
	if t.cfg.Keep > 0 {
		if len(t.closed) == t.cfg.Keep {
			t.closed = append(t.closed[:0], t.closed[1:]...)
		}
		t.closed = append(t.closed, iv)
	}
	if t.cfg.OnInterval != nil {
		t.cfg.OnInterval(iv)
	}
}

func (t *Tally) interval(at int64) Interval {
	iv := Interval{From: time.Unix(0, t.from).In(t.cfg.Zone), To: time.Unix(0, t.end).In(t.cfg.Zone)}
	iv.Report = t.read(at, &t.cur, func(r *row) Waits { return r.cur })
	iv.At = time.Unix(0, at).In(t.cfg.Zone)
	return iv
}

// Intervals returns the intervals that are over, oldest first, at most Config.Keep.
func (t *Tally) Intervals() []Interval {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Interval(nil), t.closed...)
}

// Running returns the interval that goes on, as of now or of its end if that is earlier; ok is false without intervals or entries.
func (t *Tally) Running(now time.Time) (iv Interval, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end == 0 {
		return Interval{}, false
	}
	return t.interval(min(max(now.UnixNano(), t.now), t.end)), true
}

// Advance closes the intervals that are over at a time, when no entry does. Entries from before that time must have been observed: a later
// one would count where the live figures and those of the stored log part.
func (t *Tally) Advance(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.end > 0 {
		t.advance(now.UnixNano())
	}
}
