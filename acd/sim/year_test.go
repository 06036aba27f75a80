package sim_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
)

// bigCenter is 200 agents with eight skill profiles in three shifts, five queues on one channel, a profile of day and week, patience, ringing
// and wrap-up: nothing the formulas could say.
func bigCenter(length time.Duration) sim.Config {
	langs := []string{"en", "de", "fr"}
	var r acd.Rules
	var shifts [3][]string
	for i := range 200 {
		a := acd.Agent{ID: fmt.Sprintf("agent%03d", i), Skills: []acd.Skill{{Name: "en", Level: 1 + i%3}}}
		for k, l := range langs[1:] {
			if i>>k&1 == 1 {
				a.Skills = append(a.Skills, acd.Skill{Name: l, Level: 2})
			}
		}
		if i%5 == 0 {
			a.Skills = append(a.Skills, acd.Skill{Name: "tax", Level: 1})
		}
		r.Agents = append(r.Agents, a)
		shifts[i%3] = append(shifts[i%3], a.ID)
	}
	all := slices.Concat(shifts[:]...)
	for _, l := range langs {
		r.Queues = append(r.Queues, acd.Queue{Name: "service-" + l, Members: all, Needs: []acd.Skill{{Name: l}}})
	}
	r.Queues = append(r.Queues, acd.Queue{Name: "tax", Members: all, Needs: []acd.Skill{{Name: "tax"}}, Strategy: acd.LeastSkill, WrapUp: 30 * time.Second},
		acd.Queue{Name: "vip", Members: all, Strategy: acd.BestSkill})
	cfg := sim.Config{Rules: r, Length: length, Batches: max(1, int(length/(7*24*time.Hour))), Seed: 1, Answer: sim.ErlangK{K: 4, Mean: 5 * time.Second}}
	workdays := []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
	for i, s := range shifts {
		from := time.Duration(7+2*i) * time.Hour
		cfg.Shifts = append(cfg.Shifts, sim.Shift{Agents: s, Hours: []acd.Hours{{Days: workdays, From: from, Until: from + 9*time.Hour}},
			Breaks: []acd.Hours{{From: from + 4*time.Hour, Until: from + 5*time.Hour}}})
	}
	// Works per hour from midnight: none at night, two peaks.
	shape := []float64{0, 0, 0, 0, 0, 0, 0, 15, 45, 90, 110, 100, 70, 80, 105, 100, 80, 50, 25, 10, 0, 0, 0, 0}
	for i, factor := range []float64{8, 4, 2.5, 1.2, .6} {
		p := sim.Profile{PerHour: slices.Clone(shape), Week: [7]float64{0, 1.2, 1, .95, .9, .9, 0}}
		for h := range p.PerHour {
			p.PerHour[h] *= factor
		}
		cfg.Flows = append(cfg.Flows, sim.Flow{Name: r.Queues[i].Name, Queue: r.Queues[i].Name, Arrivals: p, Priority: i / 4,
			Service: sim.LogNormal{Mean: 4 * time.Minute, SD: 4 * time.Minute}, Patience: sim.Exponential{Mean: 4 * time.Minute}})
	}
	return cfg
}

// A year of a large center takes seconds, so whoever plans can ask a hundred questions before lunch.
func TestYearOfALargeCenter(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	length, bound := 52*7*24*time.Hour, time.Minute
	if race {
		length = 7 * 24 * time.Hour
	}
	start := time.Now()
	res, err := sim.Run(t.Context(), bigCenter(length))
	spent := time.Since(start)
	require.NoError(t, err)
	t.Logf("%v simulated in %v: %d events, %.0f ns each; %d works, level %v, occupancy %v", length, spent, res.Events,
		float64(spent.Nanoseconds())/float64(res.Events), res.All.Entered, res.All.Level, res.Occupancy)
	require.Less(t, spent, bound)
	require.Greater(t, res.All.Entered, int(length/(7*24*time.Hour))*40_000)
	require.InDelta(t, .6, res.Occupancy.Value, .1)
	require.False(t, math.IsNaN(res.All.Level.Value))
}

// TestBenchRatios prints what `make bench` collects: what the simulation costs beside the core that it drives.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	cfg := bigCenter(14 * 24 * time.Hour)
	var log []acd.Event
	cfg.Observe = func(e acd.Entry) { log = append(log, e.Event) }
	_, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	cfg.Observe = nil
	var ours, ratios []float64
	for range 5 { // alternating, so that a busy neighbour hits both
		start := time.Now()
		_, err := sim.Run(t.Context(), cfg)
		require.NoError(t, err)
		simulated := time.Since(start)
		start = time.Now()
		core := acd.NewCore()
		for i := range log {
			_, err := core.Apply(log[i])
			require.NoError(t, err)
		}
		bare := time.Since(start)
		ours = append(ours, float64(simulated.Nanoseconds())/float64(len(log)))
		ratios = append(ratios, float64(simulated)/float64(bare))
	}
	slices.Sort(ours)
	slices.Sort(ratios)
	fmt.Printf("ratio acd/sim-to-bare-core %.2f goal <= 2.5\n", ratios[2])
	fmt.Printf("figure acd/sim-event-ns %.0f\n", ours[2])
}

// BenchmarkWeek simulates a week of the large center.
func BenchmarkWeek(b *testing.B) {
	cfg := bigCenter(7 * 24 * time.Hour)
	var events uint64
	b.ReportAllocs()
	for b.Loop() {
		res, err := sim.Run(b.Context(), cfg)
		require.NoError(b, err)
		events += res.Events
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}
