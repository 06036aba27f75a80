package acd_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

// hand drives a Core without a model: for tests that say themselves what they expect.
type hand struct {
	t    testing.TB
	core *acd.Core
	now  time.Time
	log  []acd.Event

	offered map[string]uint64 // by agent and work: the last offer
}

func newHand(t testing.TB, r acd.Rules) *hand {
	h := &hand{t: t, core: acd.NewCore(), now: t0, offered: map[string]uint64{}}
	h.do(acd.Event{Kind: acd.KindStarted, Rules: &r})
	return h
}

func (h *hand) try(ev acd.Event) ([]acd.Decision, error) {
	ev.Seq, ev.At = h.core.Seq()+1, h.now
	out, err := h.core.Apply(ev)
	if err == nil {
		h.log = append(h.log, ev)
	}
	for _, d := range out {
		if d.Kind == acd.DecideOffer {
			h.offered[d.Agent+"<-"+d.Work] = d.Offer
		}
	}
	return append([]acd.Decision(nil), out...), err
}

func (h *hand) do(ev acd.Event) []acd.Decision {
	h.t.Helper()
	out, err := h.try(ev)
	if err != nil {
		h.t.Fatalf("%+v: %v", ev, err)
	}
	return out
}

func (h *hand) sleep(d time.Duration) []acd.Decision {
	h.t.Helper()
	h.now = h.now.Add(d)
	if due, ok := h.core.NextTimer(); ok && !due.After(h.now) {
		return h.do(acd.Event{Kind: acd.KindTimer})
	}
	return nil
}

func (h *hand) ready(agents string) {
	h.t.Helper()
	for _, a := range strings.Fields(agents) {
		h.do(acd.Event{Kind: acd.KindLogin, Agent: a})
		h.do(acd.Event{Kind: acd.KindReady, Agent: a})
		h.sleep(time.Second)
	}
}

func (h *hand) enqueue(work, queue string, terms *acd.Terms) []acd.Decision {
	h.t.Helper()
	h.do(acd.Event{Kind: acd.KindArrived, Work: work})
	return h.do(acd.Event{Kind: acd.KindEnqueued, Work: work, Queue: queue, Terms: terms})
}

func (h *hand) accept(agent, work string) []acd.Decision {
	h.t.Helper()
	return h.answer(acd.KindAccepted, agent, work)
}

func (h *hand) answer(kind acd.Kind, agent, work string) []acd.Decision {
	h.t.Helper()
	return h.do(acd.Event{Kind: kind, Agent: agent, Work: work, Offer: h.offered[agent+"<-"+work]})
}

func (h *hand) end(work string) []acd.Decision {
	h.t.Helper()
	return h.do(acd.Event{Kind: acd.KindEnded, Work: work})
}

// serve enqueues, answers and ends a work, and returns who got it.
func (h *hand) serve(work, queue string, talk time.Duration) string {
	h.t.Helper()
	out := offers(h.enqueue(work, queue, nil))
	require.Len(h.t, out, 1)
	agent, _, _ := strings.Cut(out[0], "<-")
	h.accept(agent, work)
	h.sleep(talk)
	h.end(work)
	return agent
}

func kinds(out []acd.Decision) (s []string) {
	for _, d := range out {
		s = append(s, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", d.Kind, d.Work, d.Agent, d.Reason)))
	}
	return s
}

// Every strategy, in one table: four agents became ready in the order c a d b, eight works come one after the other and take as many
// seconds as said; wrap-up is off.
func TestStrategies(t *testing.T) {
	for _, c := range []struct {
		strategy acd.Strategy
		want     string
	}{
		{acd.LongestIdle, "c a d b c a d b"},
		{acd.RoundRobin, "a b c d a b c d"},
		{acd.FewestCalls, "c a d b c a d b"},
		{acd.LeastTalkTime, "c a d b b d a c"}, // talk: c 8, a 7, d 6, b 5; then 5+4=9, 6+3=9, 7+2, 8+1
		{acd.TopDown, "a a a a a a a a"},
		{acd.Sequential, "a a a a a a a a"},    // each new caller begins at the top
		{acd.LeastOccupied, "c a d b b d d b"}, // share of time at work when freed: c 8/12, a 7/18, d 6/23, b 5/27; then b 9/31, d 9/35, d 11/37
	} {
		h := newHand(t, rules("a b c d", acd.Queue{Name: "q", Strategy: c.strategy, WrapUp: -1}))
		h.ready("c a d b")
		var got []string
		for i := range 8 {
			got = append(got, h.serve(fmt.Sprint("w", i), "q", time.Duration(8-i)*time.Second))
		}
		require.Equal(t, c.want, strings.Join(got, " "), "%s", c.strategy)
	}
}

// A caller whom an agent refused goes on down the list, and comes back to the top behind the last.
func TestSequentialGoesOnBehindTheLast(t *testing.T) {
	h := newHand(t, rules("a b c", acd.Queue{Name: "q", Strategy: acd.Sequential, RejectPause: time.Second}))
	h.ready("a b c")
	require.Equal(t, []string{"a<-w"}, offers(h.enqueue("w", "q", nil)))
	h.sleep(900 * time.Millisecond)
	require.Equal(t, []string{"b<-w"}, offers(h.answer(acd.KindRejected, "a", "w")))
	h.sleep(time.Second) // a is free again, and above
	require.Equal(t, []string{"c<-w"}, offers(h.answer(acd.KindRejected, "b", "w")))
	require.Equal(t, []string{"a<-w"}, offers(h.answer(acd.KindRejected, "c", "w")))
}

func TestRandomFollowsTheSeedAndTheWeights(t *testing.T) {
	count := func(strategy acd.Strategy, seed uint64) (map[string]int, string) {
		r := rules("a b c", acd.Queue{Name: "q", Strategy: strategy, WrapUp: -1, Weights: map[string]int{"b": 2, "c": 5}})
		r.Seed = seed
		h := newHand(t, r)
		h.ready("a b c")
		n, order := map[string]int{}, ""
		for i := range 4000 {
			who := h.serve(fmt.Sprint("w", i), "q", time.Millisecond)
			n[who]++
			order += who
		}
		return n, order
	}
	n, first := count(acd.Random, 7)
	for who, k := range n {
		require.InDelta(t, 1333, k, 110, who)
	}
	_, again := count(acd.Random, 7)
	require.Equal(t, first, again, "the same seed gives the same choices")
	_, other := count(acd.Random, 8)
	require.NotEqual(t, first, other)
	n, _ = count(acd.WeightedRandom, 7)
	require.InDelta(t, 500, n["a"], 80)
	require.InDelta(t, 1000, n["b"], 100)
	require.InDelta(t, 2500, n["c"], 130)
}

func TestRingAllFirstAcceptWins(t *testing.T) {
	h := newHand(t, rules("a b c d", acd.Queue{Name: "q", Strategy: acd.RingAll, RingMax: 3}))
	h.ready("a b c d")
	require.Equal(t, []string{"a<-w", "b<-w", "c<-w"}, offers(h.enqueue("w", "q", nil)), "no more than RingMax at once")
	require.Equal(t, []string{"state  b", "answered w b", "revoke w a elsewhere", "revoke w c elsewhere", "state  a", "state  c"}, kinds(h.accept("b", "w")))
	_, err := h.try(acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "w", Offer: 1})
	require.ErrorIs(t, err, acd.ErrStale, "the second to answer is told so")
	rec := h.end("w")[0].Record
	require.Equal(t, "b", rec.Agent)
	require.Equal(t, []string{acd.OfferElsewhere, acd.OfferAccepted, acd.OfferElsewhere}, []string{rec.Offers[0].Result, rec.Offers[1].Result, rec.Offers[2].Result})
	var answered int64
	for _, a := range h.core.Snapshot(h.now).Agents {
		answered += a.Answered
	}
	require.EqualValues(t, 1, answered, "counted once")
}

func TestManualOnlyByHand(t *testing.T) {
	h := newHand(t, rules("a b", acd.Queue{Name: "q", Strategy: acd.Manual}))
	h.ready("a")
	require.Empty(t, offers(h.enqueue("w1", "q", nil)))
	require.Empty(t, offers(h.enqueue("w2", "q", nil)))
	require.Equal(t, []string{"a<-w2"}, offers(h.do(acd.Event{Kind: acd.KindPicked, Agent: "a", Work: "w2"})))
	_, err := h.try(acd.Event{Kind: acd.KindPicked, Agent: "a", Work: "w1"})
	require.ErrorIs(t, err, acd.ErrState, "one at a time")
	_, err = h.try(acd.Event{Kind: acd.KindPicked, Agent: "b", Work: "w1"})
	require.ErrorIs(t, err, acd.ErrState, "not logged in")
}

// Other systems' names mean ours; no name falls back to anything.
func TestAliases(t *testing.T) {
	for name, want := range map[string]acd.Strategy{
		"ringall": acd.RingAll, "leastrecent": acd.LongestIdle, "fewestcalls": acd.FewestCalls, "random": acd.Random, "rrmemory": acd.RoundRobin,
		"rrordered": acd.RoundRobin, "linear": acd.Sequential, "wrandom": acd.WeightedRandom, // Asterisk
		"ring-all": acd.RingAll, "longest-idle-agent": acd.LongestIdle, "round-robin": acd.RoundRobin, "top-down": acd.TopDown,
		"agent-with-least-talk-time": acd.LeastTalkTime, "agent-with-fewest-calls": acd.FewestCalls, "sequentially-by-agent-order": acd.TopDown, // FreeSWITCH
		"All-Skills-Matching": acd.LongestIdle, "Best-Available-Skills": acd.BestSkill, // Genesys
		"longest-idle-time": acd.LongestIdle, "least-talk-time": acd.LeastTalkTime, "fewest-calls": acd.FewestCalls, // Webitel
		"multi-reservation": acd.RingAll, // Twilio
	} {
		got, err := acd.ParseStrategy(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		if name == strings.ToLower(name) {
			h := newHand(t, rules("a", acd.Queue{Name: "q", Strategy: acd.Strategy(name)}))
			require.Len(t, h.log, 1, "rules take it too")
		}
	}
	for _, name := range []string{"", "ring-progressively", "round robin", "best"} {
		_, err := acd.ParseStrategy(name)
		require.ErrorIs(t, err, acd.ErrInvalid, name)
	}
	for _, s := range acd.Strategies() {
		got, err := acd.ParseStrategy(string(s))
		require.NoError(t, err)
		require.Equal(t, s, got)
	}
}

// The estimate given at entry stays in the record, so that its error is a subtraction; both methods do what they say.
func TestEstimatesAreKept(t *testing.T) {
	for _, c := range []struct {
		method acd.Estimate
		want   []time.Duration // promised to the second and the third caller
	}{
		{acd.EstimateHandling, []time.Duration{3 * time.Minute, 2 * 165 * time.Second}}, // 3 min to begin with; after a call of 1 min 3 min - 2 min/8
		{acd.EstimateRecent, []time.Duration{0, 7500 * time.Millisecond}},               // after a wait of 1 min, 1 min/8
	} {
		h := newHand(t, rules("a", acd.Queue{Name: "q", WrapUp: -1, Estimate: c.method, KeepEstimate: true}))
		h.ready("a")
		h.enqueue("w1", "q", nil)
		h.accept("a", "w1")
		h.enqueue("w2", "q", nil)
		h.sleep(time.Minute)
		h.end("w1")
		h.accept("a", "w2")
		h.enqueue("before w3", "q", nil)
		h.enqueue("w3", "q", nil)
		for i, id := range []string{"w2", "w3"} {
			for _, d := range h.end(id) {
				if d.Kind == acd.DecideEnded {
					require.Equal(t, c.want[i], d.Record.EWT, "%s %s", c.method, id)
				}
			}
		}
	}
}
