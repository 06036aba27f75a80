package report

import (
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Config says what a Tally keeps besides the figures since the beginning. The zero Config keeps nothing else, and no person.
type Config struct {
	// Interval divides the day, such as 15, 30 or 60 min: see Bucket. If zero, there are no intervals. From 1 min to 12 h.
	Interval time.Duration
	// Zone is where intervals are aligned to the clocks. If nil, UTC.
	Zone *time.Location
	// Keep is how many intervals that are over are kept. If zero, 96; if negative, none, for who takes them by OnInterval.
	Keep int
	// OnInterval is called with each interval when it is over, from within Observe or Advance: it must not call the Tally. If nil, nobody is told.
	OnInterval func(Interval)
	// Tolerance is the difference between promised and actual wait up to which a promise was kept. If zero, 60 s.
	Tolerance time.Duration
	// TransferAttribute is the attribute in which a new work names the one it continues. acd knows no transfer: the work that an agent
	// hands on is another one. If empty, no transfers are counted.
	TransferAttribute string
	// Schedule plans who should be at work when. If empty, there is no adherence.
	Schedule []Shift
	// Authorizer and Auditor decide on figures of persons and record who asks. If one is nil, such figures are neither kept nor given.
	Authorizer acd.Authorizer
	Auditor    acd.Auditor
}

// Tally counts. The zero Tally is not usable; New or NewTally makes one. It is safe for concurrent use.
type Tally struct {
	mu      sync.Mutex
	cfg     Config
	persons bool

	rows    []*row
	queues  map[string]*row // the row in which a queue counts now
	works   map[string]*work
	free    []*work
	agents  map[string]*agent
	planned []*agent // those with shifts
	bots    bool     // there are any

	// What was looked up last: most decisions are about the work, queue and agent of the one before.
	lastWork  *work
	lastRow   *row
	lastAgent *agent

	inState [acd.WrapUp + 1]int
	opened  int
	talking int

	now       int64 // of the last entry, nanoseconds since 1970
	from, end int64 // of the running interval; end is 0 without
	cur, past sum
	closed    []Interval
}

// row counts the waits in one queue, as long as it belongs to one channel.
type row struct {
	queue, channel string
	target, short  time.Duration
	promises       bool
	waiting        int
	interval       int   // counts intervals, for who answered in this one
	cur, past      Waits // of the running interval, of those before it
}

type workState uint8

const (
	outside workState = iota // in self-service
	inQueue
	withAgent
)

type work struct {
	id       string
	row      *row
	agent    *agent
	since    int64 // in this state
	state    workState
	callback bool
	promised bool
	transfer bool
	been     []*row // queues it has been in
}

type answer struct {
	row      *row
	interval int
}

type agent struct {
	id      string
	state   acd.AgentState // invalid: no process knows the agent
	bot     bool
	since   int64    // up to when its time is booked
	wrap    int64    // since when it wraps up
	last    *row     // of the work it wraps up
	answers []answer // by row, the interval it last answered in
	own     *own     // nil unless the agent is planned, or somebody may ask for persons
}

// own is what is kept of one agent.
type own struct {
	shifts        []shift
	planned, kept int64
	spent         spent
	figures       personFigures
}

// New returns a Tally with the zero Config.
func New() *Tally {
	t, _ := NewTally(Config{}) // which is valid
	return t
}

// NewTally checks a Config and returns an empty Tally. An error wraps acd.ErrConfig.
func NewTally(cfg Config) (*Tally, error) {
	if cfg.Interval != 0 {
		if err := checkLength(cfg.Interval); err != nil {
			return nil, err
		}
	}
	if cfg.Tolerance < 0 {
		return nil, fmt.Errorf("%w: a Tolerance of %v", acd.ErrConfig, cfg.Tolerance)
	}
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Keep == 0 {
		cfg.Keep = 96
	}
	if cfg.Tolerance == 0 {
		cfg.Tolerance = time.Minute
	}
	t := &Tally{cfg: cfg, queues: map[string]*row{}, works: map[string]*work{}, agents: map[string]*agent{}}
	t.persons = cfg.Authorizer != nil && cfg.Auditor != nil
	return t, t.plan(cfg.Schedule)
}

// FromLog counts a whole stored log, such as Store.Load(ctx, 0). An error is the one of acd.Replay.
func FromLog(log iter.Seq2[acd.Event, error]) (*Tally, error) {
	t := New()
	if err := t.Read(log); err != nil {
		return nil, err
	}
	return t, nil
}

// Read counts a whole stored log into a new Tally. An error is the one of acd.Replay; the entries before it are counted.
func (t *Tally) Read(log iter.Seq2[acd.Event, error]) error {
	for e, err := range acd.Replay(log) {
		if err != nil {
			return err
		}
		t.Observe(e)
	}
	return nil
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

// Observe counts one entry. Entries must come in order and from the beginning of the log. It has the shape of acd.Config.Observer, and
// keeps nothing of the entry but ids of what is open.
func (t *Tally) Observe(e acd.Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ev := &e.Event
	at := ev.At.UnixNano()
	if ev.Kind == acd.KindStarted {
		t.starts(ev, at)
	} else if ev.Kind != acd.KindTimer { // what a timer decides has times of its own, up to this one
		t.advance(at)
	}
	switch ev.Kind {
	case acd.KindArrived:
		t.cur.totals.Arrived++
		t.opened++
		t.arrived(ev)
	case acd.KindEnqueued:
		t.entered(ev, at)
	}
	for i := range e.Decisions {
		t.decision(&e.Decisions[i])
	}
	t.advance(at)
	if ev.Kind == acd.KindStarted && ev.Rules != nil {
		t.govern(ev.Rules.WithDefaults())
	}
}

func (t *Tally) arrived(ev *acd.Event) {
	var w *work
	if n := len(t.free); n > 0 {
		w, t.free = t.free[n-1], t.free[:n-1]
	} else {
		w = &work{}
	}
	*w = work{id: ev.Work, been: w.been[:0], transfer: t.cfg.TransferAttribute != "" && ev.Attributes[t.cfg.TransferAttribute] != ""}
	t.works[ev.Work], t.lastWork = w, w
}

// work returns an open work, nil if there is none.
func (t *Tally) work(id string) *work {
	if w := t.lastWork; w != nil && w.id == id {
		return w
	}
	w := t.works[id]
	if w != nil {
		t.lastWork = w
	}
	return w
}

// starts ends what agents did under the last process: at its last event, or now if this process goes on with it.
func (t *Tally) starts(ev *acd.Event, at int64) {
	if t.now == 0 {
		t.now = at
		t.open(at)
		for _, a := range t.agents {
			a.since = at // what was planned before the log began is not known to have been kept or not
		}
	}
	resume := ev.Resume && ev.Seq > 1
	if resume {
		t.advance(at)
	}
	for _, a := range t.agents {
		t.enter(a, 0, t.now)
		a.since = at
	}
	t.bots = false
	if ev.Rules == nil {
		return
	}
	for i := range ev.Rules.Agents {
		r := &ev.Rules.Agents[i]
		t.agent(r.ID).bot = r.Bot
		t.agent(r.ID).since = at
		t.bots = t.bots || r.Bot
	}
}

// govern takes up rules: what is decided from now on counts by them.
func (t *Tally) govern(rules acd.Rules) {
	for i := range rules.Queues {
		q := &rules.Queues[i]
		r := t.queues[q.Name]
		if r == nil || r.channel != q.Channel {
			r = t.newRow(q.Name, q.Channel)
		}
		r.promises = q.KeepEstimate
		for _, r := range t.rows { // the one of a former channel may have waits going on
			if r.queue == q.Name {
				r.target, r.short = q.ServiceTarget, q.ShortAbandon
			}
		}
	}
}

func (t *Tally) newRow(queue, channel string) *row {
	i := slices.IndexFunc(t.rows, func(r *row) bool { return r.queue == queue && r.channel == channel })
	if i < 0 {
		i = len(t.rows)
		t.rows = append(t.rows, &row{queue: queue, channel: channel, interval: 1})
	}
	t.queues[queue], t.lastRow = t.rows[i], nil
	return t.rows[i]
}

// row returns where a queue counts. A log names its queues before it uses them.
func (t *Tally) row(queue string) *row {
	if r := t.lastRow; r != nil && r.queue == queue {
		return r
	}
	r := t.queues[queue]
	if r == nil {
		r = t.newRow(queue, "")
	}
	t.lastRow = r
	return r
}

func (t *Tally) agent(id string) *agent {
	if a := t.lastAgent; a != nil && a.id == id {
		return a
	}
	a := t.agents[id]
	if a == nil {
		a = &agent{id: id, since: t.now}
		if t.persons {
			a.own = &own{}
		}
		t.agents[id] = a
		t.inState[a.state]++
	}
	t.lastAgent = a
	return a
}
