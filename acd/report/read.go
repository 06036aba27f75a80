package report

import (
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Totals count works of the whole center. Over all time, Arrived = Answered + Abandoned + Overflowed + IVREnded + Report.Open; in one
// interval, those that arrived and those that ended need not be the same.
type Totals struct {
	Arrived    int
	Answered   int // by an agent; counted when the agent takes it
	Abandoned  int
	Overflowed int
	IVREnded   int
}

func (t *Totals) add(o *Totals) {
	t.Arrived += o.Arrived
	t.Answered += o.Answered
	t.Abandoned += o.Abandoned
	t.Overflowed += o.Overflowed
	t.IVREnded += o.IVREnded
}

// Report is the state of all figures at one time. It names queues and channels, and no work and no person.
type Report struct {
	At time.Time
	Totals
	Open    int // neither answered nor ended
	Talking int // answered and not ended

	All      Waits                  // over all queues
	Queues   map[string]Waits       // by name
	Channels map[string]Waits       // by channel of the queue, as it was when the wait began
	Agents   map[acd.AgentState]int // agents in each state; states without an agent are absent
	Staff    Staff                  // of all agents
}

// Report returns the figures as of now, which should not be before the last entry.
func (t *Tally) Report(now time.Time) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.past
	s.add(&t.cur)
	r := t.read(max(now.UnixNano(), t.now), &s, func(r *row) Waits {
		w := r.past
		w.add(&r.cur)
		return w
	})
	r.At = now
	return r
}

// read makes a Report of what was summed up, with what goes on as of a time. It changes nothing.
func (t *Tally) read(at int64, s *sum, of func(*row) Waits) Report {
	r := Report{Totals: s.totals, Open: t.opened, Talking: t.talking}
	current := make(map[*row]time.Duration, len(t.rows))
	for _, w := range t.works {
		if w.state == inQueue && !w.callback {
			current[w.row] = max(current[w.row], time.Duration(at-w.since))
		}
	}
	r.Queues = make(map[string]Waits, len(t.rows))
	r.Channels = make(map[string]Waits, 4)
	for _, row := range t.rows {
		w := of(row)
		w.Waiting, w.CurrentWait = row.waiting, current[row]
		w.LongestWait = max(w.LongestWait, w.CurrentWait)
		r.All.add(&w)
		put(r.Queues, row.queue, w)
		put(r.Channels, row.channel, w)
	}
	times := s.spent
	r.Agents = make(map[acd.AgentState]int, len(t.inState))
	for _, st := range acd.States() {
		if n := t.inState[st]; n > 0 {
			r.Agents[st] = n
			times[st] += int64(n) * (at - t.now)
		}
	}
	r.Staff = times.staff()
	r.Staff.Scheduled, r.Staff.Adherent = s.staff.Scheduled, s.staff.Adherent
	for _, a := range t.planned {
		if t.now > 0 {
			planned, kept := a.adherence(at)
			r.Staff.Scheduled += time.Duration(planned)
			r.Staff.Adherent += time.Duration(kept)
		}
	}
	return r
}

func put(m map[string]Waits, name string, w Waits) {
	if old, ok := m[name]; ok {
		w.add(&old)
	}
	m[name] = w
}
