package acd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

func rules(agents string, queues ...acd.Queue) acd.Rules {
	r := acd.Rules{Queues: queues}
	for _, id := range strings.Fields(agents) {
		r.Agents = append(r.Agents, acd.Agent{ID: id})
		for i := range r.Queues {
			r.Queues[i].Members = append(r.Queues[i].Members, id)
		}
	}
	return r
}

func (d *driver) ready(agents string) {
	for _, a := range strings.Fields(agents) {
		d.must(acd.Event{Kind: acd.KindLogin, Agent: a})
		d.must(acd.Event{Kind: acd.KindReady, Agent: a})
		d.sleep(time.Second)
	}
}

func (d *driver) enqueue(work, queue string, priority int) []acd.Decision {
	d.must(acd.Event{Kind: acd.KindArrived, Work: work})
	return d.must(acd.Event{Kind: acd.KindEnqueued, Work: work, Queue: queue, Priority: priority})
}

func (d *driver) answer(kind acd.Kind, agent string) []acd.Decision {
	a := d.agents[agent]
	return d.must(acd.Event{Kind: kind, Agent: agent, Work: a.work, Offer: a.offer})
}

// offers returns "agent<-work" for every offer in out.
func offers(out []acd.Decision) (s []string) {
	for _, x := range out {
		if x.Kind == acd.DecideOffer {
			s = append(s, x.Agent+"<-"+x.Work)
		}
	}
	return s
}

func state(d *driver, agent string) string {
	for _, a := range d.core.Snapshot(d.now).Agents {
		if a.ID == agent {
			return strings.TrimSpace(fmt.Sprintf("%v %s", a.State, a.Reason))
		}
	}
	return ""
}

func TestLongestIdleFirst(t *testing.T) {
	d := newDriver(t, rules("a b c", acd.Queue{Name: "q"}))
	d.ready("b c a")
	require.Equal(t, []string{"b<-w1"}, offers(d.enqueue("w1", "q", 0)))
	require.Equal(t, []string{"c<-w2"}, offers(d.enqueue("w2", "q", 0)))
	d.must(acd.Event{Kind: acd.KindAbandoned, Work: "w1"}) // b keeps its turn
	require.Equal(t, []string{"b<-w3"}, offers(d.enqueue("w3", "q", 0)))
	d.answer(acd.KindAccepted, "b")
	d.must(acd.Event{Kind: acd.KindEnded, Work: "w3", Reason: "caller"})
	require.Equal(t, "wrap-up", state(d, "b"))
	d.sleep(10 * time.Second)
	require.Equal(t, "ready", state(d, "b"))
	require.Equal(t, []string{"a<-w4"}, offers(d.enqueue("w4", "q", 0)))
}

func TestPriorityThenFIFO(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, WrapUp: -1}))
	for i, p := range []int{0, 5, 0, 5} {
		d.enqueue(fmt.Sprintf("w%d", i), "q", p)
	}
	p, err := d.core.Position("w2")
	require.NoError(t, err)
	require.Equal(t, acd.Position{Queue: "q", Place: 4, EWT: 12 * time.Minute}, p)
	var order []string
	d.must(acd.Event{Kind: acd.KindLogin, Agent: "a"})
	out := offers(d.must(acd.Event{Kind: acd.KindReady, Agent: "a"}))
	for len(out) > 0 {
		order = append(order, out...)
		work := d.agents["a"].work
		d.answer(acd.KindAccepted, "a")
		out = offers(d.must(acd.Event{Kind: acd.KindEnded, Work: work}))
	}
	require.Equal(t, []string{"a<-w1", "a<-w3", "a<-w0", "a<-w2"}, order)
}

func TestRONA(t *testing.T) {
	d := newDriver(t, rules("a b", acd.Queue{Name: "q"}))
	d.ready("a b")
	require.Equal(t, []string{"a<-w"}, offers(d.enqueue("w", "q", 0)))
	d.answer(acd.KindRinging, "a")
	require.Equal(t, "ringing", state(d, "a"))
	d.sleep(19 * time.Second)
	require.Equal(t, "ringing", state(d, "a"))
	d.sleep(time.Second)
	require.Equal(t, "not-ready rona", state(d, "a"))
	require.Equal(t, "reserved", state(d, "b"))
	d.sleep(time.Hour)
	require.Equal(t, "not-ready rona", state(d, "b"), "RONA lasts until the agent says otherwise")
	_, err := d.core.Apply(acd.Event{Seq: d.core.Seq() + 1, At: d.now, Kind: acd.KindAccepted, Agent: "a", Work: "w", Offer: 1})
	require.ErrorIs(t, err, acd.ErrStale)
	require.Equal(t, []string{}, append([]string{}, offers(d.must(acd.Event{Kind: acd.KindReady, Agent: "a"}))...), "MaxWait is over")
	require.Equal(t, acd.Overflowed, d.end("w").Outcome)
	require.Equal(t, []acd.Offer{{Agent: "a", At: t0.Add(2 * time.Second), Result: "timeout"}, {Agent: "b", At: t0.Add(22 * time.Second), Result: "timeout"}}, d.records["w"].Offers)
}

func (d *driver) end(work string) acd.Record {
	d.must(acd.Event{Kind: acd.KindEnded, Work: work})
	return d.records[work]
}

func TestRejectedOfferGoesToTheNextAndPauses(t *testing.T) {
	d := newDriver(t, rules("a b", acd.Queue{Name: "q", MaxWait: time.Hour}))
	d.ready("a b")
	d.enqueue("w", "q", 0)
	require.Equal(t, []string{"b<-w"}, offers(d.answer(acd.KindRejected, "a")))
	require.Empty(t, offers(d.answer(acd.KindRejected, "b")))
	require.Equal(t, "not-ready rejected", state(d, "a"))
	d.sleep(9999 * time.Millisecond)
	require.Equal(t, "not-ready rejected", state(d, "a"))
	d.sleep(time.Millisecond)
	require.Equal(t, "reserved", state(d, "a"))
}

func TestOverflowAndSecondQueue(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "small", MaxWaiting: 1, NoAgents: acd.NoAgentsWait}, acd.Queue{Name: "closed"}, acd.Queue{Name: "slow", NoAgents: acd.NoAgentsWait, MaxWait: time.Minute}))
	reason := func(out []acd.Decision) string { return out[len(out)-1].Reason }
	d.enqueue("w1", "small", 0)
	require.Equal(t, acd.ResultFull, reason(d.enqueue("w2", "small", 0)))
	require.Equal(t, acd.ResultNoAgents, reason(d.must(acd.Event{Kind: acd.KindEnqueued, Work: "w2", Queue: "closed"})))
	d.must(acd.Event{Kind: acd.KindEnqueued, Work: "w2", Queue: "slow"})
	d.sleep(time.Minute)
	r := d.end("w2")
	require.Equal(t, acd.Overflowed, r.Outcome)
	require.Equal(t, acd.ResultTimeout, r.Overflow)
	require.Equal(t, "slow", r.Queue)
	require.Equal(t, acd.Abandoned, d.end("w1").Outcome)
	d.must(acd.Event{Kind: acd.KindArrived, Work: "w3"})
	require.Equal(t, acd.IVREnded, d.end("w3").Outcome)
}

func TestLastAgentOutEmptiesTheQueue(t *testing.T) {
	d := newDriver(t, rules("a b", acd.Queue{Name: "q"}))
	d.ready("a b")
	for i := range 4 {
		d.enqueue(fmt.Sprintf("w%d", i), "q", 0)
	}
	d.must(acd.Event{Kind: acd.KindLogout, Agent: "a"}) // its offer comes back to the queue
	out := d.must(acd.Event{Kind: acd.KindLogout, Agent: "b"})
	n := 0
	for _, x := range out {
		if x.Kind == acd.DecideOverflow {
			require.Equal(t, acd.ResultNoAgents, x.Reason)
			n++
		}
	}
	require.Equal(t, 4, n)
}

func TestNobodyIsTurnedAwayWhileAnAgentIsFree(t *testing.T) {
	d := newDriver(t, rules("a b", acd.Queue{Name: "q", MaxWaiting: 1}))
	d.ready("a b")
	require.Equal(t, []string{"a<-w1"}, offers(d.enqueue("w1", "q", 0)))
	require.Equal(t, []string{"b<-w2"}, offers(d.enqueue("w2", "q", 0)))
}

func TestWhatAgentsSayInConversation(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait}))
	talk := func(after ...acd.Kind) string {
		work := fmt.Sprintf("w%d", len(d.log))
		d.ready("a")
		d.enqueue(work, "q", 0)
		d.answer(acd.KindAccepted, "a")
		for _, k := range after {
			d.must(acd.Event{Kind: k, Agent: "a", Reason: "lunch"})
			require.Equal(t, "talking", state(d, "a"))
		}
		d.end(work)
		require.Equal(t, "wrap-up", state(d, "a"))
		d.sleep(10 * time.Second)
		return state(d, "a")
	}
	require.Equal(t, "ready", talk())
	require.Equal(t, "not-ready lunch", talk(acd.KindNotReady))
	require.Equal(t, "ready", talk(acd.KindNotReady, acd.KindReady))
	require.Equal(t, "logged-out lunch", talk(acd.KindLogout))
	require.Equal(t, "ready", talk(acd.KindLogout, acd.KindLogin))
}

func TestWrapUpEndsEarly(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q"}))
	d.ready("a")
	d.enqueue("w1", "q", 0)
	d.answer(acd.KindAccepted, "a")
	d.end("w1")
	d.enqueue("w2", "q", 0)
	require.Equal(t, []string{"a<-w2"}, offers(d.must(acd.Event{Kind: acd.KindReady, Agent: "a"})))
}

func TestMaxWaitDuringAnOfferLetsItRing(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q", MaxWait: 5 * time.Second}))
	d.ready("a")
	d.enqueue("w1", "q", 0)
	d.sleep(6 * time.Second)
	d.answer(acd.KindAccepted, "a")
	require.Equal(t, acd.Answered, d.end("w1").Outcome)
	d.sleep(time.Minute)
	d.enqueue("w2", "q", 0)
	d.sleep(6 * time.Second)
	d.answer(acd.KindRejected, "a")
	require.Equal(t, acd.ResultTimeout, d.end("w2").Overflow)
}

// An answer to an earlier offer of the same work to the same agent must not answer the present one.
func TestAnswerToAnEarlierOfferIsStale(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q"}))
	d.ready("a")
	d.enqueue("w", "q", 0)
	first := d.agents["a"].offer
	d.answer(acd.KindRejected, "a")
	d.sleep(10 * time.Second)
	require.Equal(t, "reserved", state(d, "a"))
	_, err := d.try(acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "w", Offer: first})
	require.ErrorIs(t, err, acd.ErrStale)
	d.answer(acd.KindAccepted, "a")
}

func TestDeadlinesOfOneMomentKeepTheirOrder(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait}))
	for i := range 20 {
		d.enqueue(fmt.Sprint(i), "q", 0)
	}
	d.now = d.now.Add(time.Hour)
	i := 0
	for _, x := range d.must(acd.Event{Kind: acd.KindTimer}) {
		require.Equal(t, fmt.Sprint(i), x.Work)
		require.Equal(t, t0.Add(30*time.Minute), x.At, "at the deadline, not when somebody looked")
		i++
	}
	require.Equal(t, 20, i)
}

func TestSecondQueueForgetsTheFirst(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "closed"}, acd.Queue{Name: "open", NoAgents: acd.NoAgentsWait}))
	d.enqueue("w", "closed", 0)
	d.must(acd.Event{Kind: acd.KindEnqueued, Work: "w", Queue: "open"})
	r := d.end("w")
	require.Equal(t, acd.Abandoned, r.Outcome)
	require.Empty(t, r.Overflow)
	require.Equal(t, "open", r.Queue)
}

func TestNodeDied(t *testing.T) {
	d := newDriver(t, rules("a b", acd.Queue{Name: "q"}))
	d.ready("a b")
	d.enqueue("talking", "q", 0)
	d.answer(acd.KindAccepted, "a")
	d.enqueue("offered", "q", 0)
	d.enqueue("waiting", "q", 0)
	d.must(acd.Event{Kind: acd.KindArrived, Work: "ivr"})
	last := d.now
	d.now = d.now.Add(48 * time.Hour)
	d.start(d.rules)
	require.Len(t, d.records, 4)
	for id, r := range d.records {
		want := acd.Abandoned
		if id == "talking" {
			want = acd.Answered
		}
		require.Equal(t, want, r.Outcome, id)
		require.Equal(t, acd.CauseNodeDied, r.Cause)
		require.Equal(t, last, r.EndedAt, "the outage is nobody's talk time")
	}
	require.Equal(t, "logged-out", state(d, "a"))
	_, timers := d.core.NextTimer()
	require.False(t, timers)
	d.verifyReplay()
}

func TestWhyIsExplained(t *testing.T) {
	d := newDriver(t, rules("a b c d", acd.Queue{Name: "q"}))
	d.ready("a b")
	d.must(acd.Event{Kind: acd.KindLogin, Agent: "c"})
	d.sleep(5 * time.Second)
	out := d.enqueue("w1", "q", 0)
	require.Equal(t, "first of 2 ready by longest-idle, idle for 7s; not considered: 1 logged-out, 1 not-ready", out[1].Why.String())
	d.enqueue("w2", "q", 0)
	d.enqueue("w3", "q", 0)
	d.sleep(4 * time.Second)
	d.answer(acd.KindAccepted, "b")
	d.end("w2")
	out = d.must(acd.Event{Kind: acd.KindReady, Agent: "b"})
	require.Equal(t, "the agent became free; first of 1 waiting, after 4s; not considered: 1 logged-out, 1 not-ready, 1 reserved", out[2].Why.String())
}

func TestRefusedEvents(t *testing.T) {
	d := newDriver(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait}))
	d.enqueue("w", "q", 0)
	d.must(acd.Event{Kind: acd.KindArrived, Work: "ivr"})
	long := strings.Repeat("x", 600)
	many := map[string]string{}
	for i := range 33 {
		many[fmt.Sprint(i)] = ""
	}
	for _, c := range []struct {
		want error
		ev   acd.Event
	}{
		{acd.ErrInvalid, acd.Event{}},
		{acd.ErrInvalid, acd.Event{Kind: "teleported"}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindStarted}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindArrived}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindArrived, Work: long}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindArrived, Work: "x", Attributes: map[string]string{"k": long}}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindArrived, Work: "x", Attributes: many}},
		{acd.ErrExists, acd.Event{Kind: acd.KindArrived, Work: "w"}},
		{acd.ErrUnknown, acd.Event{Kind: acd.KindEnqueued, Work: "x", Queue: "q"}},
		{acd.ErrUnknown, acd.Event{Kind: acd.KindEnqueued, Work: "ivr", Queue: "x"}},
		{acd.ErrState, acd.Event{Kind: acd.KindEnqueued, Work: "w", Queue: "q"}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindEnqueued, Work: "ivr", Queue: "q", Priority: 1e9}},
		{acd.ErrUnknown, acd.Event{Kind: acd.KindEnded, Work: "x"}},
		{acd.ErrInvalid, acd.Event{Kind: acd.KindEnded, Work: "w", Reason: long}},
		{acd.ErrUnknown, acd.Event{Kind: acd.KindAccepted, Agent: "x"}},
		{acd.ErrStale, acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "w"}},
		{acd.ErrUnknown, acd.Event{Kind: acd.KindLogin, Agent: "x"}},
		{acd.ErrState, acd.Event{Kind: acd.KindReady, Agent: "a"}},
	} {
		_, err := d.try(c.ev)
		require.ErrorIs(t, err, c.want, "%+v", c.ev)
	}
	next := d.core.Seq() + 1
	for name, ev := range map[string]acd.Event{
		"gap":        {Seq: next + 1, At: d.now, Kind: acd.KindTimer},
		"repeated":   {Seq: next - 1, At: d.now, Kind: acd.KindTimer},
		"backwards":  {Seq: next, At: d.now.Add(-1), Kind: acd.KindTimer},
		"before all": {Seq: next, At: time.Time{}, Kind: acd.KindTimer},
		"far future": {Seq: next, At: d.now.AddDate(500, 0, 0), Kind: acd.KindTimer},
	} {
		_, err := d.core.Apply(ev)
		require.ErrorIs(t, err, acd.ErrInvalid, name)
	}
	_, err := d.core.Apply(acd.Event{Seq: next, At: d.now.Add(time.Hour), Kind: acd.KindLogin, Agent: "a"})
	require.ErrorIs(t, err, acd.ErrTimer)
	_, err = acd.NewCore().Apply(acd.Event{Seq: 1, At: t0, Kind: acd.KindTimer})
	require.ErrorIs(t, err, acd.ErrInvalid)
}

func TestRefusedRules(t *testing.T) {
	for name, r := range map[string]acd.Rules{
		"none":             {},
		"queue twice":      rules("", acd.Queue{Name: "q"}, acd.Queue{Name: "q"}),
		"queue nameless":   rules("", acd.Queue{}),
		"agent twice":      {Queues: []acd.Queue{{Name: "q"}}, Agents: []acd.Agent{{ID: "a"}, {ID: "a"}}},
		"agent nameless":   {Queues: []acd.Queue{{Name: "q"}}, Agents: []acd.Agent{{}}},
		"member unknown":   {Queues: []acd.Queue{{Name: "q", Members: []string{"x"}}}},
		"member twice":     {Queues: []acd.Queue{{Name: "q", Members: []string{"a", "a"}}}, Agents: []acd.Agent{{ID: "a"}}},
		"strategy unknown": rules("", acd.Queue{Name: "q", Strategy: "longest-idle-agents"}),
		"no agents":        rules("", acd.Queue{Name: "q", NoAgents: "hope"}),
		"negative ring":    rules("", acd.Queue{Name: "q", RingTimeout: -1}),
		"negative room":    rules("", acd.Queue{Name: "q", MaxWaiting: -1}),
	} {
		_, err := acd.NewCore().Apply(acd.Event{Seq: 1, At: t0, Kind: acd.KindStarted, Rules: &r})
		require.ErrorIs(t, err, acd.ErrInvalid, name)
	}
}
