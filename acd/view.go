package acd

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// Position is where a waiting work stands.
type Position struct {
	Queue string
	// Place is 1 for the next to be served.
	Place int
	// EWT is the estimated wait from now, by the queue's Estimate. It is an estimate of the mean, not a promise; Queue.KeepEstimate
	// makes its error measurable.
	EWT time.Duration
}

// Snapshot is the state of a Core or Center at one moment, for a wallboard.
type Snapshot struct {
	At     time.Time
	Seq    uint64 // of the last event in it
	Open   int    // open works, self-service included
	Queues []QueueSnapshot
	Agents []AgentSnapshot
}

// QueueSnapshot is one queue, in the order of Rules.
type QueueSnapshot struct {
	Name          string
	Waiting       int // works that wait, those being offered not included
	Offered       int // works being offered
	Talking       int // works in conversation that came through this queue
	LongestWait   time.Duration
	ServiceTarget time.Duration
	Members       map[AgentState]int // by state; states without a member are absent
}

// AgentSnapshot is one agent, in the order of Rules.
type AgentSnapshot struct {
	ID       string
	State    AgentState
	Reason   string
	Since    time.Time
	Work     string   // being offered or, if none is, in conversation; empty if none
	Works    []string // all of them, if more than one or beside wrap-up
	Devices  []string // from which the agent is logged in; "" stands for a login that named none
	Answered int64    // works answered since the log began
}

// Position returns where a work stands; an error wraps ErrUnknown or, if it does not wait, ErrState. It takes time in proportion to
// the queue.
func (c *Core) Position(id string) (Position, error) {
	w := c.works[id]
	if w == nil {
		return Position{}, fmt.Errorf("%w: work %q", ErrUnknown, id)
	}
	if w.state != waiting && w.state != offered && w.state != dialing {
		return Position{}, fmt.Errorf("%w: work %q does not wait", ErrState, id)
	}
	q := w.queue
	p := Position{Queue: q.Name, Place: 1}
	if w.state == waiting {
		p.Place += c.ahead(w)
	}
	p.EWT = q.estimate(p.Place)
	return p, nil
}

// Snapshot returns the state as of now, which should not be before the last event.
func (c *Core) Snapshot(now time.Time) Snapshot {
	s := Snapshot{At: now, Seq: c.seq, Open: len(c.works)}
	oldest := make(map[*queue]int64, len(c.order))
	for _, w := range c.works {
		if w.state == waiting || w.state == offered || w.state == dialing {
			if t, ok := oldest[w.queue]; !ok || w.enqueued < t {
				oldest[w.queue] = w.enqueued
			}
		}
	}
	for _, q := range c.order {
		qs := QueueSnapshot{Name: q.Name, Waiting: q.waiting, Offered: q.offered, Talking: q.talking, ServiceTarget: q.ServiceTarget, Members: map[AgentState]int{}}
		if t, ok := oldest[q]; ok {
			qs.LongestWait = max(0, now.Sub(time.Unix(0, t)))
		}
		for _, st := range States() {
			if n := q.states[st]; n > 0 {
				qs.Members[st] = n
			}
		}
		s.Queues = append(s.Queues, qs)
	}
	for _, a := range c.roster {
		as := AgentSnapshot{ID: a.id, State: a.state, Reason: a.reason, Since: time.Unix(0, a.since).UTC(), Answered: a.answered, Devices: slices.Clone(a.devices)}
		for i, st := range a.seats {
			if st.w == nil {
				continue
			}
			if len(a.seats) > 1 {
				as.Works = append(as.Works, st.w.rec.Work)
			}
			if as.Work == "" || a.seats[i] == a.pending {
				as.Work = st.w.rec.Work
			}
		}
		s.Agents = append(s.Agents, as)
	}
	return s
}

// Entry is one event with what was decided on it.
type Entry struct {
	Event     Event      `json:"event"`
	Decisions []Decision `json:"decisions,omitempty"`
}

// Replay decides a whole log again and yields every event with its decisions, in order. The Decisions of an Entry are valid until
// the next one. An error wraps ErrLog, or is the one that reading the log met; it is the last thing yielded.
func Replay(log iter.Seq2[Event, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		c := NewCore()
		for ev, err := range log {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			d, err := c.Apply(ev)
			if err != nil {
				yield(Entry{Event: ev}, fmt.Errorf("%w: event %d: %w", ErrLog, ev.Seq, err))
				return
			}
			if !yield(Entry{Event: ev, Decisions: d}, nil) {
				return
			}
		}
	}
}

// openWorks returns the ids of all open works, sorted, with callbacks or without.
func (c *Core) openWorks(callbacks bool) []string {
	ids := make([]string, 0, len(c.works))
	for id, w := range c.works {
		if callbacks || !w.callback || w.state == talking {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// offerOf returns the number of the offer that an agent has or had last; 0 if none.
func (c *Core) offerOf(agent string) uint64 {
	if a := c.agents[agent]; a != nil {
		return a.offer
	}
	return 0
}

// WorkSnapshot is one open work.
type WorkSnapshot struct {
	ID         string
	Queue      string   // empty in self-service
	Agents     []string // being offered it, or with it
	Waiting    bool     // in a queue, not answered yet
	Callback   bool     // the customer has hung up and will be called
	ArrivedAt  time.Time
	EnqueuedAt time.Time // zero if never
	CallbackAt time.Time // when the customer asked to be called back; zero if never
	Attempts   int       // how often the customer was dialled
	Attributes map[string]string
}

// Works returns all open works, by id.
func (c *Core) Works() []WorkSnapshot {
	out := make([]WorkSnapshot, 0, len(c.works))
	for _, w := range c.open() {
		out = append(out, w.snapshot())
	}
	return out
}

func (w *work) snapshot() WorkSnapshot {
	s := WorkSnapshot{ID: w.rec.Work, Waiting: w.state == waiting || w.state == offered || w.state == dialing, Callback: w.callback, ArrivedAt: w.rec.ArrivedAt,
		EnqueuedAt: w.rec.EnqueuedAt, CallbackAt: w.rec.CallbackAt, Attempts: w.rec.Attempts, Attributes: maps.Clone(w.rec.Attributes)}
	if w.queue != nil {
		s.Queue = w.queue.Name
	}
	for _, seat := range w.seats {
		s.Agents = append(s.Agents, seat.a.id)
	}
	return s
}
