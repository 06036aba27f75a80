package sim_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
)

// plainRules are one queue of equal agents without wrap-up, as the formulas see it.
func plainRules(agents int) acd.Rules {
	r := acd.Rules{Queues: []acd.Queue{{Name: "calls", WrapUp: -1, MaxWait: 300 * 24 * time.Hour, MaxWaiting: 1_000_000, ShortAbandon: -1}}}
	for i := range agents {
		id := fmt.Sprintf("agent%d", i)
		r.Agents = append(r.Agents, acd.Agent{ID: id})
		r.Queues[0].Members = append(r.Queues[0].Members, id)
	}
	return r
}

func plain(agents int, t sim.Traffic) sim.Config {
	f := sim.Flow{Name: "call", Queue: "calls", Arrivals: sim.Poisson{PerHour: t.PerHour}, Service: sim.Exponential{Mean: t.Handle}}
	if t.Patience > 0 {
		f.Patience = sim.Exponential{Mean: t.Patience}
	}
	return sim.Config{Rules: plainRules(agents), Flows: []sim.Flow{f}, Confidence: .99}
}

// hours is how long it takes until so many works have come.
func hours(works, perHour float64) time.Duration {
	return time.Duration(works / perHour * float64(time.Hour))
}

// misses names the figures of a simulation whose interval does not hold the formula's.
func misses(t *testing.T, res sim.Result, s sim.Steady) (out []string) {
	t.Helper()
	for _, f := range []struct {
		name string
		got  sim.Estimate
		want float64
	}{
		{"wait", res.All.Wait, s.Wait}, {"level", res.All.Level, s.Within(20 * time.Second)}, {"asa", res.All.ASA, s.ASA},
		{"abandon", res.All.Abandon, s.Abandoned}, {"occupancy", res.Occupancy, s.Occupancy}, {"length", res.All.Length, s.Queue},
	} {
		t.Logf("%-9s formula %9.5f  simulation %9.5f ±%.5f", f.name, f.want, f.got.Value, f.got.Half)
		if !f.got.Contains(f.want) {
			out = append(out, f.name)
		}
	}
	return out
}

// The core with every customer and agent played agrees with the formulas, and the formulas with the core.
func TestSimulationAgreesWithFormulas(t *testing.T) {
	scale := 1.0
	if race || testing.Short() {
		scale = .15
	}
	for i, c := range []struct {
		agents   int
		rho      float64
		patience time.Duration
		works    float64 // per replication
	}{
		{1, .5, 0, 10_000}, {1, .8, 0, 40_000}, {3, .7, 0, 20_000}, {14, .7143, 0, 20_000}, {14, .95, 0, 80_000}, {50, .9, 0, 30_000}, {100, .97, 0, 80_000},
		{1, 1.2, time.Minute, 10_000}, {5, .9, 3 * time.Minute, 20_000}, {14, 1, 2 * time.Minute, 20_000}, {14, 1.3, 2 * time.Minute, 20_000},
		{12, .7, time.Minute, 20_000}, {100, 1.05, 90 * time.Second, 30_000},
	} {
		t.Run(fmt.Sprintf("%d agents at %v, patience %v", c.agents, c.rho, c.patience), func(t *testing.T) {
			if scale < 1 && c.works > 30_000 {
				t.Skip("a heavily loaded queue needs its length")
			}
			traffic := sim.Traffic{PerHour: c.rho * float64(c.agents) * 20, Handle: 3 * time.Minute, Patience: c.patience}
			cfg := plain(c.agents, traffic)
			cfg.Seed = uint64(i)
			cfg.Warmup, cfg.Length = hours(c.works*scale/5, traffic.PerHour), hours(c.works*scale, traffic.PerHour)
			res, err := sim.Replicate(t.Context(), cfg, 15)
			require.NoError(t, err)
			s, err := traffic.With(c.agents)
			require.NoError(t, err)
			require.Empty(t, misses(t, res, s))
			require.Less(t, res.All.Wait.Half, .06, "an interval that holds everything says nothing")
			require.Zero(t, res.All.Overflowed)
		})
	}
}

// A simulation of something else must not agree: conversations five percent shorter, or one agent less, and the intervals say so.
func TestSimulationOfSomethingElseDisagrees(t *testing.T) {
	traffic := sim.Traffic{PerHour: 14 * 20 * .9, Handle: 3 * time.Minute, Patience: 2 * time.Minute}
	s, err := traffic.With(14)
	require.NoError(t, err)
	for name, change := range map[string]func(c *sim.Config){
		"faster service": func(c *sim.Config) { c.Flows[0].Service = sim.Exponential{Mean: 171 * time.Second} },
		"one agent less": func(c *sim.Config) { c.Rules = plainRules(13) },
		"more patience":  func(c *sim.Config) { c.Flows[0].Patience = sim.Exponential{Mean: 150 * time.Second} },
		"some wrap-up":   func(c *sim.Config) { c.Rules.Queues[0].WrapUp = 9 * time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := plain(14, traffic)
			cfg.Warmup, cfg.Length = hours(4000, traffic.PerHour), hours(20_000, traffic.PerHour)
			if race {
				cfg.Warmup, cfg.Length = hours(1000, traffic.PerHour), hours(8000, traffic.PerHour)
			}
			change(&cfg)
			res, err := sim.Replicate(t.Context(), cfg, 15)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(misses(t, res, s)), 3)
		})
	}
}

// Batches of one long run say the same as many runs.
func TestBatchMeans(t *testing.T) {
	traffic := sim.Traffic{PerHour: 200, Handle: 3 * time.Minute, Patience: 5 * time.Minute}
	cfg := plain(13, traffic)
	cfg.Warmup, cfg.Length, cfg.Batches, cfg.Seed = hours(2000, 200), hours(200_000, 200), 40, 5
	if race {
		cfg.Length /= 4
	}
	res, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	s, err := traffic.With(13)
	require.NoError(t, err)
	require.Empty(t, misses(t, res, s))
	require.InDelta(t, cfg.Length.Hours(), res.Counted.Hours(), 1e-6)
}

// Ninety-five percent intervals hold what they should in about ninety-five of a hundred simulations, neither in all nor in half.
func TestIntervalsHoldWhatTheyPromise(t *testing.T) {
	if testing.Short() || race {
		t.Skip("many runs")
	}
	traffic := sim.Traffic{PerHour: 100, Handle: 3 * time.Minute, Patience: 3 * time.Minute}
	s, err := traffic.With(6)
	require.NoError(t, err)
	hits, all := 0, 0
	for seed := range uint64(60) {
		cfg := plain(6, traffic)
		cfg.Warmup, cfg.Length, cfg.Seed, cfg.Confidence = 5*time.Hour, 40*time.Hour, seed, .95
		res, err := sim.Replicate(t.Context(), cfg, 10)
		require.NoError(t, err)
		for _, f := range []struct {
			e sim.Estimate
			x float64
		}{{res.All.Wait, s.Wait}, {res.All.Level, s.Within(20 * time.Second)}, {res.All.Abandon, s.Abandoned}, {res.Occupancy, s.Occupancy}} {
			if all++; f.e.Contains(f.x) {
				hits++
			}
		}
	}
	share := float64(hits) / float64(all)
	t.Logf("%d of %d intervals held the truth: %.3f", hits, all, share)
	require.Less(t, math.Abs(share-.95), .045)
}
