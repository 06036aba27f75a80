package acd_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

// Kinds of defects that users of other distributors have reported, each with what shows that this one cannot have it. Where a test of its
// own says it better, the table names the invariant and the random runs (TestEveryFeatureKeepsTheInvariants) carry it.
func TestDefectsOthersHad(t *testing.T) {
	for name, test := range map[string]func(t *testing.T){
		"two agents answer at once and one stays reserved": func(t *testing.T) {
			h := newHand(t, rules("a b", acd.Queue{Name: "q", Strategy: acd.RingAll}))
			h.ready("a b")
			h.enqueue("w", "q", nil)
			h.accept("a", "w")
			_, err := h.try(acd.Event{Kind: acd.KindAccepted, Agent: "b", Work: "w", Offer: h.offered["b<-w"]})
			require.ErrorIs(t, err, acd.ErrStale)
			require.Equal(t, acd.Ready, h.core.Snapshot(h.now).Agents[1].State)
		},
		"agents stuck in receiving or trying": func(t *testing.T) { // every state but conversation has a deadline
			h := newHand(t, rules("a", acd.Queue{Name: "q", MaxWait: time.Minute}))
			h.ready("a")
			h.enqueue("w", "q", nil)
			h.answer(acd.KindRinging, "a", "w")
			h.sleep(24 * time.Hour)
			require.Equal(t, acd.NotReady, h.core.Snapshot(h.now).Agents[0].State)
			require.Zero(t, h.core.Snapshot(h.now).Queues[0].Offered)
		},
		"members listed as answered hours later": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q"}))
			h.ready("a")
			h.enqueue("w", "q", nil)
			h.accept("a", "w")
			h.end("w")
			require.Zero(t, h.core.Snapshot(h.now).Queues[0].Talking)
			require.Empty(t, h.core.Works())
		},
		"the dispatcher dies on an error and nothing is dispatched again": func(t *testing.T) {
			p := &phones{does: map[string]func(context.Context) (bool, error){"b": accept}}
			p.does["a"] = func(context.Context) (bool, error) { return false, fmt.Errorf("no route to phone") }
			run(t, config(p), func(t *testing.T, c *acd.Center) {
				readyAll(t, c, "a", "b")
				for i := range 20 {
					id := fmt.Sprint(i)
					_, err := enqueue(t, c, id, "sales").Wait(t.Context())
					require.NoError(t, err)
					require.NoError(t, c.End(t.Context(), id, ""))
					pass(time.Minute)
				}
			})
		},
		"the eighth caller is served before the first": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, WrapUp: -1}))
			for i := range 20 {
				h.enqueue(fmt.Sprint(i), "q", nil) // all within one moment
			}
			h.do(acd.Event{Kind: acd.KindLogin, Agent: "a"})
			out := offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "a"}))
			for i := range 20 {
				require.Equal(t, []string{fmt.Sprint("a<-", i)}, out)
				h.accept("a", fmt.Sprint(i))
				out = offers(h.end(fmt.Sprint(i)))
			}
		},
		"top-down halts when the last agent is unavailable": func(t *testing.T) {
			for _, s := range []acd.Strategy{acd.TopDown, acd.Sequential, acd.RoundRobin} {
				h := newHand(t, rules("a b c", acd.Queue{Name: "q", Strategy: s, WrapUp: -1, RejectPause: time.Second}))
				h.ready("a b") // c is not there
				h.enqueue("w", "q", nil)
				h.answer(acd.KindRejected, "a", "w")
				h.answer(acd.KindRejected, "b", "w")
				require.Equal(t, []string{"a<-w"}, offers(h.sleep(time.Second))[:1], "%s goes on from the top", s)
			}
		},
		"overload: a decision costs the more the more agents there are": func(t *testing.T) {
			steps := func(agents int) int { // agents that are looked at can be counted by what they cost in allocations: nothing
				b := newBenchCore(t, agents)
				b.cycles(2 * agents) // until every agent had one
				return int(testing.AllocsPerRun(200, b.cycle))
			}
			require.Equal(t, steps(10), steps(3000)) // time itself: TestBenchRatios
		},
		"forcing the longest waiting caller across queues stops the offers": func(t *testing.T) {
			r := rules("", acd.Queue{Name: "q1", Members: []string{"a"}, NoAgents: acd.NoAgentsWait}, acd.Queue{Name: "q2", Members: []string{"a", "b"}, NoAgents: acd.NoAgentsWait})
			r.Agents, r.Fairness = []acd.Agent{{ID: "a"}, {ID: "b"}}, acd.FairAge
			h := newHand(t, r)
			h.enqueue("oldest, which b cannot serve", "q1", nil)
			h.sleep(time.Second)
			h.enqueue("younger", "q2", nil)
			h.do(acd.Event{Kind: acd.KindLogin, Agent: "b"})
			require.Equal(t, []string{"b<-younger"}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "b"})))
		},
		"wrap-up is skipped after a transfer": func(t *testing.T) { // the conversation ends for the agent when the work ends, whatever ends it
			for _, cause := range []string{"caller", "transferred", "agent"} {
				h := newHand(t, rules("a", acd.Queue{Name: "q"}))
				h.ready("a")
				h.enqueue("w", "q", nil)
				h.accept("a", "w")
				h.do(acd.Event{Kind: acd.KindEnded, Work: "w", Reason: cause})
				require.Equal(t, acd.WrapUp, h.core.Snapshot(h.now).Agents[0].State)
			}
		},
		"calls are counted twice and fewest-calls is skewed": func(t *testing.T) {
			p := &phones{does: map[string]func(context.Context) (bool, error){"a": accept, "b": accept}}
			cfg := config(p)
			cfg.Queues[0].Strategy, cfg.Queues[0].WrapUp = acd.FewestCalls, -1
			run(t, cfg, func(t *testing.T, c *acd.Center) {
				readyAll(t, c, "a", "b")
				for i := range 30 {
					id := fmt.Sprint(i)
					_, err := enqueue(t, c, id, "sales").Wait(t.Context())
					require.NoError(t, err)
					synctest.Wait()
					require.NoError(t, c.End(t.Context(), id, ""))
				}
				s := c.Snapshot()
				require.EqualValues(t, 15, s.Agents[0].Answered)
				require.EqualValues(t, 15, s.Agents[1].Answered)
			})
		},
		"tens of thousands of queues flood the process": func(t *testing.T) {
			var r acd.Rules
			for i := range 20_000 {
				r.Agents = append(r.Agents, acd.Agent{ID: fmt.Sprint("a", i)})
				r.Queues = append(r.Queues, acd.Queue{Name: fmt.Sprint("q", i), Members: []string{fmt.Sprint("a", i)}})
			}
			h := newHand(t, r)
			h.ready("a7 a19999")
			require.Equal(t, []string{"a19999<-w"}, offers(h.enqueue("w", "q19999", nil)))
			require.Len(t, h.core.Snapshot(h.now).Queues, 20_000)
		},
		"an agent is locked in a call for ever when calls drop": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", WrapUp: -1}))
			h.ready("a")
			h.enqueue("w", "q", nil)
			h.accept("a", "w")
			h.do(acd.Event{Kind: acd.KindAbandoned, Work: "w"})
			require.Equal(t, acd.Ready, h.core.Snapshot(h.now).Agents[0].State)
		},
		"nothing is told when a work leaves the queue, and nobody can pick one": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", Strategy: acd.Manual}))
			h.ready("a")
			h.enqueue("w1", "q", nil)
			h.enqueue("w2", "q", nil)
			h.do(acd.Event{Kind: acd.KindPicked, Agent: "a", Work: "w2"})
			require.Equal(t, []string{"state  a", "answered w2 a"}, kinds(h.accept("a", "w2")))
		},
		"conversations beyond capacity, and none when a slot is free again": func(t *testing.T) {
			r := rules("a", acd.Queue{Name: "q", Channel: "chat", WrapUp: -1})
			r.Channels, r.Agents[0].Slots = []acd.Channel{{Name: "chat", Slots: 1}}, 2
			h := newHand(t, r)
			h.ready("a")
			for _, id := range []string{"c1", "c2", "c3"} {
				if len(offers(h.enqueue(id, "q", nil))) > 0 {
					h.accept("a", id)
				}
			}
			require.Equal(t, []string{"c1", "c2"}, h.core.Snapshot(h.now).Agents[0].Works)
			require.Equal(t, []string{"a<-c3"}, offers(h.end("c1")))
		},
		"callbacks jump ahead of callers who wait": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Callback: acd.Callback{Expiry: time.Hour}}))
			for _, id := range []string{"w1", "w2", "w3"} {
				h.enqueue(id, "q", nil)
			}
			h.do(acd.Event{Kind: acd.KindCallback, Work: "w2"})
			h.do(acd.Event{Kind: acd.KindLogin, Agent: "a"})
			require.Equal(t, []string{"a<-w1"}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "a"})))
		},
		"a restart forgets who waited and for how long": func(t *testing.T) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Callback: acd.Callback{Expiry: time.Hour}}))
			h.enqueue("w1", "q", nil)
			h.do(acd.Event{Kind: acd.KindCallback, Work: "w1"})
			h.sleep(time.Minute)
			h.enqueue("w2", "q", nil)
			r := rules("a", acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, Callback: acd.Callback{Expiry: time.Hour}})
			h.do(acd.Event{Kind: acd.KindStarted, Rules: &r, Resume: true})
			require.Equal(t, t0, h.core.Works()[0].EnqueuedAt)
			h.do(acd.Event{Kind: acd.KindLogin, Agent: "a"})
			require.Equal(t, []string{"a<-w1"}, offers(h.do(acd.Event{Kind: acd.KindReady, Agent: "a"})))
		},
		"agents who take turns not to answer hold a ring-all caller for ever": func(t *testing.T) {
			h := newHand(t, rules("a b", acd.Queue{Name: "q", Strategy: acd.RingAll, RingTimeout: 5 * time.Second, RejectPause: 2 * time.Second, MaxWait: time.Minute}))
			h.ready("a")
			h.enqueue("w", "q", nil)
			h.sleep(2 * time.Second)
			h.ready("b") // never do both phones stop ringing in one moment
			h.sleep(70 * time.Second)
			require.Equal(t, acd.ResultTimeout, h.end("w")[0].Record.Overflow)
		},
	} {
		t.Run(name, test)
	}
}

// The golden log of the later features, written like the first one: it must replay to the same decisions for ever.
func goldenDay(t *testing.T) *hand {
	r := rules("a b c d", acd.Queue{Name: "calls", Strategy: acd.BestSkill, Ageing: time.Minute, KeepEstimate: true, ExitKeys: "0", Announce: acd.Announce{Every: 20 * time.Second},
		Rings: []acd.Ring{{After: 15 * time.Second, Tier: 1}}, Tiers: map[string]int{"d": 1}, Callback: acd.Callback{Expiry: time.Hour, Retry: time.Minute}},
		acd.Queue{Name: "chats", Channel: "chat", Strategy: acd.WeightedRandom, Weights: map[string]int{"a": 3}, WrapUp: -1},
		acd.Queue{Name: "ring", Strategy: acd.RingAll, LastAgentWait: 5 * time.Second})
	r.Channels = []acd.Channel{{Name: "voice", Interrupts: []string{"chat"}}, {Name: "chat", Slots: 1}}
	r.Seed, r.LastAgents, r.Fairness = 42, 10, acd.FairServiceLevel
	for i := range r.Agents {
		r.Agents[i].Slots, r.Agents[i].Skills = 3, skills(fmt.Sprintf("da:%d tax:%d", i+1, 4-i))
	}
	h := newHand(t, r)
	rnd := rand.New(rand.NewPCG(11, 12))
	n := 0
	for i := range 700 {
		h.now = h.now.Add(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		if due, ok := h.core.NextTimer(); ok && !due.After(h.now) {
			_, _ = h.try(acd.Event{Kind: acd.KindTimer})
		}
		agent := r.Agents[rnd.IntN(4)].ID
		work := ""
		if open := h.core.Works(); len(open) > 0 {
			work = open[rnd.IntN(len(open))].ID
		}
		choices := 20
		if i%200 < 90 { // rush hours: nobody answers
			choices = 8
		}
		switch k := rnd.IntN(choices); k {
		case 0, 1, 2:
			n++
			id := fmt.Sprint("w", n)
			_, _ = h.try(acd.Event{Kind: acd.KindArrived, Work: id})
			_, _ = h.try(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: []string{"calls", "chats", "ring"}[rnd.IntN(3)], Priority: rnd.IntN(3),
				Terms: &acd.Terms{Needs: skills(fmt.Sprintf("tax:%d", 1+rnd.IntN(3))), Customer: fmt.Sprint("c", rnd.IntN(5))}})
		case 3, 4, 8: // conversations end, and now and then somebody gives up
			for _, w := range h.core.Works() {
				if len(w.Agents) > 0 && !w.Waiting {
					work = w.ID
				}
			}
			_, _ = h.try(acd.Event{Kind: acd.KindEnded, Work: work})
		case 5, 9, 10:
			_, _ = h.try(acd.Event{Kind: acd.KindLogin, Agent: agent, Device: "desk"})
			_, _ = h.try(acd.Event{Kind: acd.KindReady, Agent: agent})
		case 6:
			_, _ = h.try(acd.Event{Kind: []acd.Kind{acd.KindCallback, acd.KindExit}[rnd.IntN(2)], Work: work, Reason: "0"})
		case 7:
			_, _ = h.try(acd.Event{Kind: acd.KindPicked, Agent: agent, Work: work})
		default:
			for _, w := range h.core.Works() {
				for _, a := range w.Agents {
					offer := h.offered[a+"<-"+w.ID]
					for _, k := range []acd.Kind{acd.KindAccepted, acd.KindReached} {
						_, _ = h.try(acd.Event{Kind: k, Agent: a, Work: w.ID, Offer: offer})
					}
				}
			}
		}
	}
	_, _ = h.try(acd.Event{Kind: acd.KindStarted, Rules: &r, Resume: true})
	return h
}
