package report

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Waits are figures about waits in queues.
type Waits struct {
	Entered        int           // waits begun
	Answered       int           // waits that ended with an agent
	Abandoned      int           // waits during which the work ended
	ShortAbandoned int           // of Abandoned, those shorter than the queue's ShortAbandon
	Overflowed     int           // waits that the queue gave up: full, nobody there, too long
	Waiting        int           // waits going on, those being offered included
	InTarget       int           // of Answered, those within the queue's ServiceTarget
	TotalAnswer    time.Duration // sum of the waits that were answered
	LongestWait    time.Duration // the longest wait of all, those going on included
	CurrentWait    time.Duration // the longest of the waits going on
	Offers         int           // offers made
	NoAnswer       int           // offers that rang out (RONA)
	Rejected       int           // offers refused, or to an agent who could not be reached
}

// ServiceLevel returns InTarget divided by Answered + Abandoned - ShortAbandoned; ok is false if there is nothing to divide by.
func (w Waits) ServiceLevel() (level float64, ok bool) {
	n := w.Answered + w.Abandoned - w.ShortAbandoned
	if n == 0 {
		return 0, false
	}
	return float64(w.InTarget) / float64(n), true
}

// ASA returns the average speed of answer; ok is false if nothing was answered.
func (w Waits) ASA() (asa time.Duration, ok bool) {
	if w.Answered == 0 {
		return 0, false
	}
	return w.TotalAnswer / time.Duration(w.Answered), true
}

// Report is the state of all figures at one time.
type Report struct {
	At time.Time

	Arrived    int
	Answered   int
	Abandoned  int
	Overflowed int
	IVREnded   int
	Open       int // neither answered nor ended
	Talking    int // answered and not ended

	All    Waits                  // over all queues
	Queues map[string]Waits       // by name
	Agents map[acd.AgentState]int // agents in each state; states without an agent are absent
}

// Tally counts. The zero Tally is not usable; New makes one.
type Tally struct {
	mu     sync.Mutex
	r      Report
	rules  map[string]acd.Queue
	queues map[string]*Waits
	waits  map[string]wait // by work
	talks  map[string]bool
	agents map[string]acd.AgentState
}

type wait struct {
	queue string
	since time.Time
}

// New returns an empty Tally.
func New() *Tally {
	return &Tally{rules: map[string]acd.Queue{}, queues: map[string]*Waits{}, waits: map[string]wait{}, talks: map[string]bool{}, agents: map[string]acd.AgentState{}}
}

// FromLog counts a whole stored log, such as Store.Load(ctx, 0). An error is the one of acd.Replay.
func FromLog(log iter.Seq2[acd.Event, error]) (*Tally, error) {
	t := New()
	for e, err := range acd.Replay(log) {
		if err != nil {
			return nil, err
		}
		t.Observe(e)
	}
	return t, nil
}

// Records yields the record of every ended work in a stored log, in the order of their ends. An error is the last thing yielded.
func Records(log iter.Seq2[acd.Event, error]) iter.Seq2[acd.Record, error] {
	return func(yield func(acd.Record, error) bool) {
		for e, err := range acd.Replay(log) {
			if err != nil {
				yield(acd.Record{}, err)
				return
			}
			for i := range e.Decisions {
				if r := e.Decisions[i].Record; r != nil && !yield(*r, nil) {
					return
				}
			}
		}
	}
}

// Observe counts one entry. Entries must come in order and from the beginning of the log. It has the shape of acd.Config.Observer.
func (t *Tally) Observe(e acd.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch e.Event.Kind {
	case acd.KindArrived:
		t.r.Arrived++
		t.r.Open++
	case acd.KindEnqueued:
		t.waits[e.Event.Work] = wait{e.Event.Queue, e.Event.At}
		t.queue(e.Event.Queue).Entered++
		t.queue(e.Event.Queue).Waiting++
	case acd.KindStarted:
		// Decisions about agents of the last process come first in what follows; those who no longer exist must not be counted on.
		clear(t.agents)
	}
	for i := range e.Decisions {
		t.decision(&e.Decisions[i])
	}
	if e.Event.Kind == acd.KindStarted && e.Event.Rules != nil {
		for _, q := range e.Event.Rules.WithDefaults().Queues {
			t.rules[q.Name] = q
			t.queue(q.Name)
		}
	}
}

func (t *Tally) queue(name string) *Waits {
	q := t.queues[name]
	if q == nil {
		q = &Waits{}
		t.queues[name] = q
	}
	return q
}

func (t *Tally) decision(d *acd.Decision) {
	switch d.Kind {
	case acd.DecideState:
		t.agents[d.Agent] = d.State
	case acd.DecideOffer:
		t.queue(d.Queue).Offers++
	case acd.DecideRevoke:
		switch d.Reason {
		case acd.OfferTimedOut:
			t.queue(d.Queue).NoAnswer++
		case acd.OfferRejected:
			t.queue(d.Queue).Rejected++
		}
	case acd.DecideAnswered:
		t.r.Answered++
		t.r.Open--
		t.talks[d.Work] = true
		if q, waited, ok := t.endWait(d); ok {
			q.Answered++
			q.TotalAnswer += waited
			if waited <= t.rules[d.Queue].ServiceTarget {
				q.InTarget++
			}
		}
	case acd.DecideOverflow:
		if q, _, ok := t.endWait(d); ok {
			q.Overflowed++
		}
	case acd.DecideEnded:
		t.ended(d)
	}
}

func (t *Tally) ended(d *acd.Decision) {
	if q, waited, ok := t.endWait(d); ok {
		q.Abandoned++
		if waited < t.rules[d.Queue].ShortAbandon {
			q.ShortAbandoned++
		}
	}
	switch d.Record.Outcome {
	case acd.Answered:
		delete(t.talks, d.Work)
		return // counted when it was answered
	case acd.Abandoned:
		t.r.Abandoned++
	case acd.Overflowed:
		t.r.Overflowed++
	case acd.IVREnded:
		t.r.IVREnded++
	}
	t.r.Open--
}

// endWait ends the wait that a decision is about, if its work waits.
func (t *Tally) endWait(d *acd.Decision) (*Waits, time.Duration, bool) {
	w, ok := t.waits[d.Work]
	if !ok {
		return nil, 0, false
	}
	delete(t.waits, d.Work)
	q := t.queue(w.queue)
	q.Waiting--
	waited := d.At.Sub(w.since)
	q.LongestWait = max(q.LongestWait, waited)
	return q, waited, true
}

// Report returns the figures as of now, which should not be before the last entry.
func (t *Tally) Report(now time.Time) Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.r
	r.At, r.Talking = now, len(t.talks)
	r.Queues = make(map[string]Waits, len(t.queues))
	for name, q := range t.queues {
		r.Queues[name] = *q
	}
	for _, w := range t.waits {
		q := r.Queues[w.queue]
		q.CurrentWait = max(q.CurrentWait, now.Sub(w.since))
		q.LongestWait = max(q.LongestWait, q.CurrentWait)
		r.Queues[w.queue] = q
	}
	for _, name := range slices.Sorted(maps.Keys(r.Queues)) {
		r.All.add(r.Queues[name])
	}
	r.Agents = map[acd.AgentState]int{}
	for _, s := range t.agents {
		r.Agents[s]++
	}
	return r
}

func (w *Waits) add(o Waits) {
	w.Entered += o.Entered
	w.Answered += o.Answered
	w.Abandoned += o.Abandoned
	w.ShortAbandoned += o.ShortAbandoned
	w.Overflowed += o.Overflowed
	w.Waiting += o.Waiting
	w.InTarget += o.InTarget
	w.TotalAnswer += o.TotalAnswer
	w.Offers += o.Offers
	w.NoAnswer += o.NoAnswer
	w.Rejected += o.Rejected
	w.LongestWait = max(w.LongestWait, o.LongestWait)
	w.CurrentWait = max(w.CurrentWait, o.CurrentWait)
}
