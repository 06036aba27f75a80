package report_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

// load is what a center of 10 000 agents and 100 queues does with 200 calls at a time: each arrives, enters a queue, rings, is answered, ends
// when 200 more have come, and leaves its agent in wrap-up.
type load struct {
	core  *acd.Core
	queue []string
	now   time.Time
	n     int
	open  []string
	log   []acd.Event
}

func newLoad(t testing.TB, f func(acd.Entry)) *load {
	l := &load{core: acd.NewCore(), now: t0}
	r := acd.Rules{}
	for i := range 100 {
		l.queue = append(l.queue, "queue"+strconv.Itoa(i))
		r.Queues = append(r.Queues, acd.Queue{Name: l.queue[i], WrapUp: 100 * time.Millisecond})
	}
	for i := range 10_000 {
		id := "agent" + strconv.Itoa(i)
		r.Agents = append(r.Agents, acd.Agent{ID: id})
		r.Queues[i%100].Members = append(r.Queues[i%100].Members, id)
	}
	l.apply(t, acd.Event{Kind: acd.KindStarted, Rules: &r}, f)
	for _, a := range r.Agents {
		l.apply(t, acd.Event{Kind: acd.KindLogin, Agent: a.ID}, f)
		l.apply(t, acd.Event{Kind: acd.KindReady, Agent: a.ID}, f)
	}
	return l
}

func (l *load) apply(t testing.TB, ev acd.Event, f func(acd.Entry)) []acd.Decision {
	l.now = l.now.Add(time.Millisecond)
	if due, ok := l.core.NextTimer(); ok && !due.After(l.now) && ev.Kind != acd.KindTimer {
		l.apply(t, acd.Event{Kind: acd.KindTimer}, f)
	}
	ev.Seq, ev.At = l.core.Seq()+1, l.now
	out, err := l.core.Apply(ev)
	if err != nil {
		t.Fatal(err)
	}
	l.log = append(l.log, ev)
	f(acd.Entry{Event: ev, Decisions: out})
	return out
}

func (l *load) cycle(t testing.TB, id string, f func(acd.Entry)) {
	l.n++
	l.apply(t, acd.Event{Kind: acd.KindArrived, Work: id, Attributes: map[string]string{"caller": "anonymous", "line": "3"}}, f)
	out := l.apply(t, acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: l.queue[l.n%100]}, f)
	offer := out[len(out)-1]
	l.apply(t, acd.Event{Kind: acd.KindRinging, Agent: offer.Agent, Work: id, Offer: offer.Offer}, f)
	l.apply(t, acd.Event{Kind: acd.KindAccepted, Agent: offer.Agent, Work: id, Offer: offer.Offer}, f)
	if l.open = append(l.open, id); len(l.open) > 200 {
		l.apply(t, acd.Event{Kind: acd.KindEnded, Work: l.open[0], Reason: "caller"}, f)
		l.open = l.open[1:]
	}
}

// recorded returns the state of a Tally before some entries, and the entries.
func recorded(t testing.TB, cycles int) (*report.Tally, []acd.Entry) {
	tally := report.New()
	l := newLoad(t, tally.Observe)
	var entries []acd.Entry
	for i := range cycles {
		l.cycle(t, "work"+strconv.Itoa(i), func(e acd.Entry) {
			e.Decisions = slices.Clone(e.Decisions)
			entries = append(entries, e)
		})
	}
	return tally, entries
}

// Observe allocates nothing once it has seen as many works at a time before.
func TestObserveAllocatesNothing(t *testing.T) {
	tally, entries := recorded(t, 2000)
	for _, e := range entries[:4000] {
		tally.Observe(e)
	}
	rest := entries[4000:]
	i := 0
	require.Zero(t, testing.AllocsPerRun(len(rest)-2, func() { tally.Observe(rest[i]); i++ }))
}

// TestBenchRatios prints what `make bench` collects. It runs only with RINGFENCE_BENCH=1: figures are no unit test.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	l := newLoad(t, func(acd.Entry) {})
	n := len(l.log)
	for i := range 50_000 {
		l.cycle(t, "work"+strconv.Itoa(i), func(acd.Entry) {})
	}
	start, log := l.log[:n], l.log[n:]
	runner := func(f func(acd.Entry)) func([]acd.Event) time.Duration { // Core.Apply, and f on what it decides, as a Center does
		core := acd.NewCore()
		return func(log []acd.Event) time.Duration {
			begin := time.Now()
			for _, ev := range log {
				out, err := core.Apply(ev)
				if err != nil {
					t.Fatal(err)
				}
				f(acd.Entry{Event: ev, Decisions: out})
			}
			return time.Since(begin)
		}
	}
	core, both := runner(func(acd.Entry) {}), runner(report.New().Observe)
	core(start)
	both(start)
	runtime.GC()
	const block = 200
	events := make([]acd.Event, block)
	var ratios, ns []float64
	for i := 0; i+block <= len(log); i += block { // the same events, alternately, so that a busy neighbour hits both
		var c, b time.Duration
		if copy(events, log[i:]); i/block%2 == 0 { // as in a Center, an event has just been made when it is applied
			c, b = core(events), both(events)
		} else {
			b, c = both(events), core(events)
		}
		ratios = append(ratios, float64(b-c)/float64(c))
		ns = append(ns, float64((b-c).Nanoseconds())/block)
	}
	slices.Sort(ratios)
	slices.Sort(ns)
	fmt.Printf("ratio acd/report-observe %.2f goal <= 0.5\n", ratios[len(ratios)/2])
	fmt.Printf("figure acd/report-observe-ns %.0f\n", ns[len(ns)/2])
	require.LessOrEqual(t, ratios[len(ratios)/2], 0.5)
	tally, _ := recorded(t, 1)
	var reads []time.Duration
	for range 101 {
		start := time.Now()
		r := tally.Report(t0)
		reads = append(reads, time.Since(start))
		require.Len(t, r.Queues, 100)
	}
	slices.Sort(reads)
	fmt.Printf("figure acd/report-read-100-queues-us %.0f\n", float64(reads[50].Microseconds()))
	require.Less(t, reads[50], time.Millisecond)
}

func BenchmarkObserve(b *testing.B) {
	tally, entries := recorded(b, 5000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tally.Observe(entries[i%len(entries)])
		i++
	}
}
