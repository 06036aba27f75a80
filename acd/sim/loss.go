package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Loss is a site that dies: the process that runs the core, and the agents of the site. Another site takes over from the log.
type Loss struct {
	// At is when it dies, since Config.Start, warm-up included.
	At time.Duration
	// Gap is how long nothing is decided, until another site has taken over. What happens meanwhile reaches the new core at its end. If 0,
	// it takes over at once.
	Gap time.Duration
	// Agents are those of the site: they are gone with it, and their conversations are cut. The customers are put back in line with the
	// clock of their first arrival, which is before that of everybody who came later. If empty, only the core dies.
	Agents []string
	// Store is the log that survives. It must be empty; if it is an acd.StateKeeper too, the state is kept beside it and only the rest is
	// replayed. If nil, an acd.MemStore.
	Store acd.Store
}

// LossReport is what became of the works that were open when a site died.
type LossReport struct {
	Waiting  int // waited, those included that were being offered
	Kept     int // of Waiting, those still in line, or with an agent, after the takeover
	Talking  int // were in conversation
	Resumed  int // of Talking, those whose agent was gone: back in line with their clock
	Lost     int // of all, those that are neither
	Replayed int // events that the new core had to read
	// InOrder says that works of one queue that waited before the loss and after the takeover stood in the same order.
	InOrder bool
}

// plus adds the report of another run. A nil report is none.
func (r *LossReport) plus(o LossReport) *LossReport {
	if r == nil {
		return &o
	}
	return &LossReport{r.Waiting + o.Waiting, r.Kept + o.Kept, r.Talking + o.Talking, r.Resumed + o.Resumed, r.Lost + o.Lost, r.Replayed + o.Replayed,
		r.InOrder && o.InOrder}
}

// stateEvery is after how many events the state is kept beside the log.
const stateEvery = 5000

// keeper keeps the log of a run in which a site dies.
type keeper struct {
	loss   *Loss
	store  acd.Store
	cut    []job // conversations that the loss ended
	report LossReport
}

func newKeeper(l *Loss) *keeper {
	k := &keeper{loss: l, store: l.Store}
	if k.store == nil {
		k.store = &acd.MemStore{}
	}
	return k
}

// keep makes an event durable before anybody hears of what it decided.
func (k *keeper) keep(core *acd.Core, ev acd.Event) error {
	ctx := context.Background()
	if err := k.store.Append(ctx, []acd.Event{ev}); err != nil {
		return fmt.Errorf("sim: log: %w", err)
	}
	states, ok := k.store.(acd.StateKeeper)
	if !ok || ev.Seq%stateEvery != 0 {
		return nil
	}
	state, err := core.MarshalState()
	if err == nil {
		err = states.SaveState(ctx, ev.Seq, state)
	}
	if err != nil {
		return fmt.Errorf("sim: state: %w", err)
	}
	return nil
}

// restore makes a core of what survived.
func (k *keeper) restore() (*acd.Core, error) {
	ctx, core := context.Background(), acd.NewCore()
	if states, ok := k.store.(acd.StateKeeper); ok {
		state, err := states.LoadState(ctx)
		if err == nil && state != nil {
			core, err = acd.RestoreCore(state)
		}
		if err != nil {
			return nil, fmt.Errorf("sim: state: %w", err)
		}
	}
	for ev, err := range k.store.Load(ctx, core.Seq()) {
		if err == nil {
			_, err = core.Apply(ev)
		}
		if err != nil {
			return nil, fmt.Errorf("sim: log: %w", err)
		}
		k.report.Replayed++
	}
	return core, nil
}

// lose lets the site die now and another take over after the gap.
func (e *engine) lose() error {
	k := e.keeper
	died := e.now
	waiting := map[string]int{} // by id: the place in line; 0 if it was being offered
	talking := map[string]bool{}
	for id, j := range e.jobs {
		switch {
		case j.state == inTalk:
			talking[id] = true
		case j.state == inLine && j.offers > 0: // out of the line; when it comes back, its clock and priority say where it stands
			waiting[id] = 0
		case j.state == inLine:
			at, err := e.core.Position(id)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrBroken, err)
			}
			waiting[id] = at.Place
		}
	}
	k.report.Waiting, k.report.Talking = len(waiting), len(talking)
	for _, id := range k.loss.Agents {
		p := e.agents[id]
		e.meter.state(p.state, acd.LoggedOut, e.now)
		p.state, p.gone = acd.LoggedOut, true
	}
	late := e.pass(e.now + int64(k.loss.Gap))
	if err := e.takeOver(); err != nil {
		return err
	}
	k.report.InOrder = e.inOrder(waiting)
	for id := range waiting {
		if e.jobs[id] != nil {
			k.report.Kept++
		} else {
			k.report.Lost++
		}
	}
	if due, ok := e.core.NextTimer(); ok && due.UnixNano() <= e.now { // what was due in the gap
		if err := e.apply(acd.Event{Kind: acd.KindTimer}); err != nil {
			return err
		}
	}
	for i := range k.cut {
		j := &k.cut[i]
		terms := acd.Terms{}
		if j.flow.Terms != nil {
			terms = *j.flow.Terms
		}
		terms.HeadStart = time.Duration(min(e.now-j.first, int64(30*24*time.Hour)))
		if err := e.admit(j.flow, j.id+"+", max(1, j.ends-died), &terms); err != nil {
			return err
		}
		if again := e.jobs[j.id+"+"]; again != nil {
			again.first = j.first
			k.report.Resumed++
		}
	}
	for id := range talking {
		if e.jobs[id] == nil && e.jobs[id+"+"] == nil {
			k.report.Lost++
		}
	}
	for _, it := range late {
		it.at = e.now
		e.agenda.add(it)
	}
	return nil
}

// pass lets time pass in which the core hears nothing. It returns what happened meanwhile.
func (e *engine) pass(to int64) (late []item) {
	for len(e.agenda.items) > 0 && e.agenda.items[0].at <= to {
		it := e.agenda.take()
		if it.do == doBatch {
			e.set(it.at)
			e.meter.turn(it.at)
			continue
		}
		late = append(late, it)
	}
	e.set(to)
	return late
}

// takeOver starts a new core on what survived, without the agents who are gone.
func (e *engine) takeOver() error {
	before := e.core.Seq()
	core, err := e.keeper.restore()
	if err != nil {
		return err
	}
	if core.Seq() != before {
		return fmt.Errorf("%w: the log ends at event %d, the core that died had applied %d", ErrBroken, core.Seq(), before)
	}
	e.core = core
	gone := func(id string) bool { p := e.agents[id]; return p != nil && p.gone }
	rules := e.cfg.Rules.WithDefaults() // a deep copy
	rules.Agents = slices.DeleteFunc(rules.Agents, func(a acd.Agent) bool { return gone(a.ID) })
	for i := range rules.Queues {
		q := &rules.Queues[i]
		q.Members = slices.DeleteFunc(q.Members, gone)
		maps.DeleteFunc(q.Tiers, func(id string, _ int) bool { return gone(id) })
		maps.DeleteFunc(q.Weights, func(id string, _ int) bool { return gone(id) })
	}
	return e.apply(acd.Event{Kind: acd.KindStarted, Rules: &rules, Resume: true})
}

// inOrder reports whether works that still wait stand as they stood.
func (e *engine) inOrder(before map[string]int) bool {
	type place struct{ before, now int }
	lines := map[string][]place{}
	for id, at := range before {
		if now, err := e.core.Position(id); err == nil && at > 0 && e.jobs[id] != nil && e.jobs[id].offers == 0 {
			lines[now.Queue] = append(lines[now.Queue], place{at, now.Place})
		}
	}
	for _, l := range lines {
		slices.SortFunc(l, func(a, b place) int { return cmp.Compare(a.now, b.now) })
		if !slices.IsSortedFunc(l, func(a, b place) int { return cmp.Compare(a.before, b.before) }) {
			return false
		}
	}
	return true
}
