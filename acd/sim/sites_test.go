package sim_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var (
	planned = sim.Traffic{PerHour: 600, Handle: 3 * time.Minute, Patience: 3 * time.Minute}
	eighty  = sim.Goal{Level: .8, Within: 20 * time.Second}
)

func equalSites(k, agents int) (out []sim.Site) {
	for i := range k {
		out = append(out, sim.Site{Name: fmt.Sprintf("site%d", i), Agents: agents})
	}
	return out
}

func TestCheckSites(t *testing.T) {
	need, err := sim.Staff(planned, eighty)
	require.NoError(t, err)
	for k := 2; k <= 5; k++ {
		n, err := sim.PlanSites(k, planned, eighty)
		require.NoError(t, err)
		require.GreaterOrEqual(t, (k-1)*n, need.Agents)
		require.Less(t, (k-1)*(n-1), need.Agents, "one less each would do")
		require.NoError(t, sim.CheckSites(equalSites(k, n), planned, eighty))
		require.ErrorIs(t, sim.CheckSites(equalSites(k, n-1), planned, eighty), sim.ErrNoSpare)
	}
	// Enough in sum, and in two of the three sites, but not without the largest.
	err = sim.CheckSites([]sim.Site{{Name: "berlin", Agents: 30}, {Name: "aarhus", Agents: 5}, {Name: "core only"}, {Name: "porto", Agents: 20}}, planned, eighty)
	var spare *sim.SpareError
	require.ErrorAs(t, err, &spare)
	require.Equal(t, sim.SpareError{Site: "berlin", Left: 25, Needed: need.Agents, Erlangs: 30, Missed: sim.BoundLevel}, *spare)
	require.EqualError(t, err, fmt.Sprintf(`sim: no spare site: without site "berlin" 25 agents are left for 30.0 erlangs, %d are needed: level is missed`, need.Agents))
	// With shrinkage the sites are people on the payroll.
	shrunk := eighty
	shrunk.Shrinkage = .3
	n, err := sim.PlanSites(3, planned, shrunk)
	require.NoError(t, err)
	require.NoError(t, sim.CheckSites(equalSites(3, n), planned, shrunk))
	require.ErrorAs(t, sim.CheckSites(equalSites(3, n-1), planned, shrunk), &spare)
	require.Equal(t, sim.BoundLevel, spare.Missed)

	for _, bad := range [][]sim.Site{nil, {{Name: "a", Agents: 1000}}, {{Name: "a", Agents: 100}, {Name: "a", Agents: 100}}, {{Name: "a", Agents: -1}, {Name: "b", Agents: 100}}, {{Agents: 99}, {Name: "b", Agents: 99}}} {
		require.ErrorIs(t, sim.CheckSites(bad, planned, eighty), sim.ErrInvalid, "%v", bad)
	}
	require.ErrorIs(t, sim.CheckSites(equalSites(3, 99), planned, sim.Goal{}), sim.ErrInvalid)
	_, err = sim.PlanSites(1, planned, eighty)
	require.ErrorIs(t, err, sim.ErrInvalid)
}

// A plan passes if and only if what is left without any of its sites, one after the other, reaches the goal.
func TestCheckSitesTriesEverySite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traffic := sim.Traffic{PerHour: rapid.Float64Range(1, 2000).Draw(t, "rate"), Handle: 3 * time.Minute}
		agents := rapid.SliceOfN(rapid.IntRange(0, 80), 2, 5).Draw(t, "agents")
		total, spare := 0, true
		var sites []sim.Site
		for i, n := range agents {
			total += n
			sites = append(sites, sim.Site{Name: fmt.Sprint(i), Agents: n})
		}
		for _, n := range agents {
			s, err := traffic.With(total - n)
			if err != nil {
				t.Fatal(err)
			}
			spare = spare && s.Within(20*time.Second) >= .8
		}
		if err := sim.CheckSites(sites, traffic, eighty); (err == nil) != spare || err != nil && !errors.Is(err, sim.ErrNoSpare) {
			t.Fatalf("%v without one has spare: %v; the check says %v", agents, spare, err)
		}
	})
}

// sited is k sites of n agents that serve one queue.
func sited(k, n int) (sim.Config, [][]string) {
	cfg := plain(k*n, planned)
	sites := make([][]string, k)
	for i, a := range cfg.Rules.Agents {
		sites[i%k] = append(sites[i%k], a.ID)
	}
	return cfg, sites
}

// durable is a Store that also keeps states, and counts how often.
type durable struct {
	acd.MemStore
	mu    sync.Mutex
	saved int
	seq   uint64
	state []byte
	read  int
}

func (d *durable) SaveState(_ context.Context, seq uint64, state []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.saved, d.seq, d.state = d.saved+1, seq, slices.Clone(state)
	return nil
}

func (d *durable) LoadState(context.Context) ([]byte, error) { return d.state, nil }

func (d *durable) Load(ctx context.Context, after uint64) iter.Seq2[acd.Event, error] {
	return func(yield func(acd.Event, error) bool) {
		for ev, err := range d.MemStore.Load(ctx, after) {
			d.read++
			if !yield(ev, err) {
				return
			}
		}
	}
}

// Any one of the sites dies with the core, its agents and its conversations: nobody who was in a line or in a conversation is lost, nobody's
// place is, and after some minutes the service level is what was planned. A plan without the spare site was refused, and rightly.
func TestSiteDiesInMidRun(t *testing.T) {
	const k = 3
	n, err := sim.PlanSites(k, planned, eighty)
	require.NoError(t, err)
	reps, hours := 20, 10*time.Hour
	if race || testing.Short() {
		reps, hours = 8, 4*time.Hour
	}
	after := func(n, site int) sim.Result {
		cfg, sites := sited(k, n)
		cfg.Loss = &sim.Loss{At: 2 * time.Hour, Gap: 10 * time.Second, Agents: sites[site]}
		cfg.Warmup, cfg.Length = cfg.Loss.At+15*time.Minute, hours // what counts is the time after the recovery
		cfg.Seed = uint64(site)
		res, err := sim.Replicate(t.Context(), cfg, reps)
		require.NoError(t, err)
		require.Zero(t, res.Loss.Lost)
		require.True(t, res.Loss.InOrder)
		require.Equal(t, res.Loss.Waiting, res.Loss.Kept)
		require.Positive(t, res.Loss.Resumed, "nobody was talking to the site that died")
		t.Logf("%d agents at each site, %d lost: level %v, %+v", n, site, res.All.Level, *res.Loss)
		return res
	}
	for site := range k {
		level := after(n, site).All.Level
		left, err := planned.With((k - 1) * n)
		require.NoError(t, err)
		require.GreaterOrEqual(t, left.Within(20*time.Second), .8)
		require.True(t, level.Contains(left.Within(20*time.Second)), "as without the site from the beginning")
	}
	need, err := sim.Staff(planned, eighty)
	require.NoError(t, err)
	without := (need.Agents + k - 1) / k // enough as long as every site lives
	require.ErrorIs(t, sim.CheckSites(equalSites(k, without), planned, eighty), sim.ErrNoSpare)
	require.Less(t, after(without, 0).All.Level.High(), .8)
}

// What an observer sees of the loss, independently of the report: the works that waited are served in their old order, the cut conversations
// are continued before them, in the order in which those customers came, and everybody who was there before is answered or hangs up afterwards.
func TestQueuePositionsSurviveTheSite(t *testing.T) {
	cfg, sites := sited(3, 10) // too few, so that there is a line
	store := &durable{}
	cfg.Loss = &sim.Loss{At: 3 * time.Hour, Gap: 20 * time.Second, Agents: sites[1], Store: store}
	cfg.Length = 5 * time.Hour
	var (
		line    []string // waiting, in the order in which they came
		talking = map[string]string{}
		before  []string
		cut     []string
		came    = map[string]time.Time{}
		offers  []string
		ended   = map[string]acd.Outcome{}
		took    bool
		at      time.Time
	)
	cfg.Observe = func(e acd.Entry) {
		ev := e.Event
		if ev.Kind == acd.KindStarted && ev.Resume {
			took, at, before = true, ev.At, slices.Clone(line)
			require.NotEmpty(t, before)
			for w, a := range talking {
				if slices.Contains(sites[1], a) {
					cut = append(cut, w)
				}
			}
			slices.SortFunc(cut, func(a, b string) int { return came[a].Compare(came[b]) })
		}
		if ev.Kind == acd.KindArrived {
			came[ev.Work] = ev.At
		}
		if ev.Kind == acd.KindEnqueued {
			line = append(line, ev.Work)
		}
		for _, d := range e.Decisions {
			switch d.Kind {
			case acd.DecideOffer:
				if took && ev.Kind != acd.KindStarted { // offers of the takeover itself are those that it had withdrawn
					offers = append(offers, d.Work)
					require.NotContains(t, sites[1], d.Agent, "offered to an agent of the dead site")
				}
			case acd.DecideAnswered:
				line = slices.DeleteFunc(line, func(w string) bool { return w == d.Work })
				talking[d.Work] = d.Agent
			case acd.DecideEnded:
				line = slices.DeleteFunc(line, func(w string) bool { return w == d.Work })
				delete(talking, d.Work)
				ended[d.Work] = d.Record.Outcome
			}
		}
	}
	res, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, cfg.Loss.Gap, at.Sub(time.Date(2024, 1, 1, 3, 0, 0, 0, time.UTC)), "the other site took over when it should")
	require.Equal(t, len(before), res.Loss.Waiting)
	require.Equal(t, len(cut), res.Loss.Resumed)
	require.NotEmpty(t, cut)

	var firstServed, cutServed []string
	for _, w := range offers {
		if slices.Contains(before, w) && !slices.Contains(firstServed, w) {
			firstServed = append(firstServed, w)
		}
		if was, ok := strings.CutSuffix(w, "+"); ok && !slices.Contains(cutServed, was) {
			cutServed = append(cutServed, was)
		}
	}
	inOrder := func(served, before []string) {
		t.Helper()
		kept := slices.DeleteFunc(slices.Clone(before), func(w string) bool { return !slices.Contains(served, w) })
		require.Equal(t, kept, served)
	}
	require.NotEmpty(t, firstServed)
	require.NotEmpty(t, cutServed)
	last := slices.Index(offers, cutServed[len(cutServed)-1]+"+")
	require.Less(t, last, slices.Index(offers, firstServed[0]), "who was cut came before all who were in line, and is served before them")
	inOrder(firstServed, before)
	inOrder(cutServed, cut)
	for _, w := range before {
		require.NotEmpty(t, ended[w], "%s was in line and is gone", w)
		require.NotEqual(t, acd.Overflowed, ended[w])
	}
	for _, w := range cut {
		require.NotEmpty(t, ended[w+"+"], "%s was cut and not continued", w)
	}
	require.Positive(t, store.saved)
	require.Equal(t, res.Loss.Replayed, store.read)
	require.Less(t, store.read, 5000, "the new core read the whole log")
}

// forgetful loses the last event before the site dies.
type forgetful struct{ acd.MemStore }

func (f *forgetful) Load(ctx context.Context, after uint64) iter.Seq2[acd.Event, error] {
	return func(yield func(acd.Event, error) bool) {
		var last *acd.Event
		for ev, err := range f.MemStore.Load(ctx, after) {
			if last != nil && !yield(*last, err) {
				return
			}
			last = &ev
		}
	}
}

func TestLostLogIsNoticed(t *testing.T) {
	cfg, sites := sited(3, 15)
	cfg.Length = 2 * time.Hour
	cfg.Loss = &sim.Loss{At: time.Hour, Agents: sites[0], Store: &forgetful{}}
	_, err := sim.Run(t.Context(), cfg)
	require.ErrorIs(t, err, sim.ErrBroken)
	cfg.Loss.Store = &acd.MemStore{}
	_, err = sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	_, err = sim.Run(t.Context(), cfg)
	require.ErrorIs(t, err, acd.ErrConflict, "a store with another log in it")
	_, err = sim.Replicate(t.Context(), cfg, 2)
	require.ErrorIs(t, err, sim.ErrInvalid)
}
