package acd

import (
	"fmt"
	"slices"
	"time"
)

// Core is the deterministic heart: Apply takes events in order and returns what follows from them. The same events give the same
// decisions, always. It is not safe for concurrent use. The zero Core is not usable; NewCore makes one.
type Core struct {
	queues   map[string]*queue
	order    []*queue // as in Rules
	agents   map[string]*agent
	roster   []*agent // as in Rules
	works    map[string]*work
	profiles map[string]*profile
	channels []channel
	fairness Fairness
	timers   heap[*timer]
	last     lastAgents

	seq       uint64
	now       int64 // nanoseconds since 1970
	clock     time.Time
	offers    uint64
	turns     int64 // counts what must keep an order within one moment
	rng       uint64
	callbacks int // open works that are callbacks
	out       []Decision
	at        subject // of the event that is being applied
	spare     []*seat
	explain   *explainer // nil: nobody asks, and nothing is spent on it
}

// subject is what an event is about, found once when it is checked.
type subject struct {
	w *work
	q *queue
	a *agent
}

// channel is a Channel by number.
type channel struct {
	Channel
	interrupts uint32 // channels by bit
}

type workState uint8

const (
	selfService workState = iota + 1
	waiting
	offered
	dialing // a callback: the agent is there, the customer is being called
	talking
)

type work struct {
	rec      Record
	state    workState
	queue    *queue // unless in self-service
	class    *class // while waiting or offered
	seats    []*seat
	seat1    [1]*seat // what seats points to, but for ring-all
	enqueued int64    // into this queue
	first    int64    // into the first queue
	virtual  int64    // since when the wait counts for the order
	answered int64
	key1     int64
	key2     int64
	key3     int64        // sequence of the enqueued event: order of arrival in any queue
	index    int          // in class.waiting or queue.held
	pointer  int64        // place last offered, for sequential
	choice   *firstChoice // nil: anybody, and nobody remembers whom it is for

	deadline   int64 // MaxWait, or the expiry of a callback
	preferEnd  int64 // 0: the work is for everybody
	announceAt int64 // 0: nothing to announce
	overflowAt int64 // 0: no rule of overflow depends on the wait
	parked     int64 // a callback that must not be tried before
	announced  int32
	ring       int8
	expired    bool // deadline passed during an offer
	callback   bool
	held       bool // a callback for which MaxActive leaves no room
	human      bool
	timer      timer
}

func (w *work) setIndex(i int) { w.index = i }

// firstChoice is who should have a work before others, and for which customer it is. Few works have any.
type firstChoice struct {
	members  []*member
	customer string
}

// preferred returns who should have the work.
func (w *work) preferred() []*member {
	if w.choice == nil {
		return nil
	}
	return w.choice.members
}

type agent struct {
	// What every decision about the agent reads comes first and stays together: with many agents, fetching it is what a decision costs.
	state   AgentState
	next    AgentState // what follows the last conversation and wrap-up
	paused  bool       // refused an offer a moment ago; until timer
	bot     bool
	mask    uint32 // channels it is free for, by bit
	pending *seat  // the offer that stands; one at a time
	seats   []*seat
	members []*member
	idle    int64 // since when it had no more work than now, for longest-idle
	turn    int64 // breaks ties: order in which agents became ready

	id       string
	reason   string
	nextWhy  string // the reason for next
	since    int64
	answered int64 // works answered, for fewest-calls
	talk     int64 // nanoseconds in conversation, for least-talk-time
	busy     int64 // nanoseconds at work since login, for least-occupied
	unused   int64 // nanoseconds ready since login
	offer    uint64
	slots    int
	profile  *profile
	devices  []string
	wanted   []*work // waiting works that are for this agent only
	timer    timer
}

// seat is one work with one agent, from the offer to the end of wrap-up.
type seat struct {
	a      *agent
	w      *work // nil in wrap-up
	q      *queue
	state  seatState
	slots  int
	number uint64 // of the offer
	at     int    // in the Record's Offers
	timer  timer
}

type seatState uint8

const (
	seatOffered seatState = iota + 1
	seatDialing
	seatTalking
	seatWrapUp
)

// member is one agent in one queue.
type member struct {
	a          *agent
	q          *queue
	g          *group
	score, k2  int64   // what the strategy compares, while free
	prev, next *member // in g.idle, while free and byAge
	place      int64
	weight     int32
	tier       int32
	slot       int32 // in g.members
	index      int32 // in g.ready
	free       bool
}

func (m *member) setIndex(i int) { m.index = int32(i) }

type queue struct {
	Queue
	channel   int
	groups    map[*profile][]*group
	classes   map[uint64][]*class
	classList []*class
	waiting   int // works that wait, parked ones included
	free      int // members who could be offered a work of this channel
	offered   int // works being offered, and callbacks being dialled
	talking   int
	calling   int            // callbacks with an agent
	held      heap[*work]    // callbacks that MaxActive keeps back
	ringing   []*work        // ring-all: works being offered
	pointer   int64          // round-robin: the place offered last
	states    [numStates]int // members by state
	paused    int            // of the not ready ones, those who are back in a moment
	size      int            // members
	handle    int64          // moving average of handling time, nanoseconds
	waited    int64          // moving average of answered waits, nanoseconds
	building  bool
}

// timer is the one deadline that a work, a seat or an agent can have.
type timer struct {
	at    int64
	index int
	w     *work
	a     *agent
	s     *seat
}

func (t *timer) setIndex(i int) { t.index = i }

// NewCore returns a Core that waits for its first event, which must be KindStarted.
func NewCore() *Core { return &Core{works: map[string]*work{}, profiles: map[string]*profile{}} }

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

func (c *Core) decide(d Decision) {
	d.At = c.clock
	*c.decision(d.Kind) = d
}

// decision adds a decision to be filled in place: it is large, and copying it would cost more than making it.
func (c *Core) decision(kind DecisionKind) *Decision {
	n := len(c.out)
	if n == cap(c.out) {
		c.out = slices.Grow(c.out, 1)
	}
	c.out = c.out[:n+1]
	d := &c.out[n]
	*d = Decision{Kind: kind, At: c.clock}
	return d
}
