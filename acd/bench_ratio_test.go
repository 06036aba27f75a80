package acd_test

import (
	stdheap "container/heap"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

// TestBenchRatios prints what `make bench` collects. It runs only with RINGFENCE_BENCH=1: figures are no unit test.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	const agents = 10_000
	core := newBenchCore(t, agents)
	floor := newFloor(agents)
	var ours, ratios []float64
	core.cycles(50_000)
	floor.cycles(50_000)
	for range 7 { // alternating, so that a busy neighbour hits both
		o, f := core.cycles(100_000), floor.cycles(100_000)
		ours = append(ours, o)
		ratios = append(ratios, o/f)
	}
	ns := median(ours)
	allocs := testing.AllocsPerRun(1000, func() { core.cycle() })
	fmt.Printf("ratio acd/decision-10000-agents %.2f goal <= 20\n", median(ratios))
	fmt.Printf("figure acd/decision-10000-agents-ns %.0f\n", ns)
	fmt.Printf("figure acd/decision-10000-agents-allocs %.0f\n", allocs)
	require.Less(t, ns, 5000.0)
	benchSkillRatios(t)
	benchMemory(t)
	latency := freeToOffer(t, 2000)
	fmt.Printf("figure acd/free-to-offer-p50-us %.0f\n", float64(latency[len(latency)/2].Microseconds()))
	fmt.Printf("figure acd/free-to-offer-p99-us %.0f\n", float64(latency[len(latency)*99/100].Microseconds()))
	require.Less(t, latency[len(latency)*99/100], time.Millisecond)
}

func median(x []float64) float64 {
	x = slices.Clone(x)
	slices.Sort(x)
	return x[len(x)/2]
}

// benchCore does the whole of one call per cycle: arrive, enqueue and offer, accept, end, agent ready again.
type benchCore struct {
	t    testing.TB
	core *acd.Core
	now  time.Time
	ids  []string
	n    int
}

func newBenchCore(t testing.TB, agents int) *benchCore {
	b := &benchCore{t: t, core: acd.NewCore(), now: t0}
	r := acd.Rules{Queues: []acd.Queue{{Name: "q", WrapUp: -1}}}
	for i := range agents {
		id := "agent" + strconv.Itoa(i)
		r.Agents = append(r.Agents, acd.Agent{ID: id})
		r.Queues[0].Members = append(r.Queues[0].Members, id)
	}
	for i := range 4096 {
		b.ids = append(b.ids, "work"+strconv.Itoa(i))
	}
	b.apply(acd.Event{Kind: acd.KindStarted, Rules: &r})
	for _, a := range r.Agents {
		b.apply(acd.Event{Kind: acd.KindLogin, Agent: a.ID})
		b.apply(acd.Event{Kind: acd.KindReady, Agent: a.ID})
	}
	return b
}

func (b *benchCore) apply(ev acd.Event) []acd.Decision {
	b.now = b.now.Add(time.Microsecond)
	ev.Seq, ev.At = b.core.Seq()+1, b.now
	out, err := b.core.Apply(ev)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *benchCore) cycle() {
	id := b.ids[b.n%len(b.ids)]
	b.n++
	b.apply(acd.Event{Kind: acd.KindArrived, Work: id})
	out := b.apply(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: "q"})
	offer := out[len(out)-1]
	b.apply(acd.Event{Kind: acd.KindAccepted, Agent: offer.Agent, Work: id, Offer: offer.Offer})
	b.apply(acd.Event{Kind: acd.KindEnded, Work: id, Reason: "caller"})
}

// cycles returns nanoseconds per cycle.
func (b *benchCore) cycles(n int) float64 {
	start := time.Now()
	for range n {
		b.cycle()
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// floor is the least that longest-idle can cost: the agent idle for longest is popped from a standard heap and pushed back as the idlest.
type floor struct {
	since []int64
	now   int64
}

func newFloor(n int) *floor {
	f := &floor{}
	for range n {
		f.now++
		stdheap.Push(f, f.now)
	}
	return f
}

func (f *floor) Len() int           { return len(f.since) }
func (f *floor) Less(i, j int) bool { return f.since[i] < f.since[j] }
func (f *floor) Swap(i, j int)      { f.since[i], f.since[j] = f.since[j], f.since[i] }
func (f *floor) Push(x any)         { f.since = append(f.since, x.(int64)) }
func (f *floor) Pop() any {
	x := f.since[len(f.since)-1]
	f.since = f.since[:len(f.since)-1]
	return x
}

func (f *floor) cycles(n int) float64 {
	start := time.Now()
	for range n {
		stdheap.Pop(f)
		f.now++
		stdheap.Push(f, f.now)
	}
	return float64(time.Since(start).Nanoseconds()) / float64(n)
}

// freeToOffer measures, in a running Center with one agent and works waiting, the time from the agent becoming free to the next
// Offer being called; sorted.
func freeToOffer(t *testing.T, n int) []time.Duration {
	called := make(chan time.Time, 1)
	cfg := config(nil)
	cfg.Offerer = offerFunc(func(context.Context, string, string) (bool, error) { called <- time.Now(); return true, nil })
	cfg.Agents = []acd.Agent{{ID: "a"}}
	cfg.Queues = []acd.Queue{{Name: "q", Members: []string{"a"}, WrapUp: -1, MaxWaiting: n, NoAgents: acd.NoAgentsWait}}
	c, err := acd.New(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
	var tickets []*acd.Ticket
	for i := range n {
		tickets = append(tickets, enqueue(t, c, strconv.Itoa(i), "q"))
	}
	readyAll(t, c, "a")
	<-called
	var out []time.Duration
	for i, ticket := range tickets {
		_, err := ticket.Wait(t.Context())
		require.NoError(t, err)
		free := time.Now()
		go func() { _ = c.End(context.WithoutCancel(t.Context()), strconv.Itoa(i), "caller") }()
		if i < n-1 {
			out = append(out, (<-called).Sub(free))
		}
	}
	require.NoError(t, c.Drain(t.Context()))
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
	slices.Sort(out)
	return out
}

type offerFunc func(ctx context.Context, agent, work string) (bool, error)

func (f offerFunc) Offer(ctx context.Context, agent, work string) (bool, error) {
	return f(ctx, agent, work)
}

func BenchmarkDecision(b *testing.B) {
	for _, agents := range []int{100, 10_000} {
		b.Run(strconv.Itoa(agents), func(b *testing.B) {
			core := newBenchCore(b, agents)
			b.ReportAllocs()
			for b.Loop() {
				core.cycle()
			}
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	d := newDriver(b, rules("a b c d", acd.Queue{Name: "q"}))
	simulate(d, rand.New(rand.NewPCG(5, 6)), 2000)
	b.ResetTimer()
	for b.Loop() {
		for _, err := range acd.Replay(seq(d.log)) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(d.log)), "ns/event")
}
