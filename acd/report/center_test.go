package report_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

var t0 = time.Date(2026, 10, 25, 0, 40, 0, 0, time.UTC) // twenty minutes before Berlin sets its clocks back

// center plays a random center: it draws numbers from pick, which gives one from 0 to n-1, and keeps log and decisions.
type center struct {
	pick    func(n int, what string) int
	core    *acd.Core
	now     time.Time
	rules   acd.Rules
	log     []acd.Event
	entries []acd.Entry
	observe []func(acd.Entry)

	works  []string
	offers []acd.Decision
}

func newCenter(pick func(int, string) int, observe ...func(acd.Entry)) *center {
	return &center{pick: pick, core: acd.NewCore(), now: t0, observe: observe}
}

// seeded is a pick of its own, without shrinking.
func seeded(seed uint64) func(int, string) int {
	r := rand.New(rand.NewPCG(seed, 1))
	return func(n int, _ string) int { return r.IntN(n) }
}

func (c *center) seconds(most int, what string) time.Duration {
	return time.Duration(c.pick(most+1, what)) * time.Second
}

func (c *center) drawRules() acd.Rules {
	r := acd.Rules{Channels: []acd.Channel{{Name: "voice"}, {Name: "chat", Slots: 1}}, Seed: 7}
	for i := range 1 + c.pick(5, "agents") {
		r.Agents = append(r.Agents, acd.Agent{ID: fmt.Sprintf("agent%d", i), Slots: 1 + c.pick(2, "slots"), Bot: c.pick(4, "bot") == 0})
	}
	for i := range 1 + c.pick(3, "queues") {
		q := acd.Queue{
			Name: fmt.Sprintf("queue%d", i), RingTimeout: c.seconds(5, "ring"), RejectPause: c.seconds(5, "pause"), WrapUp: c.seconds(6, "wrap") - time.Second,
			MaxWaiting: c.pick(6, "room"), MaxWait: c.seconds(60, "max wait"), ServiceTarget: c.seconds(10, "target"), ShortAbandon: c.seconds(4, "short") - time.Second,
			KeepEstimate: c.pick(2, "keep") == 0, NoAgents: []acd.NoAgents{"", acd.NoAgentsWait}[c.pick(2, "no agents")],
			Channel:  []string{"", "chat"}[c.pick(2, "channel")],
			Strategy: []acd.Strategy{"", acd.RingAll}[c.pick(2, "strategy")], ExitKeys: "0",
			Callback: acd.Callback{Expiry: c.seconds(90, "expiry"), Attempts: 1 + c.pick(2, "attempts"), Retry: c.seconds(9, "retry")},
		}
		for _, a := range r.Agents {
			if c.pick(4, "member") > 0 {
				q.Members = append(q.Members, a.ID)
			}
		}
		r.Queues = append(r.Queues, q)
	}
	return r
}

// apply tries an event, serving what is due before; it reports whether the center took it.
func (c *center) apply(ev acd.Event) bool {
	if due, ok := c.core.NextTimer(); ok && !due.After(c.now) && ev.Kind != acd.KindTimer && ev.Kind != acd.KindStarted {
		c.apply(acd.Event{Kind: acd.KindTimer})
	}
	ev.Seq, ev.At = c.core.Seq()+1, c.now
	out, err := c.core.Apply(ev)
	if err != nil {
		return false
	}
	e := acd.Entry{Event: ev, Decisions: slices.Clone(out)}
	c.log, c.entries = append(c.log, ev), append(c.entries, e)
	for _, d := range out {
		if d.Kind == acd.DecideOffer || d.Kind == acd.DecideDial {
			c.offers = append(c.offers, d)
		}
	}
	if ev.Kind == acd.KindArrived {
		c.works = append(c.works, ev.Work)
	}
	for _, f := range c.observe {
		f(e)
	}
	return true
}

// start begins a process, under new rules or those of before.
func (c *center) start(fresh, resume bool) {
	if fresh {
		c.rules = c.drawRules()
	}
	rules := c.rules
	c.apply(acd.Event{Kind: acd.KindStarted, Rules: &rules, Resume: resume})
}

// turn lets one random thing happen.
func (c *center) turn() {
	c.now = c.now.Add(time.Duration([]int{0, 0, 1, 700, 3000, 9000, 60_000}[c.pick(7, "ms")]) * time.Millisecond)
	agent := c.rules.Agents[c.pick(len(c.rules.Agents), "agent")].ID
	queue := c.rules.Queues[c.pick(len(c.rules.Queues), "queue")].Name
	work := "none"
	if n := len(c.works); n > 0 {
		work = c.works[n-1-c.pick(min(n, 6), "work")]
	}
	var offer acd.Decision
	if n := len(c.offers); n > 0 {
		offer = c.offers[n-1-c.pick(min(n, 3), "offer")]
	}
	answer := func(k acd.Kind) {
		c.apply(acd.Event{Kind: k, Agent: offer.Agent, Work: offer.Work, Offer: offer.Offer})
	}
	terms := &acd.Terms{Human: c.pick(4, "human") == 0, KeepClock: c.pick(2, "clock") == 0}
	switch c.pick(20, "what") {
	case 0, 1, 2, 3:
		id := fmt.Sprintf("caller-%d", len(c.works))
		var attributes map[string]string
		if c.pick(5, "transfer") == 0 {
			attributes = map[string]string{"continues": "caller-x"}
		}
		c.apply(acd.Event{Kind: acd.KindArrived, Work: id, Attributes: attributes})
		if c.pick(5, "stays") > 0 {
			c.apply(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: queue, Terms: terms})
		}
	case 4:
		c.apply(acd.Event{Kind: acd.KindEnqueued, Work: work, Queue: queue, Terms: terms})
	case 5, 6:
		c.apply(acd.Event{Kind: acd.KindEnded, Work: work, Reason: "caller"})
	case 7:
		c.apply(acd.Event{Kind: acd.KindAbandoned, Work: work})
	case 8, 9, 10:
		c.apply(acd.Event{Kind: acd.KindLogin, Agent: agent})
		c.apply(acd.Event{Kind: acd.KindReady, Agent: agent})
	case 11:
		c.apply(acd.Event{Kind: acd.KindNotReady, Agent: agent, Reason: "lunch"})
	case 12:
		c.apply(acd.Event{Kind: acd.KindLogout, Agent: agent})
	case 13:
		c.apply(acd.Event{Kind: acd.KindCallback, Work: work})
	case 14:
		answer(acd.KindReached)
		answer(acd.KindUnreached)
	case 15:
		answer(acd.KindRejected)
	case 16:
		c.apply(acd.Event{Kind: acd.KindExit, Work: work, Reason: "0"})
	case 17:
		if c.pick(5, "crash") == 0 {
			c.now = c.now.Add(time.Duration(c.pick(40, "gap")) * time.Minute)
			c.start(c.pick(2, "new rules") == 0, c.pick(2, "resume") == 0)
		}
	default:
		answer(acd.KindRinging)
		answer(acd.KindAccepted)
	}
}
