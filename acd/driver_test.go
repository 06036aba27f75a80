package acd_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
)

var t0 = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// fataler is what *testing.T and *rapid.T share.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// driver feeds a Core and checks every invariant after every event, against a model of its own that it builds from the decisions.
type driver struct {
	t     fataler
	core  *acd.Core
	now   time.Time
	log   []acd.Event
	text  []string // decisions of each event, as JSON
	tally *report.Tally
	rules acd.Rules

	works   map[string]*modelWork
	agents  map[string]*modelAgent
	records map[string]acd.Record
	turn    int
}

type modelWork struct {
	queue    string // empty: self-service
	priority int
	seq      uint64
	agent    string
	talking  bool
}

type modelAgent struct {
	state    acd.AgentState
	work     string
	offer    uint64
	idleTurn int // order of becoming ready; kept when an offer is withdrawn
	answered int
}

func newDriver(t fataler, rules acd.Rules) *driver {
	d := &driver{t: t, core: acd.NewCore(), now: t0, tally: report.New(), works: map[string]*modelWork{}, agents: map[string]*modelAgent{}, records: map[string]acd.Record{}}
	d.start(rules)
	return d
}

func (d *driver) start(rules acd.Rules) {
	d.rules = rules.WithDefaults()
	d.agents = map[string]*modelAgent{}
	for _, a := range rules.Agents {
		d.agents[a.ID] = &modelAgent{}
	}
	if _, err := d.try(acd.Event{Kind: acd.KindStarted, Rules: &rules}); err != nil {
		d.t.Fatalf("start: %v", err)
	}
}

// sleep lets time pass, serving deadlines.
func (d *driver) sleep(dt time.Duration) {
	d.t.Helper()
	d.now = d.now.Add(dt)
	d.tick()
}

func (d *driver) tick() {
	d.t.Helper()
	if due, ok := d.core.NextTimer(); ok && !due.After(d.now) {
		d.must(acd.Event{Kind: acd.KindTimer})
	}
}

func (d *driver) must(ev acd.Event) []acd.Decision {
	d.t.Helper()
	out, err := d.try(ev)
	if err != nil {
		d.t.Fatalf("%+v: %v", ev, err)
	}
	return out
}

func (d *driver) try(ev acd.Event) ([]acd.Decision, error) {
	d.t.Helper()
	ev.Seq, ev.At = d.core.Seq()+1, d.now
	out, err := d.core.Apply(ev)
	if err != nil {
		if d.core.Seq() != ev.Seq-1 || len(out) > 0 {
			d.t.Fatalf("a refused event took a number or decided something: %v", err)
		}
		return nil, err
	}
	d.log = append(d.log, ev)
	text, jerr := json.Marshal(out)
	if jerr != nil {
		d.t.Fatalf("%v", jerr)
	}
	d.text = append(d.text, string(text))
	d.tally.Observe(acd.Entry{Event: ev, Decisions: out})
	d.model(ev, out)
	d.check()
	return out, nil
}

func (d *driver) queue(name string) acd.Queue {
	for _, q := range d.rules.Queues {
		if q.Name == name {
			return q
		}
	}
	d.t.Fatalf("no queue %q", name)
	return acd.Queue{}
}

// model follows the decisions and checks each against what was true before it.
func (d *driver) model(ev acd.Event, out []acd.Decision) {
	d.t.Helper()
	switch ev.Kind {
	case acd.KindArrived:
		d.works[ev.Work] = &modelWork{}
	case acd.KindEnqueued:
		w := d.works[ev.Work]
		w.queue, w.priority, w.seq = ev.Queue, ev.Priority, ev.Seq
	}
	for _, x := range out {
		w, a := d.works[x.Work], d.agents[x.Agent]
		switch x.Kind {
		case acd.DecideState:
			if x.State == acd.Ready && a.work == "" && a.state != acd.Reserved && a.state != acd.Ringing {
				d.turn++
				a.idleTurn = d.turn
			}
			a.state = x.State
		case acd.DecideOffer:
			d.offered(x, w, a)
			w.agent, a.work, a.offer = x.Agent, x.Work, x.Offer
		case acd.DecideRevoke:
			if w.agent != x.Agent || a.work != x.Work || a.offer != x.Offer {
				d.t.Fatalf("revoked what was not offered: %+v", x)
			}
			w.agent, a.work = "", ""
		case acd.DecideAnswered:
			if w.agent != x.Agent || a.work != x.Work || w.talking || a.state != acd.Talking {
				d.t.Fatalf("answered what was not offered: %+v", x)
			}
			w.talking = true
			a.answered++
		case acd.DecideOverflow:
			if w.queue != x.Queue || w.agent != "" {
				d.t.Fatalf("overflow of a work that does not wait: %+v", x)
			}
			w.queue = ""
		case acd.DecideEnded:
			if _, twice := d.records[x.Work]; twice || w == nil {
				d.t.Fatalf("%q ended twice", x.Work)
			}
			d.records[x.Work] = *x.Record
			d.complete(*x.Record)
			if a := d.agents[w.agent]; a != nil && a.work == x.Work {
				a.work = ""
			}
			delete(d.works, x.Work)
		}
	}
}

// offered checks one offer: both sides free, the work first in order, the agent first by the strategy.
func (d *driver) offered(x acd.Decision, w *modelWork, a *modelAgent) {
	d.t.Helper()
	if w == nil || w.agent != "" || w.talking || w.queue != x.Queue {
		d.t.Fatalf("offered a work that does not wait: %+v %+v", x, w)
	}
	if a == nil || a.work != "" || a.state != acd.Reserved {
		d.t.Fatalf("offered to an agent who is not free: %+v %+v", x, a)
	}
	q := d.queue(x.Queue)
	isMember := func(q acd.Queue, id string) bool {
		for _, m := range q.Members {
			if m == id {
				return true
			}
		}
		return false
	}
	if !isMember(q, x.Agent) {
		d.t.Fatalf("offered to no member: %+v", x)
	}
	for id, o := range d.works { // order law, across all queues of the agent
		if o == w || o.queue == "" || o.agent != "" || !isMember(d.queue(o.queue), x.Agent) {
			continue
		}
		if o.priority > w.priority || o.priority == w.priority && o.seq < w.seq {
			d.t.Fatalf("%q was offered before %q, which comes first", x.Work, id)
		}
	}
	for i, id := range q.Members {
		r := d.agents[id]
		if id == x.Agent || r.state != acd.Ready {
			continue
		}
		switch q.Strategy {
		case acd.LongestIdle:
			if r.idleTurn < a.idleTurn {
				d.t.Fatalf("%q was chosen, %q is idle for longer", x.Agent, id)
			}
		case acd.FewestCalls:
			if r.answered < a.answered {
				d.t.Fatalf("%q was chosen, %q answered fewer", x.Agent, id)
			}
		case acd.TopDown:
			for j, m := range q.Members {
				if m == x.Agent && i < j {
					d.t.Fatalf("%q was chosen, %q stands above", x.Agent, id)
				}
			}
		}
	}
}

// complete checks that a record tells a whole and possible story.
func (d *driver) complete(r acd.Record) {
	d.t.Helper()
	bad := r.ArrivedAt.IsZero() || r.EndedAt.Before(r.ArrivedAt) || r.Cause == ""
	bad = bad || (r.Outcome == acd.Answered) != !r.AnsweredAt.IsZero() || r.AnsweredAt.IsZero() != (r.Agent == "")
	bad = bad || (r.Queue == "") != r.EnqueuedAt.IsZero() || r.Outcome == acd.Overflowed && r.Overflow == "" || r.Outcome == acd.IVREnded && r.Overflow != ""
	for i, o := range r.Offers {
		bad = bad || o.Result == "" || (o.Result == acd.OfferAccepted) != (i == len(r.Offers)-1 && r.Outcome == acd.Answered)
	}
	if bad {
		d.t.Fatalf("impossible record %+v", r)
	}
}

// check compares the Core's own view, the model and the figures.
func (d *driver) check() {
	d.t.Helper()
	s := d.core.Snapshot(d.now)
	if s.Open != len(d.works) {
		d.t.Fatalf("%d works are open, the model has %d", s.Open, len(d.works))
	}
	r := d.tally.Report(d.now)
	if r.Arrived != r.Answered+r.Abandoned+r.Overflowed+r.IVREnded+r.Open || r.Open+r.Talking != s.Open {
		d.t.Fatalf("the sum is wrong: %+v", r)
	}
	states := map[acd.AgentState]int{}
	for _, a := range s.Agents {
		states[a.State]++
		m := d.agents[a.ID]
		if m.state != a.State || m.work != a.Work {
			d.t.Fatalf("agent %+v, the model has %+v", a, m)
		}
		if busy := a.State == acd.Reserved || a.State == acd.Ringing || a.State == acd.Talking; busy != (a.Work != "") {
			d.t.Fatalf("agent stuck: %+v", a)
		}
	}
	for _, q := range s.Queues {
		w := r.Queues[q.Name]
		if q.Waiting > 0 && q.Members[acd.Ready] > 0 {
			d.t.Fatalf("%d wait in %q while %d are ready", q.Waiting, q.Name, q.Members[acd.Ready])
		}
		if q.Waiting > 0 && len(q.Members) == 1 && q.Members[acd.LoggedOut] > 0 && d.queue(q.Name).NoAgents == acd.NoAgentsOverflow {
			d.t.Fatalf("%d wait in %q while nobody is there", q.Waiting, q.Name)
		}
		if w.Entered != w.Answered+w.Abandoned+w.Overflowed+w.Waiting || w.Waiting != q.Waiting+q.Offered || w.CurrentWait != q.LongestWait {
			d.t.Fatalf("queue %q: figures %+v, snapshot %+v", q.Name, w, q)
		}
	}
	for st, n := range r.Agents {
		if states[st] != n {
			d.t.Fatalf("%d agents are %v, the figures say %d", states[st], st, n)
		}
	}
	places := map[string]map[int]bool{}
	for id, w := range d.works {
		p, err := d.core.Position(id)
		if waits := w.queue != "" && !w.talking; waits != (err == nil) {
			d.t.Fatalf("position of %q (%+v): %v", id, w, err)
		}
		if err != nil || w.agent != "" {
			continue
		}
		if places[w.queue] == nil {
			places[w.queue] = map[int]bool{}
		}
		if p.Place < 1 || p.EWT < 0 || places[w.queue][p.Place] {
			d.t.Fatalf("position of %q: %+v", id, p)
		}
		places[w.queue][p.Place] = true
	}
}

// verifyReplay decides the log again and compares every decision.
func (d *driver) verifyReplay() {
	d.t.Helper()
	i := 0
	for e, err := range acd.Replay(seq(d.log)) {
		if err != nil {
			d.t.Fatalf("replay: %v", err)
		}
		text, err := json.Marshal(e.Decisions)
		if err != nil || string(text) != d.text[i] {
			d.t.Fatalf("event %d decided again:\n got %s\nwant %s", e.Event.Seq, text, d.text[i])
		}
		i++
	}
	if i != len(d.log) {
		d.t.Fatalf("replayed %d of %d events", i, len(d.log))
	}
	again, err := report.FromLog(seq(d.log))
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	if got, want := fmt.Sprint(again.Report(d.now)), fmt.Sprint(d.tally.Report(d.now)); got != want {
		d.t.Fatalf("historical report\n%s\nlive report\n%s", got, want)
	}
}

func seq(log []acd.Event) func(func(acd.Event, error) bool) {
	return func(yield func(acd.Event, error) bool) {
		for _, ev := range log {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

var _ fataler = (*testing.T)(nil)
