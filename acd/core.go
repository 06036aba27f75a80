package acd

import (
	"fmt"
	"time"
)

// Core is the deterministic heart: Apply takes events in order and returns what follows from them. The same events give the same
// decisions, always. It is not safe for concurrent use. The zero Core is not usable; NewCore makes one.
type Core struct {
	queues map[string]*queue
	order  []*queue // as in Rules
	agents map[string]*agent
	roster []*agent // as in Rules
	works  map[string]*work
	timers heap[*timer]

	seq    uint64
	now    int64 // nanoseconds since 1970
	clock  time.Time
	offers uint64
	turns  int64 // counts what must keep an order within one moment
	out    []Decision
}

type workState uint8

const (
	selfService workState = iota + 1
	waiting
	offered
	talking
)

type work struct {
	rec      Record
	state    workState
	queue    *queue // while waiting, offered or talking
	agent    *agent // while offered or talking
	enqueued int64
	answered int64
	key1     int64 // -priority
	key2     int64 // sequence of the enqueued event: order of arrival in any queue
	index    int   // in queue.waiting
	expired  bool  // MaxWait passed during an offer
	timer    timer
}

func (w *work) setIndex(i int) { w.index = i }

type agent struct {
	id       string
	state    AgentState
	reason   string
	since    int64
	idle     int64 // since when ready, for longest-idle
	turn     int64 // breaks ties: order in which agents became ready
	answered int64 // works answered, for fewest-calls
	members  []*member
	work     *work
	offer    uint64
	next     AgentState // what follows the conversation and wrap-up
	nextWhy  string
	timer    timer
}

// member is one agent in one queue.
type member struct {
	a     *agent
	q     *queue
	place int64
	index int // in queue.ready
}

func (m *member) setIndex(i int) { m.index = i }

type queue struct {
	Queue
	waiting heap[*work]
	ready   heap[*member]
	offered int // works being offered
	talking int
	states  [numStates]int // members by state
	size    int            // members
	handle  int64          // moving average of handling time, nanoseconds
}

// timer is the one deadline that a work or an agent can have.
type timer struct {
	at    int64
	index int
	w     *work
	a     *agent
}

func (t *timer) setIndex(i int) { t.index = i }

// NewCore returns a Core that waits for its first event, which must be KindStarted.
func NewCore() *Core { return &Core{works: map[string]*work{}} }

// Seq returns the sequence number of the last event applied; 0 before the first.
func (c *Core) Seq() uint64 { return c.seq }

// Now returns the time of the last event applied.
func (c *Core) Now() time.Time { return c.clock }

// Open returns how many works are open.
func (c *Core) Open() int { return len(c.works) }

// NextTimer returns when the Core next wants an event of KindTimer. Being late is
// harmless: what was due happens at its own time.
func (c *Core) NextTimer() (time.Time, bool) {
	if c.timers.len() == 0 {
		return time.Time{}, false
	}
	return time.Unix(0, c.timers.e[0].k1).UTC(), true
}

// Apply takes one event and returns what was decided. An event that is refused changes nothing, takes no sequence number and must not be in
// the log. The slice is valid until the next Apply; the Records in it are not touched again.
//
// An event is refused with ErrTimer while a deadline at or before its time has not been served by an event of KindTimer. So
// whatever a timer decides stands in the log under its own event, and an acceptance that comes at the deadline finds the offer gone
// and not half gone.
func (c *Core) Apply(ev Event) ([]Decision, error) {
	c.out = c.out[:0]
	if err := c.check(&ev); err != nil {
		return nil, err
	}
	at := ev.At.UnixNano()
	if ev.Kind == KindStarted {
		c.start(&ev)
		return c.out, nil
	}
	c.seq = ev.Seq
	if ev.Kind == KindTimer {
		c.advance(at)
	}
	c.setClock(at)
	c.apply(&ev)
	return c.out, nil
}

func (c *Core) setClock(at int64) {
	if at != c.now || c.clock.IsZero() {
		c.now = at
		c.clock = time.Unix(0, at).UTC()
	}
}

// check refuses what cannot be in a log.
func (c *Core) check(ev *Event) error {
	if ev.Seq != c.seq+1 {
		return fmt.Errorf("%w: event %d after %d", ErrInvalid, ev.Seq, c.seq)
	}
	if s := ev.At.Unix(); s < 0 || s > maxUnix || ev.At.UnixNano() < c.now {
		return fmt.Errorf("%w: event %d is at %v, before %v", ErrInvalid, ev.Seq, ev.At, c.clock)
	}
	if ev.Kind == KindStarted {
		if ev.Rules == nil {
			return fmt.Errorf("%w: started without rules", ErrInvalid)
		}
		return ev.Rules.WithDefaults().validate()
	}
	if c.seq == 0 {
		return fmt.Errorf("%w: the first event must be %q", ErrInvalid, KindStarted)
	}
	if ev.Kind != KindTimer && c.timers.len() > 0 && c.timers.e[0].k1 <= ev.At.UnixNano() {
		return fmt.Errorf("%w: event %d at %v", ErrTimer, ev.Seq, ev.At)
	}
	if len(ev.Reason) > maxReasonBytes {
		return fmt.Errorf("%w: a reason has at most %d bytes", ErrInvalid, maxReasonBytes)
	}
	return c.fits(ev)
}

// fits reports whether the event is possible in the present state.
func (c *Core) fits(ev *Event) error {
	switch ev.Kind {
	case KindTimer:
		return nil
	case KindArrived:
		if err := checkID("work", ev.Work); err != nil {
			return err
		}
		if c.works[ev.Work] != nil {
			return fmt.Errorf("%w: %q", ErrExists, ev.Work)
		}
		return checkAttributes(ev.Attributes)
	case KindEnqueued:
		w := c.works[ev.Work]
		if w == nil {
			return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
		}
		if c.queues[ev.Queue] == nil {
			return fmt.Errorf("%w: queue %q", ErrUnknown, ev.Queue)
		}
		if w.state != selfService {
			return fmt.Errorf("%w: work %q is in queue %q", ErrState, ev.Work, w.queue.Name)
		}
		if ev.Priority < -maxPriority || ev.Priority > maxPriority {
			return fmt.Errorf("%w: priority is from %d to %d", ErrInvalid, -maxPriority, maxPriority)
		}
		return nil
	case KindAbandoned, KindEnded:
		if c.works[ev.Work] == nil {
			return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
		}
		return nil
	case KindRinging, KindAccepted, KindRejected:
		a := c.agents[ev.Agent]
		if a == nil {
			return fmt.Errorf("%w: agent %q", ErrUnknown, ev.Agent)
		}
		if a.offer != ev.Offer || a.work == nil || a.work.rec.Work != ev.Work || a.state != Reserved && a.state != Ringing {
			return fmt.Errorf("%w: %q to %q", ErrStale, ev.Work, ev.Agent)
		}
		return nil
	case KindLogin, KindLogout, KindReady, KindNotReady:
		a := c.agents[ev.Agent]
		if a == nil {
			return fmt.Errorf("%w: agent %q", ErrUnknown, ev.Agent)
		}
		if a.state == LoggedOut && (ev.Kind == KindReady || ev.Kind == KindNotReady) {
			return fmt.Errorf("%w: agent %q is logged out", ErrState, ev.Agent)
		}
		return nil
	case KindStarted:
	}
	return fmt.Errorf("%w: no event is called %q", ErrInvalid, ev.Kind)
}

func checkAttributes(attrs map[string]string) error {
	if len(attrs) > maxAttributes {
		return fmt.Errorf("%w: a work has at most %d attributes", ErrInvalid, maxAttributes)
	}
	for k, v := range attrs {
		if k == "" || len(k) > maxAttrBytes || len(v) > maxAttrBytes {
			return fmt.Errorf("%w: names and values of attributes have at most %d bytes", ErrInvalid, maxAttrBytes)
		}
	}
	return nil
}

func (c *Core) decide(d Decision) {
	d.At = c.clock
	c.out = append(c.out, d)
}
