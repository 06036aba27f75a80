package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Staff are the times that agents spent in each state, summed over agents. A time is in the interval in which it was spent. The time between
// the last event of a process that died and the start of the next is in none: nobody knows.
type Staff struct {
	NotReady, Ready, Reserved, Ringing, Talking, WrapUp time.Duration

	Scheduled time.Duration // time that Config.Schedule plans, as far as it has passed
	Adherent  time.Duration // of Scheduled, the time in which agents did as planned
}

// Occupancy returns the share of work in the time in which agents were at work or could have been: (Talking + WrapUp) / (those + Ready +
// Reserved + Ringing). ok is false if there was no such time.
func (s Staff) Occupancy() (part float64, ok bool) {
	return share(s.Talking+s.WrapUp, s.Talking+s.WrapUp+s.Ready+s.Reserved+s.Ringing)
}

// Utilisation returns the share of work in the time in which agents were logged in: as Occupancy, with NotReady in the denominator.
func (s Staff) Utilisation() (part float64, ok bool) {
	return share(s.Talking+s.WrapUp, s.Talking+s.WrapUp+s.Ready+s.Reserved+s.Ringing+s.NotReady)
}

// Adherence returns Adherent / Scheduled; ok is false if nothing was scheduled.
func (s Staff) Adherence() (part float64, ok bool) { return share(s.Adherent, s.Scheduled) }

func (s *Staff) add(o *Staff) {
	s.NotReady += o.NotReady
	s.Ready += o.Ready
	s.Reserved += o.Reserved
	s.Ringing += o.Ringing
	s.Talking += o.Talking
	s.WrapUp += o.WrapUp
	s.Scheduled += o.Scheduled
	s.Adherent += o.Adherent
}

// spent are nanoseconds by state.
type spent [acd.WrapUp + 1]int64

func (x *spent) staff() Staff {
	return Staff{NotReady: time.Duration(x[acd.NotReady]), Ready: time.Duration(x[acd.Ready]), Reserved: time.Duration(x[acd.Reserved]),
		Ringing: time.Duration(x[acd.Ringing]), Talking: time.Duration(x[acd.Talking]), WrapUp: time.Duration(x[acd.WrapUp])}
}

// Shift is a time in which an agent should be at work, or away. Shifts of one agent must not overlap.
type Shift struct {
	Agent    string // required
	From, To time.Time
	// Away plans a break: the agent should be not ready or logged out. If false, the agent should be logged in and not not ready.
	Away bool
}

type shift struct {
	from, to int64
	away     bool
}

// plan checks a schedule and gives it to the agents.
func (t *Tally) plan(schedule []Shift) error {
	for _, s := range schedule {
		if s.Agent == "" || !s.From.Before(s.To) {
			return fmt.Errorf("%w: a shift of %q from %v to %v", acd.ErrConfig, s.Agent, s.From, s.To)
		}
		a := t.agent(s.Agent)
		if a.own == nil {
			a.own = &own{}
		}
		if len(a.own.shifts) == 0 {
			t.planned = append(t.planned, a)
		}
		a.own.shifts = append(a.own.shifts, shift{s.From.UnixNano(), s.To.UnixNano(), s.Away})
	}
	for _, a := range t.planned {
		slices.SortFunc(a.own.shifts, func(x, y shift) int { return cmp.Compare(x.from, y.from) })
		for i := 1; i < len(a.own.shifts); i++ {
			if a.own.shifts[i].from < a.own.shifts[i-1].to {
				return fmt.Errorf("%w: shifts of %q overlap", acd.ErrConfig, a.id)
			}
		}
	}
	return nil
}

// adherence returns how much of the time since it was last settled was planned for an agent, and spent as planned.
func (a *agent) adherence(to int64) (planned, kept int64) {
	o := a.own
	for ; len(o.shifts) > 0 && o.shifts[0].to <= a.since; o.shifts = o.shifts[1:] { // time does not come back
	}
	working := a.state > acd.NotReady
	for _, s := range o.shifts {
		if s.from >= to {
			break
		}
		d := max(0, min(s.to, to)-max(s.from, a.since))
		planned += d
		if working != s.away {
			kept += d
		}
	}
	return planned, kept
}

// settle books an agent's time up to a moment.
func (t *Tally) settle(a *agent, to int64) {
	if to <= a.since { // no process ran
		return
	}
	planned, kept := a.adherence(to)
	t.cur.staff.Scheduled += time.Duration(planned)
	t.cur.staff.Adherent += time.Duration(kept)
	if t.persons {
		a.own.planned += planned
		a.own.kept += kept
		a.own.spent[a.state] += to - a.since
	}
	a.since = to
}
