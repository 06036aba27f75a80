package sim_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
)

// Means, variances and what lies below one minute are those of the distributions.
func TestDistributions(t *testing.T) {
	const n = 200_000
	for name, c := range map[string]struct {
		dist           sim.Dist
		mean, sd, cdf1 float64 // minutes; share below one minute
	}{
		"fixed":       {sim.Fixed(2 * time.Minute), 2, 0, 0},
		"exponential": {sim.Exponential{Mean: 2 * time.Minute}, 2, 2, 1 - math.Exp(-.5)},
		"erlang":      {sim.ErlangK{K: 4, Mean: 2 * time.Minute}, 2, 1, 1 - math.Exp(-2)*(1+2+2+4./3)},
		"log-normal":  {sim.LogNormal{Mean: 2 * time.Minute, SD: 3 * time.Minute}, 2, 3, .5 * math.Erfc(-math.Log(.5*math.Sqrt(3.25))/math.Sqrt(2*math.Log(3.25)))},
		"steady":      {sim.LogNormal{Mean: 2 * time.Minute}, 2, 0, 0},
		"empirical":   {sim.Empirical{30 * time.Second, 30 * time.Second, 5 * time.Minute}, 2, math.Sqrt(4.5), 2. / 3},
	} {
		r := rand.New(rand.NewPCG(1, 2))
		var sum, square, below float64
		for range n {
			x := c.dist.Draw(r).Minutes()
			sum, square = sum+x, square+x*x
			if x < 1 {
				below++
			}
		}
		mean := sum / n
		require.InDelta(t, c.mean, mean, .03, name)
		require.InDelta(t, c.sd, math.Sqrt(max(0, square/n-mean*mean)), .1, name)
		require.InDelta(t, c.cdf1, below/n, .005, name)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		require.LessOrEqual(t, sim.LogNormal{Mean: 366 * 24 * time.Hour, SD: 366 * 24 * time.Hour}.Draw(r), 366*24*time.Hour)
	}
}

// A profile's arrivals come at the rate of their hour and day, and in no other way than a Poisson stream's: counts scatter as much as they are.
func TestProfileArrivals(t *testing.T) {
	cfg := plain(1, sim.Traffic{PerHour: 1, Handle: time.Second})
	p := sim.Profile{PerHour: slices.Repeat([]float64{0}, 48), Week: [7]float64{0, 1, 2, 1, 1, 1, .5}, Offset: 90 * time.Minute}
	p.PerHour[18], p.PerHour[19], p.PerHour[30] = 100, 20, 60 // 9:00, 9:30 and 15:00 local time
	require.Equal(t, 200.0, p.At(time.Date(2024, 1, 2, 7, 45, 0, 0, time.UTC)), "Tuesday, 9:15 local time")
	require.Zero(t, p.At(time.Date(2024, 1, 2, 9, 15, 0, 0, time.UTC)))
	cfg.Flows[0].Arrivals = p
	const weeks = 200
	cfg.Length = weeks * 7 * 24 * time.Hour
	type slot struct {
		day  time.Weekday
		half int
	}
	count, perDay := map[slot]float64{}, map[int]float64{}
	cfg.Observe = func(e acd.Entry) {
		if e.Event.Kind == acd.KindArrived {
			local := e.Event.At.Add(p.Offset)
			s := slot{local.Weekday(), (local.Hour()*60 + local.Minute()) / 30}
			count[s]++
			if s == (slot{time.Tuesday, 18}) {
				perDay[local.YearDay()+local.Year()*1000]++
			}
		}
	}
	_, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	for s, n := range count {
		require.Positive(t, p.PerHour[s.half]*p.Week[s.day], "somebody came on %v", s)
		want := p.PerHour[s.half] / 2 * p.Week[s.day] * weeks
		require.Less(t, math.Abs(n-want), 4*math.Sqrt(want), "%v: %v, not %v", s, n, want)
	}
	require.Len(t, count, 3*6)
	var sum, square float64
	for _, n := range perDay {
		sum, square = sum+n, square+n*n
	}
	mean := sum / weeks
	require.InDelta(t, 1, (square/weeks-mean*mean)/mean, .4, "variance and mean of a Poisson count are the same")
}

// Given instants are when works come, also several at once; what was before the start is left out.
func TestInstants(t *testing.T) {
	start := time.Date(2024, 5, 1, 8, 0, 0, 0, time.UTC)
	cfg := plain(1, sim.Traffic{PerHour: 1, Handle: time.Second})
	cfg.Start, cfg.Length = start, time.Hour
	cfg.Flows[0].Arrivals = sim.Instants{start.Add(-time.Hour), start, start.Add(time.Minute), start.Add(time.Minute), start.Add(2 * time.Hour)}
	var got []time.Duration
	cfg.Observe = func(e acd.Entry) {
		if e.Event.Kind == acd.KindArrived {
			got = append(got, e.Event.At.Sub(start))
		}
	}
	_, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{0, time.Minute, time.Minute}, got)
}

// What a log teaches, simulated, gives figures like those of the log; its arrivals are exactly those of the log.
func TestLearn(t *testing.T) {
	traffic := sim.Traffic{PerHour: 260, Handle: 3 * time.Minute, Patience: 2 * time.Minute}
	cfg := plain(14, traffic)
	cfg.Flows = append(cfg.Flows, sim.Flow{Name: "danish", Queue: "calls", Arrivals: sim.Poisson{PerHour: 20}, Service: sim.Fixed(time.Minute), Priority: 3,
		Terms: &acd.Terms{Needs: []acd.Skill{{Name: "da", Level: 2}}}})
	cfg.Rules.Agents[3].Skills = []acd.Skill{{Name: "da", Level: 4}}
	cfg.Length = 60 * time.Hour
	var log []acd.Event
	came := 0
	cfg.Observe = func(e acd.Entry) {
		log = append(log, e.Event)
		if e.Event.Kind == acd.KindArrived {
			came++
		}
	}
	was, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	flows, err := sim.Learn(events(log))
	require.NoError(t, err)
	require.Len(t, flows, 2)
	require.Equal(t, "calls 0", flows[0].Name)
	require.Equal(t, &acd.Terms{Needs: []acd.Skill{{Name: "da", Level: 2}}}, flows[1].Terms)
	require.Equal(t, 3, flows[1].Priority)
	require.Equal(t, came, len(flows[0].Arrivals.(sim.Instants))+len(flows[1].Arrivals.(sim.Instants)))
	require.InEpsilon(t, traffic.Patience.Seconds(), flows[0].Patience.(sim.Exponential).Mean.Seconds(), .1)
	require.Nil(t, flows[1].Patience)
	require.Equal(t, time.Minute, slices.Max(flows[1].Service.(sim.Empirical)))

	cfg.Flows, cfg.Observe, cfg.Seed = flows, nil, 99
	is, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, was.All.Entered, is.All.Entered)
	require.InDelta(t, was.All.Level.Value, is.All.Level.Value, .05)
	require.InDelta(t, was.All.Abandon.Value, is.All.Abandon.Value, .02)

	_, err = sim.Learn(events(log[:20]))
	require.ErrorIs(t, err, sim.ErrInvalid, "nobody was answered yet")
	_, err = sim.Learn(events(log[5:]))
	require.ErrorIs(t, err, acd.ErrLog)
}

// Whatever a log says, learning ends, and what was learned can be simulated.
func FuzzLearn(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte("\x00\x10\x20\x30abcabcabc\xff\xf0\x01\x02"))
	f.Fuzz(func(t *testing.T, script []byte) {
		core := acd.NewCore()
		rules := plainRules(2)
		at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		var log []acd.Event
		apply := func(ev acd.Event) []acd.Decision {
			ev.Seq, ev.At = core.Seq()+1, at
			out, err := core.Apply(ev)
			if err != nil {
				return nil
			}
			log = append(log, ev)
			return out
		}
		apply(acd.Event{Kind: acd.KindStarted, Rules: &rules})
		for _, a := range rules.Agents {
			apply(acd.Event{Kind: acd.KindLogin, Agent: a.ID})
			apply(acd.Event{Kind: acd.KindReady, Agent: a.ID})
		}
		works := []string{"w0", "w1", "w2", "w3"}
		for _, b := range script {
			at = at.Add(time.Duration(b>>4) * time.Second)
			apply(acd.Event{Kind: acd.KindTimer})
			w := works[b&3]
			switch b >> 2 & 3 {
			case 0:
				apply(acd.Event{Kind: acd.KindArrived, Work: w})
			case 1:
				for _, d := range apply(acd.Event{Kind: acd.KindEnqueued, Work: w, Queue: "calls", Priority: int(b >> 6)}) {
					if d.Kind == acd.DecideOffer && b&32 > 0 {
						apply(acd.Event{Kind: acd.KindAccepted, Work: d.Work, Agent: d.Agent, Offer: d.Offer})
						break
					}
				}
			case 2:
				apply(acd.Event{Kind: acd.KindAbandoned, Work: w})
			case 3:
				apply(acd.Event{Kind: acd.KindEnded, Work: w})
			}
		}
		flows, err := sim.Learn(events(log))
		if err != nil {
			require.ErrorIs(t, err, sim.ErrInvalid)
			return
		}
		_, err = sim.Run(t.Context(), sim.Config{Rules: rules, Flows: flows, Length: time.Hour})
		require.NoError(t, err)
	})
}
