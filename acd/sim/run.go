package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// auditEvery is after how many events the whole core is compared with what the simulation knows.
const auditEvery = 1 << 14

// engine plays customers and agents against a core.
type engine struct {
	cfg      Config
	core     *acd.Core
	agenda   agenda
	meter    *meter
	now      int64
	end      int64
	clock    time.Time
	flows    []flow
	lines    []*line
	queues   map[string]*line
	people   []*person
	agents   map[string]*person
	jobs     map[string]*job
	spare    []*job
	answers  *rand.Rand
	entering *job // whose enqueued event is being applied
	single   bool // an agent does one work at a time
	keeper   *keeper
}

// flow is a Flow at work. Arrivals and works draw from their own streams, so that they stay the same whatever the rules do.
type flow struct {
	*Flow
	line    *line
	next    func() (int64, bool)
	draws   *rand.Rand
	made    int
	id      []byte
	onwards *acd.Terms // of a work that the queue sent to another
}

type jobState uint8

const (
	inSelfService jobState = iota
	inLine
	inTalk
)

// job is one work, as the customer knows it.
type job struct {
	id      string
	flow    *flow
	line    *line // last entered
	batch   *batch
	state   jobState
	offers  int  // that stand
	at      bool // an agent was free when it entered
	gen     uint32
	entered int64 // into the line
	first   int64 // into the first line
	talk    int64 // how long the conversation will be
	ends    int64 // when it will be over
	next    string
}

// person is one agent.
type person struct {
	id    string
	state acd.AgentState
	want  presence
	offer uint64 // that stands
	job   *job   // that is being offered
	talks int
	rona  bool // must come back
	gone  bool // with a site
}

// Run simulates once and divides the run into batches for its confidence intervals. It is as good as a replay: the same Config gives the
// same events, decisions and figures, bit for bit, in the same program on the same architecture. An error wraps ErrInvalid, ErrBroken or
// what ctx says; ctx is looked at every few thousand events.
func Run(ctx context.Context, cfg Config) (Result, error) {
	e, err := newEngine(cfg, cfg.Seed)
	if err != nil {
		return Result{}, err
	}
	if err := e.run(ctx); err != nil {
		return Result{}, err
	}
	return e.result(e.meter.batches), nil
}

// Replicate simulates n times, with seeds that follow from Config.Seed, and takes each run as one sample for the confidence intervals. It
// is what to use where rates change with the time, and with a Warmup. At least 2 runs, at most 10 000. Errors are as of Run.
func Replicate(ctx context.Context, cfg Config, n int) (Result, error) {
	if n < 2 || n > 10_000 {
		return Result{}, fmt.Errorf("%w: %d replications; from 2 to 10000", ErrInvalid, n)
	}
	if cfg.Loss != nil && cfg.Loss.Store != nil {
		return Result{}, fmt.Errorf("%w: the store of a loss holds one run, not %d", ErrInvalid, n)
	}
	cfg.Batches = 1
	seeds := stream(cfg.Seed, 0)
	var all []batch
	var events uint64
	var last *engine
	var loss *LossReport
	for range n {
		e, err := newEngine(cfg, seeds.Uint64())
		if err != nil {
			return Result{}, err
		}
		if err := e.run(ctx); err != nil {
			return Result{}, err
		}
		all = append(all, fold(e.meter.batches))
		events += e.core.Seq()
		last = e
		if e.keeper != nil {
			loss = loss.plus(e.keeper.report)
		}
	}
	out := last.result(all)
	out.Events, out.Loss = events, loss
	return out, nil
}

func (e *engine) result(batches []batch) Result {
	out := result(e.cfg.Rules.Queues, batches, e.cfg.Confidence)
	out.Events = e.core.Seq()
	if e.keeper != nil {
		out.Loss = &e.keeper.report
	}
	return out
}

func newEngine(given Config, seed uint64) (*engine, error) {
	given.Seed = seed
	cfg, err := given.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &engine{cfg: cfg, core: acd.NewCore(), now: cfg.Start.UnixNano(), queues: map[string]*line{}, agents: map[string]*person{}, jobs: map[string]*job{},
		answers: stream(seed, 1), single: len(cfg.Rules.Channels) == 1}
	e.end = e.now + int64(cfg.Warmup+cfg.Length)
	constrained := map[string]bool{}
	for _, f := range cfg.Flows {
		if f.Terms != nil {
			constrained[f.Queue] = true
		}
	}
	for _, o := range cfg.Rules.Queues { // who comes from another queue has the terms of its flow
		for _, r := range o.Overflow {
			constrained[r.To] = true
		}
	}
	for i, q := range cfg.Rules.Queues {
		l := &line{Queue: q, index: i, since: e.now, plain: len(q.Needs) == 0 && len(q.Rings) == 0 && !constrained[q.Name] && e.single && cfg.Loss == nil}
		e.lines, e.queues[q.Name] = append(e.lines, l), l
	}
	for i := range cfg.Rules.Agents {
		p := &person{id: cfg.Rules.Agents[i].ID, state: acd.LoggedOut}
		e.single = e.single && cfg.Rules.Channels[0].Slots == 0
		e.people, e.agents[p.id] = append(e.people, p), p
	}
	for i := range cfg.Flows {
		f := &cfg.Flows[i]
		number := uint64(2 + 2*i)
		terms := acd.Terms{KeepClock: true}
		if f.Terms != nil {
			terms = *f.Terms
			terms.KeepClock = true
		}
		e.flows = append(e.flows, flow{Flow: f, line: e.queues[f.Queue], id: append([]byte(f.Name), '-'), onwards: &terms,
			next: f.Arrivals.from(e.now, stream(seed, number)), draws: stream(seed, number+1)})
	}
	e.meter = newMeter(e.lines, e.now, cfg.Batches)
	if cfg.Loss != nil {
		e.keeper = newKeeper(cfg.Loss)
	}
	return e, nil
}

// stream returns the generator of a number that belongs to a seed. Seed and number are mixed (SplitMix64), since generators that start
// close to one another should not.
func stream(seed, number uint64) *rand.Rand {
	mix := func(x uint64) uint64 {
		x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
		x = (x ^ x>>27) * 0x94d049bb133111eb
		return x ^ x>>31
	}
	a := mix(seed + 0x9e3779b97f4a7c15)
	return rand.New(rand.NewPCG(a, mix(a^mix(number+0x9e3779b97f4a7c15))))
}

// begin starts the core, brings the agents in and plans what is known beforehand.
func (e *engine) begin() error {
	e.clock = e.cfg.Start.UTC()
	if err := e.apply(acd.Event{Kind: acd.KindStarted, Rules: &e.cfg.Rules}); err != nil {
		return err
	}
	inShift := map[string]bool{}
	for _, s := range e.cfg.Shifts {
		for _, a := range s.Agents {
			inShift[a] = true
		}
	}
	for _, p := range e.people {
		if !inShift[p.id] {
			if err := e.turnUp(p, present); err != nil {
				return err
			}
		}
	}
	for i := range e.cfg.Batches {
		e.agenda.add(item{at: e.now + int64(e.cfg.Warmup) + int64(i)*int64(e.cfg.Length)/int64(e.cfg.Batches), do: doBatch})
	}
	for i := range e.cfg.Shifts {
		e.agenda.add(item{at: e.now, do: doShift, number: int32(i)})
	}
	if e.cfg.Loss != nil {
		e.agenda.add(item{at: e.now + int64(e.cfg.Loss.At), do: doLose})
	}
	for i := range e.flows {
		e.planArrival(int32(i))
	}
	return nil
}

func (e *engine) run(ctx context.Context) error {
	if err := e.begin(); err != nil {
		return err
	}
	for n := 1; ; n++ {
		if n%auditEvery == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := e.audit(); err != nil {
				return err
			}
		}
		at := e.end
		if len(e.agenda.items) > 0 {
			at = min(at, e.agenda.items[0].at)
		}
		var err error
		if due, ok := e.core.NextTimer(); ok && due.UnixNano() <= at {
			e.set(max(due.UnixNano(), e.now))
			err = e.apply(acd.Event{Kind: acd.KindTimer})
		} else if at >= e.end {
			break
		} else {
			it := e.agenda.take()
			e.set(it.at)
			err = e.do(&it)
		}
		if err != nil {
			return err
		}
	}
	e.meter.end(e.end)
	return e.audit()
}

func (e *engine) set(at int64) {
	if at != e.now {
		e.now, e.clock = at, time.Unix(0, at).UTC()
	}
}

// apply gives the core an event that happens now, and follows its decisions.
func (e *engine) apply(ev acd.Event) error {
	ev.Seq, ev.At = e.core.Seq()+1, e.clock
	out, err := e.core.Apply(ev)
	if err != nil {
		if errors.Is(err, acd.ErrInvalid) { // rules or terms: the core has checked what the Config holds
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if e.keeper != nil {
		if err := e.keeper.keep(e.core, ev); err != nil {
			return err
		}
	}
	if e.cfg.Observe != nil {
		e.cfg.Observe(acd.Entry{Event: ev, Decisions: out})
	}
	for i := range out {
		if err := e.follow(&out[i]); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) do(it *item) error {
	switch it.do {
	case doArrive:
		return e.arrive(it.number)
	case doShift:
		return e.shift(it.number)
	case doBatch:
		e.meter.turn(e.now)
		return nil
	case doLose:
		return e.lose()
	case doReturn:
		return e.comeBack(it.person)
	}
	j := it.job
	if j.gen != it.gen {
		return nil
	}
	switch it.do {
	case doRing, doAccept:
		return e.answer(it)
	case doHangUp:
		if j.state == inLine {
			return e.apply(acd.Event{Kind: acd.KindAbandoned, Work: j.id})
		}
	case doFinish:
		return e.apply(acd.Event{Kind: acd.KindEnded, Work: j.id, Reason: "done"})
	case doGiveUp:
		return e.apply(acd.Event{Kind: acd.KindEnded, Work: j.id, Reason: j.next})
	case doRequeue:
		return e.enqueue(j, e.queues[j.next], j.flow.onwards)
	}
	return nil
}

func (e *engine) planArrival(i int32) {
	if at, ok := e.flows[i].next(); ok && at < e.end {
		e.agenda.add(item{at: max(at, e.now), do: doArrive, number: i})
	}
}

func (e *engine) arrive(i int32) error {
	f := &e.flows[i]
	e.planArrival(i)
	f.made++
	id := string(strconv.AppendInt(f.id, int64(f.made), 10))
	return e.admit(f, id, draw(f.Service, f.draws), f.Terms)
}

// admit lets a work arrive and enter the queue of its flow.
func (e *engine) admit(f *flow, id string, talk int64, terms *acd.Terms) error {
	j := e.job()
	j.id, j.flow, j.talk, j.first = id, f, talk, e.now
	e.jobs[id] = j
	gen, hangUp := j.gen, int64(-1)
	if f.Patience != nil {
		hangUp = e.now + draw(f.Patience, f.draws)
	}
	if err := e.apply(acd.Event{Kind: acd.KindArrived, Work: id}); err != nil {
		return err
	}
	if err := e.enqueue(j, f.line, terms); err != nil {
		return err
	}
	if hangUp >= 0 && j.gen == gen {
		e.agenda.add(item{at: hangUp, do: doHangUp, job: j, gen: gen})
	}
	return nil
}

func (e *engine) job() *job {
	n := len(e.spare)
	if n == 0 {
		return &job{}
	}
	j := e.spare[n-1]
	e.spare = e.spare[:n-1]
	return j
}

func (e *engine) enqueue(j *job, l *line, terms *acd.Terms) error {
	j.line, j.state, j.entered, j.batch, j.offers = l, inLine, e.now, e.meter.now, 0
	l.grow(e.meter, 1, e.now)
	c := &j.batch.queues[l.index]
	c.entered++
	e.entering, j.at = j, false
	err := e.apply(acd.Event{Kind: acd.KindEnqueued, Work: j.id, Queue: l.Name, Priority: j.flow.Priority, Terms: terms})
	e.entering = nil
	if j.state == inLine { // else it was turned away
		c.admitted++
		if !j.at {
			c.waited++
		}
	}
	return err
}

// answer lets an agent's phone ring, or the agent take the work. Whoever is too late for the offer does nothing.
func (e *engine) answer(it *item) error {
	p := it.person
	if p.offer != it.offer {
		return nil
	}
	ev := acd.Event{Kind: acd.KindAccepted, Agent: p.id, Work: it.job.id, Offer: it.offer}
	if it.do == doRing {
		ev.Kind = acd.KindRinging
	}
	return e.apply(ev)
}

// turnUp makes an agent present, absent or pausing.
func (e *engine) turnUp(p *person, to presence) error {
	if p.gone || p.want == to {
		return nil
	}
	var events []acd.Event
	if p.want == away {
		events = append(events, acd.Event{Kind: acd.KindLogin})
	}
	switch p.want = to; to {
	case away:
		events = append(events, acd.Event{Kind: acd.KindLogout, Reason: "shift"})
	case pausing:
		events = append(events, acd.Event{Kind: acd.KindNotReady, Reason: "break"})
	case present:
		p.rona = false
		events = append(events, acd.Event{Kind: acd.KindReady})
	}
	for _, ev := range events {
		ev.Agent = p.id
		if err := e.apply(ev); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) shift(i int32) error {
	s := &e.cfg.Shifts[i]
	to := s.at(e.now)
	for _, id := range s.Agents {
		if err := e.turnUp(e.agents[id], to); err != nil {
			return err
		}
	}
	if at, ok := s.next(e.now); ok && at < e.end {
		e.agenda.add(item{at: at, do: doShift, number: i})
	}
	return nil
}

// comeBack makes an agent ready who let an offer ring out.
func (e *engine) comeBack(p *person) error {
	if !p.rona || p.gone || p.want != present {
		return nil
	}
	p.rona = false
	return e.apply(acd.Event{Kind: acd.KindReady, Agent: p.id})
}
