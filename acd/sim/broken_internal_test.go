package sim

import (
	"math"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

// A core that broke its promises would be noticed: each decision below is one that no core may make at that moment.
func TestBrokenPromisesAreNoticed(t *testing.T) {
	fresh := func() *engine {
		e, err := newEngine(Config{
			Rules: acd.Rules{Agents: []acd.Agent{{ID: "ann"}, {ID: "bob"}}, Queues: []acd.Queue{{Name: "q", Members: []string{"ann", "bob"}}, {Name: "r"}}},
			Flows: []Flow{{Name: "f", Queue: "q", Arrivals: Instants{}, Service: Fixed(time.Minute)}}, Length: time.Hour, Answer: Fixed(time.Second),
		}, 1)
		require.NoError(t, err)
		require.NoError(t, e.begin())
		require.NoError(t, e.admit(&e.flows[0], "one", 1, nil)) // offered to ann
		require.NoError(t, e.admit(&e.flows[0], "two", 1, nil)) // offered to bob
		require.NoError(t, e.admit(&e.flows[0], "three", 1, nil))
		return e
	}
	require.NoError(t, fresh().audit())
	for name, d := range map[string]acd.Decision{
		"offer of a work twice":       {Kind: acd.DecideOffer, Work: "one", Queue: "q", Agent: "bob", Offer: 9},
		"offer to who is being rung":  {Kind: acd.DecideOffer, Work: "three", Queue: "q", Agent: "ann", Offer: 9},
		"offer from another queue":    {Kind: acd.DecideOffer, Work: "three", Queue: "r", Agent: "ann", Offer: 9},
		"offer of no work":            {Kind: acd.DecideOffer, Work: "four", Queue: "q", Agent: "ann", Offer: 9},
		"offer to nobody":             {Kind: acd.DecideOffer, Work: "three", Queue: "q", Agent: "eve", Offer: 9},
		"revocation of another offer": {Kind: acd.DecideRevoke, Work: "one", Queue: "q", Agent: "bob", Offer: 2},
		"answer to no offer":          {Kind: acd.DecideAnswered, Work: "three", Queue: "q", Agent: "ann", Offer: 1},
		"answer to an old offer":      {Kind: acd.DecideAnswered, Work: "one", Queue: "q", Agent: "ann", Offer: 77},
		"overflow while it rings":     {Kind: acd.DecideOverflow, Work: "one", Queue: "q", Reason: acd.ResultTimeout},
		"overflow from elsewhere":     {Kind: acd.DecideOverflow, Work: "three", Queue: "r", Reason: acd.ResultTimeout},
		"end of a talk never had":     {Kind: acd.DecideEnded, Work: "three", Record: &acd.Record{Outcome: acd.Answered, Agent: "ann"}},
		"hang-up while it rings":      {Kind: acd.DecideEnded, Work: "one", Record: &acd.Record{Outcome: acd.Abandoned}},
		"second end":                  {Kind: acd.DecideEnded, Work: "zero", Record: &acd.Record{Outcome: acd.Abandoned}},
	} {
		require.ErrorIs(t, fresh().follow(&d), ErrBroken, name)
	}
	for name, spoil := range map[string]func(e *engine){
		"a work vanished":       func(e *engine) { delete(e.jobs, "three") },
		"a line is too long":    func(e *engine) { e.lines[0].waiting++ },
		"a talk too many":       func(e *engine) { e.lines[0].talking++ },
		"an agent is elsewhere": func(e *engine) { e.agents["bob"].state = acd.Ready },
	} {
		e := fresh()
		spoil(e)
		require.ErrorIs(t, e.audit(), ErrBroken, name)
	}
}

// Quantiles of Student's distribution as printed in every table.
func TestStudentQuantiles(t *testing.T) {
	for _, c := range []struct {
		confidence float64
		freedom    int
		want       float64
	}{{.95, 1, 12.706205}, {.95, 2, 4.302653}, {.99, 5, 4.032143}, {.95, 10, 2.228139}, {.99, 14, 2.976843}, {.9, 29, 1.699127}, {.95, 120, 1.979930},
		{.99, 9999, 2.57632}, {.5, 3, .764892}} {
		require.InEpsilon(t, c.want, studentT(c.confidence, c.freedom), 1e-4, "%+v", c)
	}
}

func TestRatioOfNothing(t *testing.T) {
	e := ratio(nil, .95)
	require.True(t, math.IsNaN(e.Value) && !e.Contains(0))
	e = ratio([]sample{{1, 2}}, .95)
	require.True(t, e.Value == .5 && math.IsInf(e.Half, 1), "one batch says nothing of chance")
	e = ratio([]sample{{1, 2}, {2, 2}, {3, 2}}, .95)
	require.InDelta(t, 1, e.Value, 1e-12)
	require.InEpsilon(t, 4.302653*.5/math.Sqrt(3), e.Half, 1e-6) // with equal x it is the mean of y/x
	require.Equal(t, "1 ±1.2", e.String())
}
