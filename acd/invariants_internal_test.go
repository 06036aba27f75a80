package acd

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// dice is what draws: rapid for short runs that shrink, a seeded generator for long ones.
type dice interface{ n(most int) int } // from 0 to most

type rapidDice struct{ t *rapid.T }

func (d rapidDice) n(most int) int { return rapid.IntRange(0, most).Draw(d.t, "n") }

type randDice struct{ r *rand.Rand }

func (d randDice) n(most int) int { return d.r.IntN(most + 1) }

func oneOf[T any](d dice, from ...T) T { return from[d.n(len(from)-1)] }

func drawSkills(d dice, most int) (out []Skill) {
	for _, name := range []string{"da", "en", "tax"} {
		if d.n(2) == 0 && len(out) < most {
			out = append(out, Skill{name, 1 + d.n(2)})
		}
	}
	return out
}

func drawAllRules(d dice) Rules {
	sec := func(most int) time.Duration { return time.Duration(d.n(most)) * time.Second }
	r := Rules{
		Channels: []Channel{{Name: "voice", Interrupts: oneOf(d, nil, []string{"chat"})}, {Name: "chat", Slots: 1, Max: d.n(2)}},
		Fairness: oneOf(d, "", FairAge, FairServiceLevel), Seed: uint64(d.n(1000)), LastAgents: d.n(3),
	}
	var ids []string
	for i := range 1 + d.n(5) {
		ids = append(ids, fmt.Sprintf("a%d", i))
		r.Agents = append(r.Agents, Agent{ID: ids[i], Skills: drawSkills(d, 3), Slots: d.n(3), Bot: d.n(4) == 0})
	}
	for i := range 1 + d.n(2) {
		q := Queue{
			Name: fmt.Sprintf("q%d", i), Strategy: oneOf(d, Strategies()...), Channel: oneOf(d, "voice", "voice", "chat"),
			RingTimeout: sec(5), RejectPause: sec(5), WrapUp: sec(4) - time.Second, MaxWaiting: d.n(6), MaxWait: sec(40), RingMax: d.n(3),
			NoAgents: oneOf(d, "", NoAgentsWait, NoAgentsUnready), NoAnswer: oneOf(d, "", NoAnswerPause, NoAnswerNotReady),
			Needs: drawSkills(d, d.n(1)), Ageing: sec(3), Weight: d.n(3), LastAgentWait: sec(3), Estimate: oneOf(d, "", EstimateRecent),
			KeepEstimate: d.n(1) == 0, ExitKeys: oneOf(d, "", "0*"), Tiers: map[string]int{}, Weights: map[string]int{},
		}
		for _, id := range ids {
			if d.n(3) > 0 {
				q.Members = append(q.Members, id)
				q.Tiers[id], q.Weights[id] = d.n(2), 1+d.n(3)
			}
		}
		if d.n(2) == 0 {
			q.Rings = []Ring{{After: sec(3), Tier: 1}, {After: 3*time.Second + sec(3), Tier: 2, Lower: []Skill{{Name: "tax"}, {Name: "en", Level: 1}}}}
		}
		if d.n(2) == 0 {
			q.Announce = Announce{First: time.Second + sec(3), Every: time.Second + sec(3), Max: d.n(3)}
		}
		if d.n(1) == 0 {
			q.Callback = Callback{Expiry: 10*time.Second + sec(100), Attempts: d.n(3), Retry: 1 + sec(10), DialTimeout: 1 + sec(5), MaxActive: d.n(2)}
			if d.n(2) == 0 {
				q.Callback.Hours = []Hours{{From: 8*time.Hour + sec(20), Until: 8*time.Hour + time.Minute}, {From: 8*time.Hour + 2*time.Minute}}
			}
		}
		if d.n(2) == 0 {
			q.Overflow = []Overflow{{MinWaiting: d.n(2), MinWait: 1 + sec(8), MinEWT: sec(100)}, {MinWaiting: 3}}
			if i > 0 {
				q.Overflow[0].To = "q0"
			}
		}
		r.Queues = append(r.Queues, q)
	}
	return r
}

// world drives one Core and verifies everything after every event.
type world struct {
	fatal  func(format string, args ...any)
	d      dice
	c      *Core
	twin   *Core // restored from a state on the way: must decide the same ever after
	now    time.Time
	log    []Event
	text   []string
	n      int
	ended  map[string]int
	rules  Rules
	offers int
}

func newWorld(d dice, fatal func(format string, args ...any)) *world {
	w := &world{fatal: fatal, d: d, c: NewCore(), now: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), ended: map[string]int{}, rules: drawAllRules(d)}
	first := w.rules
	w.must(Event{Kind: KindStarted, Rules: &first})
	return w
}

func (w *world) must(ev Event) {
	if err := w.try(ev); err != nil {
		w.fatal("%+v: %v", ev, err)
	}
}

func (w *world) try(ev Event) error {
	if due, ok := w.c.NextTimer(); ok && !due.After(w.now) && ev.Kind != KindTimer && ev.Kind != KindStarted {
		w.must(Event{Kind: KindTimer})
	}
	ev.Seq, ev.At = w.c.seq+1, w.now
	w.c.ExplainNext()
	out, err := w.c.Apply(ev)
	why := w.c.Explanations()
	if err != nil {
		return err
	}
	text := asText(out)
	w.log, w.text = append(w.log, ev), append(w.text, text)
	if w.twin != nil {
		again, err := w.twin.Apply(ev)
		if got := asText(again); err != nil || got != text {
			w.fatal("restored core decides otherwise on %+v: %v\n got %s\nwant %s", ev, err, got, text)
		}
	}
	w.explained(ev, out, why)
	w.follow(out)
	w.verify()
	return nil
}

func asText(out []Decision) string {
	b, err := json.Marshal(append([]Decision{}, out...))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// explained compares every offer with its explanation, which looks at every member anew and not at the index.
func (w *world) explained(ev Event, out []Decision, why []Explanation) {
	i := 0
	for _, d := range out {
		if d.Kind != DecideOffer {
			continue
		}
		for i < len(why) && why[i].Agent == "" {
			i++
		}
		if i == len(why) || why[i].Agent != d.Agent || why[i].Work != d.Work {
			w.fatal("offer %+v is not explained by %v", d, why)
		}
		e := why[i]
		i++
		w.offers++
		if ev.Kind == KindPicked { // by hand, whatever the skills
			continue
		}
		at := slices.IndexFunc(e.Candidates, func(c Candidate) bool { return c.Agent == d.Agent })
		if at < 0 {
			w.fatal("chosen agent is no candidate: %v", e)
		}
		if d.Why.Strategy == "" {
			if len(e.Rivals) > 0 && e.Rivals[0].Work != d.Work {
				w.fatal("a stronger claim was passed over: %v", e)
			}
			continue
		}
		if e.Candidates[0].Preferred && e.Strategy != RingAll {
			if at != 0 {
				w.fatal("a preferred agent was passed over: %v", e)
			}
			continue
		}
		for _, c := range e.Candidates {
			if c.Tier < e.Candidates[at].Tier && e.Strategy != RingAll {
				w.fatal("a lower tier was passed over: %v", e)
			}
		}
		if e.Strategy.plan() != byPlace && e.Strategy != RingAll && at != 0 {
			w.fatal("%s chose candidate %d: %v", e.Strategy, at+1, e)
		}
	}
}

func (w *world) follow(out []Decision) {
	for _, d := range out {
		switch d.Kind {
		case DecideEnded:
			if w.ended[d.Work]++; w.ended[d.Work] > 1 {
				w.fatal("%q ended twice", d.Work)
			}
			accepted := 0
			for _, o := range d.Record.Offers {
				if o.Result == OfferAccepted {
					accepted++
				}
				if o.Result == "" {
					w.fatal("offer without an end: %+v", d.Record)
				}
			}
			if (d.Record.Outcome == Answered) != (accepted == 1 && !d.Record.AnsweredAt.IsZero()) {
				w.fatal("answered %d times: %+v", accepted, d.Record)
			}
		case DecideAnnounce:
			if d.Place < 1 || d.EWT < 0 {
				w.fatal("announced %+v", d)
			}
		}
	}
}

func (w *world) step() {
	d := w.d
	w.now = w.now.Add(time.Duration(oneOf(d, 0, 0, 0, 1, 500, 1000, 1000, 5000)) * time.Millisecond)
	if due, ok := w.c.NextTimer(); ok && !due.After(w.now) {
		w.must(Event{Kind: KindTimer})
	}
	a := w.c.roster[d.n(len(w.c.roster)-1)]
	open := w.c.open()
	var x *work
	if len(open) > 0 {
		x = open[d.n(len(open)-1)]
	}
	queue := w.rules.Queues[d.n(len(w.rules.Queues)-1)].Name
	terms := func() *Terms {
		if d.n(2) == 0 {
			return nil
		}
		t := &Terms{Needs: drawSkills(d, 2), Human: d.n(3) == 0, KeepClock: d.n(1) == 0, HeadStart: time.Duration(d.n(10)) * time.Second,
			Customer: oneOf(d, "", "c1", "c2", "c3", "c4"), PreferWait: time.Duration(d.n(3)) * time.Second}
		if d.n(2) == 0 {
			t.Prefer = []string{w.c.roster[d.n(len(w.c.roster)-1)].id, a.id}
		}
		return t
	}
	switch d.n(21) {
	case 0, 1, 2, 3:
		w.n++
		id := fmt.Sprintf("w%d", w.n)
		w.must(Event{Kind: KindArrived, Work: id})
		w.must(Event{Kind: KindEnqueued, Work: id, Queue: queue, Priority: d.n(3) - 1, Terms: terms()})
	case 4:
		if x != nil {
			_ = w.try(Event{Kind: KindEnqueued, Work: x.rec.Work, Queue: queue, Terms: terms()})
		}
	case 5, 6:
		if x != nil {
			w.must(Event{Kind: oneOf(d, KindAbandoned, KindEnded, KindEnded), Work: x.rec.Work})
		}
	case 7, 8:
		w.must(Event{Kind: KindLogin, Agent: a.id, Device: oneOf(d, "", "desk", "mobile")})
		w.must(Event{Kind: KindReady, Agent: a.id})
	case 9:
		w.must(Event{Kind: KindLogout, Agent: a.id, Device: oneOf(d, "", "desk", "mobile")})
	case 10:
		_ = w.try(Event{Kind: oneOf(d, KindNotReady, KindReady), Agent: a.id, Reason: "lunch"})
	case 11:
		if x != nil {
			_ = w.try(Event{Kind: KindExit, Work: x.rec.Work, Reason: "0"})
		}
	case 12:
		if x != nil {
			_ = w.try(Event{Kind: KindPicked, Work: x.rec.Work, Agent: a.id})
		}
	case 13:
		w.must(Event{Kind: KindSkills, Agent: a.id, Skills: drawSkills(d, 3)})
	case 14:
		_ = w.try(Event{Kind: KindExtended, Agent: a.id, For: time.Second})
	case 15:
		if x != nil {
			_ = w.try(Event{Kind: KindCallback, Work: x.rec.Work})
		}
	case 16:
		w.restart()
	default:
		for _, s := range a.seats {
			switch s.state {
			case seatOffered:
				w.must(Event{Kind: oneOf(d, KindAccepted, KindAccepted, KindAccepted, KindRinging, KindRejected), Agent: a.id, Work: s.w.rec.Work, Offer: s.number})
			case seatDialing:
				w.must(Event{Kind: oneOf(d, KindReached, KindUnreached), Agent: a.id, Work: s.w.rec.Work, Offer: s.number})
			default:
				continue
			}
			return
		}
	}
}

// tail shows the last events, to look into a failure.
func (w *world) tail() string {
	if w == nil {
		return ""
	}
	var b strings.Builder
	for i := max(0, len(w.log)-8); i < len(w.log); i++ {
		ev, _ := json.Marshal(w.log[i])
		fmt.Fprintf(&b, "%s\n  %s\n", ev, w.text[i])
	}
	return b.String()
}

func (w *world) restart() {
	switch w.d.n(12) {
	case 0:
		w.now = w.now.Add(time.Minute)
		same := w.rules
		w.must(Event{Kind: KindStarted, Rules: &same, Resume: w.d.n(3) > 1, Callbacks: w.d.n(1) > 0})
	case 1: // live change of the rules
		fresh := drawAllRules(w.d)
		fresh.Channels = w.rules.Channels // less capacity would leave agents with too much until works end
		for i := range min(len(fresh.Agents), len(w.rules.Agents)) {
			fresh.Agents[i].Slots = w.rules.Agents[i].Slots
		}
		for i := range min(len(fresh.Queues), len(w.rules.Queues)) {
			fresh.Queues[i].Channel = w.rules.Queues[i].Channel
		}
		w.rules = fresh
		w.must(Event{Kind: KindStarted, Rules: &fresh, Resume: true})
	case 2, 3, 4:
		data, err := w.c.MarshalState()
		if err != nil {
			w.fatal("%v", err)
		}
		if w.twin, err = RestoreCore(data); err != nil {
			w.fatal("%v\n%s", err, data)
		}
		if again, err := w.twin.MarshalState(); err != nil || string(again) != string(data) {
			at := 0
			for at < min(len(again), len(data)) && again[at] == data[at] {
				at++
			}
			w.fatal("state restored is not the state: %v\n got %s\nwant %s", err, again[max(0, at-100):], data[max(0, at-100):])
		}
	}
}

// finish leaves everything alone: nobody may wait, ring, dial or wrap up for ever; then every work ends, once.
func (w *world) finish() {
	for range 100_000 {
		due, ok := w.c.NextTimer()
		if !ok {
			break
		}
		if due.After(w.now) {
			w.now = due
		}
		w.must(Event{Kind: KindTimer})
	}
	for id, x := range w.c.works {
		if x.state != selfService && x.state != talking {
			w.fatal("work %q is stuck in state %d", id, x.state)
		}
	}
	for _, x := range w.c.open() {
		w.must(Event{Kind: KindEnded, Work: x.rec.Work})
	}
	if len(w.ended) != w.n {
		w.fatal("%d works arrived, %d ended", w.n, len(w.ended))
	}
	i := 0
	for e, err := range Replay(slicesSeq(w.log)) {
		if err != nil {
			w.fatal("replay: %v", err)
		}
		if text := asText(e.Decisions); text != w.text[i] {
			w.fatal("event %d replays otherwise:\n got %s\nwant %s", i+1, text, w.text[i])
		}
		i++
	}
}

func slicesSeq(log []Event) func(func(Event, error) bool) {
	return func(yield func(Event, error) bool) {
		for _, ev := range log {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// Whatever the rules and whatever happens: every invariant holds after every event, a Core restored from its state decides the same, the
// log replays, and nobody is stuck.
func TestEveryFeatureKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(rapidDice{t}, t.Fatalf)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			w.step()
		}
		w.finish()
	})
}

// The same for long: many centers, thousands of events each.
func TestLongRandomRuns(t *testing.T) {
	offers, words := 0, map[string]int{}
	centers, steps := 200, 400
	if testing.Short() {
		centers = 20
	}
	for seed := range uint64(centers) {
		var w *world
		w = newWorld(randDice{rand.New(rand.NewPCG(seed, 7))}, func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d: %s\n%s", seed, fmt.Sprintf(format, args...), w.tail())
		})
		for range steps {
			w.step()
		}
		w.finish()
		offers += w.offers
		for _, line := range w.text {
			for _, word := range []string{"announce", "callback", "dial", "overflow\",\"at", "elsewhere", "unreached", "\"exit\"", "expired", "rona", "manual"} {
				if strings.Contains(line, word) {
					words[word]++
				}
			}
		}
	}
	if offers < 20*centers || len(words) != 10 {
		t.Fatalf("the runs met too little: %d offers, %v", offers, words)
	}
}
