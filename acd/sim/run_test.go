package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func events(log []acd.Event) func(func(acd.Event, error) bool) {
	return func(yield func(acd.Event, error) bool) {
		for _, ev := range log {
			if !yield(ev, nil) {
				return
			}
		}
	}
}

// The same seed gives the same run, to the last decision, and another seed another; the log replays in another core to the same decisions.
func TestSameSeedSameRun(t *testing.T) {
	cfg := bigCenter(24 * time.Hour)
	if race {
		cfg.Length = 9 * time.Hour
	}
	run := func(seed uint64) (string, sim.Result, []acd.Event, []string) {
		h := fnv.New64a()
		var log []acd.Event
		var decisions []string
		cfg.Seed = seed
		cfg.Observe = func(e acd.Entry) {
			b, err := json.Marshal(e.Decisions)
			require.NoError(t, err)
			h.Write(b)
			log, decisions = append(log, e.Event), append(decisions, string(b))
		}
		res, err := sim.Run(t.Context(), cfg)
		require.NoError(t, err)
		return fmt.Sprint(h.Sum64()), res, log, decisions
	}
	hash, res, log, decisions := run(7)
	again, res2, _, _ := run(7)
	other, _, _, _ := run(8)
	require.Equal(t, hash, again)
	require.Equal(t, fmt.Sprint(res), fmt.Sprint(res2))
	require.NotEqual(t, hash, other)
	require.EqualValues(t, len(log), res.Events)
	i := 0
	for e, err := range acd.Replay(events(log)) {
		require.NoError(t, err)
		b, err := json.Marshal(e.Decisions)
		require.NoError(t, err)
		require.Equal(t, decisions[i], string(b))
		i++
	}
	require.Equal(t, len(log), i)
}

// What the rules do changes neither who comes nor how long they would wait or talk: scenarios differ by what was changed and not by luck.
func TestScenariosShareTheirCustomers(t *testing.T) {
	comes := func(agents int) (out []string) {
		cfg := plain(agents, sim.Traffic{PerHour: 100, Handle: 3 * time.Minute, Patience: time.Minute})
		cfg.Length = 5 * time.Hour
		cfg.Observe = func(e acd.Entry) {
			if e.Event.Kind == acd.KindArrived {
				out = append(out, e.Event.Work+e.Event.At.String())
			}
		}
		_, err := sim.Run(t.Context(), cfg)
		require.NoError(t, err)
		return out
	}
	require.Equal(t, comes(3), comes(9))
}

// The figures are those that package report counts from the log.
func TestFiguresAreThoseOfTheReport(t *testing.T) {
	cfg := bigCenter(24 * time.Hour)
	cfg.Rules.Queues[0].Overflow = []acd.Overflow{{MinWaiting: 3, To: "service-de"}, {MinWait: time.Minute, To: "vip"}}
	cfg.Shifts[2].Agents = cfg.Shifts[2].Agents[:20] // the others stay for ever
	tally := report.New()
	var last time.Time
	cfg.Observe = func(e acd.Entry) { tally.Observe(e); last = e.Event.At }
	res, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	r := tally.Report(last)
	open := 0
	for _, q := range res.Queues {
		w := r.Queues[q.Name]
		require.Equal(t, []int{w.Entered, w.Answered, w.Abandoned, w.ShortAbandoned, w.Overflowed, w.InTarget},
			[]int{q.Entered, q.Answered, q.Abandoned, q.ShortAbandoned, q.Overflowed, q.InTarget}, q.Name)
		level, _ := w.ServiceLevel()
		require.InDelta(t, level, q.Level.Value, 1e-12)
		asa, _ := w.ASA()
		require.InDelta(t, asa.Seconds(), q.ASA.Value, 1e-6)
		open += w.Waiting
	}
	require.Positive(t, res.Queues[0].Overflowed)
	require.Equal(t, r.All.Entered, res.All.Entered)
	require.Equal(t, res.All.Entered, res.All.Answered+res.All.Abandoned+res.All.Overflowed+open)
}

// Skills, channels and capacity are the core's: a chat agent does three at once, and nobody gets what they cannot do.
func TestSkillsAndChannels(t *testing.T) {
	cfg := sim.Config{
		Rules: acd.Rules{
			Channels: []acd.Channel{{Name: "voice"}, {Name: "chat", Slots: 1}},
			Agents:   []acd.Agent{{ID: "ann", Slots: 3, Skills: []acd.Skill{{Name: "da"}}}, {ID: "bob", Slots: 3}},
			Queues: []acd.Queue{{Name: "calls", Members: []string{"ann", "bob"}, WrapUp: 5 * time.Second},
				{Name: "chats", Channel: "chat", Members: []string{"ann", "bob"}, WrapUp: -1}},
		},
		Flows: []sim.Flow{
			{Name: "danish", Queue: "calls", Arrivals: sim.Poisson{PerHour: 6}, Service: sim.ErlangK{K: 2, Mean: 3 * time.Minute}, Patience: sim.Fixed(5 * time.Minute),
				Terms: &acd.Terms{Needs: []acd.Skill{{Name: "da"}}}},
			{Name: "any", Queue: "calls", Arrivals: sim.Poisson{PerHour: 6}, Service: sim.Empirical{time.Minute, 2 * time.Minute}},
			{Name: "chat", Queue: "chats", Arrivals: sim.Poisson{PerHour: 20}, Service: sim.LogNormal{Mean: 6 * time.Minute, SD: 2 * time.Minute}, Priority: 1},
		},
		Answer: sim.Exponential{Mean: 3 * time.Second},
		Length: 200 * time.Hour,
	}
	chats, most := map[string]int{}, 0
	answered := map[string]int{}
	cfg.Observe = func(e acd.Entry) {
		for _, d := range e.Decisions {
			switch d.Kind {
			case acd.DecideAnswered:
				answered[d.Agent+" "+d.Work[:2]]++
				if d.Queue == "chats" {
					chats[d.Agent]++
					most = max(most, chats[d.Agent])
				}
			case acd.DecideEnded:
				if d.Queue == "chats" && d.Record.Outcome == acd.Answered {
					chats[d.Record.Agent]--
				}
			}
		}
	}
	res, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, 3, most)
	require.Zero(t, answered["bob da"])
	require.Positive(t, answered["ann da"])
	require.Positive(t, answered["bob an"])
	require.Greater(t, res.Queues[1].Answered, 3000)
	require.Positive(t, res.Queues[0].Abandoned)
}

// Agents are there in their shifts and not in their breaks; who let it ring out comes back after Return.
func TestShiftsBreaksAndRingingOut(t *testing.T) {
	monday := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := sim.Config{
		Rules: acd.Rules{Agents: []acd.Agent{{ID: "ann"}}, Queues: []acd.Queue{{Name: "q", Members: []string{"ann"}, NoAgents: acd.NoAgentsWait, MaxWait: 40 * time.Hour}}},
		Flows: []sim.Flow{{Name: "w", Queue: "q", Arrivals: sim.Instants{monday.Add(8 * time.Hour), monday.Add(12*time.Hour + 1), monday.Add(20 * time.Hour)}, Service: sim.Fixed(time.Minute)}},
		Shifts: []sim.Shift{{Agents: []string{"ann"}, Hours: []acd.Hours{{Days: []time.Weekday{time.Monday, time.Tuesday}, From: 9 * time.Hour, Until: 17 * time.Hour, Offset: time.Hour}},
			Breaks: []acd.Hours{{From: 12 * time.Hour, Until: 13 * time.Hour}}}},
		Answer: &rings{25 * time.Second, 5 * time.Second}, Return: time.Minute, Length: 48 * time.Hour,
	}
	var got []string
	cfg.Observe = func(e acd.Entry) {
		for _, d := range e.Decisions {
			if d.Kind == acd.DecideAnswered || d.Kind == acd.DecideState && (d.State == acd.LoggedOut || d.State == acd.NotReady || d.State == acd.Ready) {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %v %s %v", d.At.Format("Mon 15:04:05"), d.Kind, d.Work, strings.Replace(d.State.String(), "invalid", "", 1))))
			}
		}
	}
	_, err := sim.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, []string{
		"Mon 00:00:00 state  logged-out",
		"Mon 08:00:00 state  not-ready", "Mon 08:00:00 state  ready",
		"Mon 08:00:20 state  not-ready", // 25 s are more than the 20 it rings
		"Mon 08:01:20 state  ready", "Mon 08:01:25 answered w-1", "Mon 08:02:35 state  ready",
		"Mon 12:00:00 state  not-ready", "Mon 13:00:00 state  ready", // the break is in UTC, one hour after local noon
		"Mon 13:00:05 answered w-2", "Mon 13:01:15 state  ready",
		"Mon 16:00:00 state  logged-out",
		"Tue 08:00:00 state  not-ready", "Tue 08:00:00 state  ready", "Tue 08:00:05 answered w-3", "Tue 08:01:15 state  ready",
		"Tue 12:00:00 state  not-ready", "Tue 13:00:00 state  ready", "Tue 16:00:00 state  logged-out",
	}, got)
}

// rings draws the first time once and the second ever after.
type rings [2]time.Duration

func (r *rings) Draw(*rand.Rand) time.Duration {
	d := r[0]
	r[0] = r[1]
	return d
}

// Whatever the rules, the core keeps its promises and the run ends.
func TestAnyCenterKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		agents := rapid.IntRange(1, 6).Draw(t, "agents")
		var r acd.Rules
		var ids []string
		skills := []string{"a", "b"}
		for i := range agents {
			a := acd.Agent{ID: fmt.Sprint("p", i), Slots: rapid.IntRange(0, 3).Draw(t, "slots")}
			for _, s := range skills {
				if rapid.Bool().Draw(t, "has") {
					a.Skills = append(a.Skills, acd.Skill{Name: s, Level: rapid.IntRange(1, 3).Draw(t, "level")})
				}
			}
			r.Agents, ids = append(r.Agents, a), append(ids, a.ID)
		}
		if rapid.Bool().Draw(t, "chats") {
			r.Channels = []acd.Channel{{Name: "voice"}, {Name: "chat", Slots: 1}}
		}
		strategies := slices.DeleteFunc(acd.Strategies(), func(s acd.Strategy) bool { return s == acd.Manual })
		seconds := func(least, most int, what string) time.Duration {
			return time.Duration(rapid.IntRange(least, most).Draw(t, what)) * time.Second
		}
		cfg := sim.Config{Length: 2 * time.Hour, Batches: 3, Seed: rapid.Uint64().Draw(t, "seed"), Return: seconds(1, 60, "return")}
		for i := range rapid.IntRange(1, 3).Draw(t, "queues") {
			q := acd.Queue{Name: fmt.Sprint("q", i), Strategy: rapid.SampledFrom(strategies).Draw(t, "strategy"), WrapUp: seconds(-1, 20, "wrap-up"),
				MaxWait: seconds(30, 600, "max wait"), MaxWaiting: rapid.IntRange(1, 20).Draw(t, "max waiting"),
				Members:  rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, agents, rapid.ID).Draw(t, "members"),
				NoAgents: rapid.SampledFrom([]acd.NoAgents{acd.NoAgentsWait, acd.NoAgentsOverflow, acd.NoAgentsUnready}).Draw(t, "no agents")}
			if len(r.Channels) > 0 && rapid.Bool().Draw(t, "is chat") {
				q.Channel = "chat"
			}
			if i > 0 && rapid.Bool().Draw(t, "overflows") {
				q.Overflow = []acd.Overflow{{MinWait: seconds(5, 60, "after"), To: "q0"}}
			}
			if rapid.Bool().Draw(t, "needs") {
				q.Needs = []acd.Skill{{Name: "a"}}
				q.Rings = []acd.Ring{{After: 30 * time.Second, Lower: []acd.Skill{{Name: "a"}}}}
			}
			r.Queues = append(r.Queues, q)
			f := sim.Flow{Name: fmt.Sprint("f", i), Queue: q.Name, Arrivals: sim.Poisson{PerHour: float64(rapid.IntRange(0, 200).Draw(t, "rate"))},
				Service: sim.LogNormal{Mean: seconds(1, 300, "service"), SD: seconds(0, 300, "sd")}, Priority: rapid.IntRange(0, 2).Draw(t, "priority")}
			if rapid.Bool().Draw(t, "impatient") {
				f.Patience = sim.Exponential{Mean: seconds(1, 200, "patience")}
			}
			if rapid.Bool().Draw(t, "terms") {
				f.Terms = &acd.Terms{Needs: []acd.Skill{{Name: "b", Level: 2}}}
			}
			cfg.Flows = append(cfg.Flows, f)
		}
		if rapid.Bool().Draw(t, "rings") {
			cfg.Answer = sim.Exponential{Mean: seconds(1, 30, "answer")}
		}
		if agents > 2 && rapid.Bool().Draw(t, "shift") {
			cfg.Shifts = []sim.Shift{{Agents: ids[:agents/2], Hours: []acd.Hours{{From: 20 * time.Minute, Until: 80 * time.Minute}}, Breaks: []acd.Hours{{From: 40 * time.Minute, Until: 50 * time.Minute}}}}
		}
		if rapid.Bool().Draw(t, "loss") {
			cfg.Loss = &sim.Loss{At: seconds(0, 6000, "lost at"), Gap: seconds(0, 60, "gap"), Agents: ids[:rapid.IntRange(0, agents).Draw(t, "lost")]}
		}
		cfg.Rules = r
		res, err := sim.Run(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		q := res.All
		if left := q.Entered - q.Answered - q.Abandoned - q.Overflowed; left < 0 || q.InTarget > q.Answered || q.ShortAbandoned > q.Abandoned {
			t.Fatalf("impossible figures %+v", q)
		}
		if res.Loss != nil && (res.Loss.Resumed > res.Loss.Talking || !res.Loss.InOrder) {
			t.Fatalf("%+v", res.Loss)
		}
	})
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	good := func() sim.Config {
		cfg := plain(2, sim.Traffic{PerHour: 10, Handle: time.Minute})
		cfg.Length = time.Hour
		return cfg
	}
	_, err := sim.Run(t.Context(), good())
	require.NoError(t, err)
	for name, spoil := range map[string]func(c *sim.Config){
		"no length":         func(c *sim.Config) { c.Length = 0 },
		"too long":          func(c *sim.Config) { c.Length = 1 << 62 },
		"negative warm-up":  func(c *sim.Config) { c.Warmup = -1 },
		"no rules":          func(c *sim.Config) { c.Rules = acd.Rules{} },
		"bad rules":         func(c *sim.Config) { c.Rules.Queues[0].Strategy = "best" },
		"manual":            func(c *sim.Config) { c.Rules.Queues[0].Strategy = acd.Manual },
		"no flow":           func(c *sim.Config) { c.Flows = nil },
		"same name":         func(c *sim.Config) { c.Flows = append(c.Flows, c.Flows[0]) },
		"no queue":          func(c *sim.Config) { c.Flows[0].Queue = "other" },
		"no service":        func(c *sim.Config) { c.Flows[0].Service = nil },
		"no arrivals":       func(c *sim.Config) { c.Flows[0].Arrivals = nil },
		"bad terms":         func(c *sim.Config) { c.Flows[0].Terms = &acd.Terms{PreferWait: -1} },
		"negative rate":     func(c *sim.Config) { c.Flows[0].Arrivals = sim.Poisson{PerHour: -1} },
		"empty profile":     func(c *sim.Config) { c.Flows[0].Arrivals = sim.Profile{} },
		"profile offset":    func(c *sim.Config) { c.Flows[0].Arrivals = sim.Profile{PerHour: []float64{1}, Offset: 20 * time.Hour} },
		"instants backward": func(c *sim.Config) { c.Flows[0].Arrivals = sim.Instants{time.Unix(10, 0), time.Unix(9, 0)} },
		"mean 0":            func(c *sim.Config) { c.Flows[0].Service = sim.Exponential{} },
		"no phases":         func(c *sim.Config) { c.Flows[0].Service = sim.ErlangK{Mean: 1} },
		"no measurement":    func(c *sim.Config) { c.Flows[0].Patience = sim.Empirical{} },
		"negative sd":       func(c *sim.Config) { c.Flows[0].Service = sim.LogNormal{Mean: 1, SD: -1} },
		"negative answer":   func(c *sim.Config) { c.Answer = sim.Fixed(-1) },
		"unknown in shift":  func(c *sim.Config) { c.Shifts = []sim.Shift{{Agents: []string{"nobody"}}} },
		"two shifts": func(c *sim.Config) {
			c.Shifts = []sim.Shift{{Agents: []string{"agent0"}}, {Agents: []string{"agent0"}}}
		},
		"hours backward": func(c *sim.Config) { c.Shifts = []sim.Shift{{Hours: []acd.Hours{{From: 3, Until: 2}}}} },
		"lost nobody":    func(c *sim.Config) { c.Loss = &sim.Loss{Agents: []string{"nobody"}} },
		"lost too late":  func(c *sim.Config) { c.Loss = &sim.Loss{At: 3 * time.Hour} },
		"confidence":     func(c *sim.Config) { c.Confidence = 1 },
		"batches":        func(c *sim.Config) { c.Batches = -1 },
		"long ago":       func(c *sim.Config) { c.Start = time.Unix(5, 0) },
	} {
		cfg := good()
		spoil(&cfg)
		_, err := sim.Run(t.Context(), cfg)
		require.ErrorIs(t, err, sim.ErrInvalid, name)
	}
	_, err = sim.Replicate(t.Context(), good(), 1)
	require.ErrorIs(t, err, sim.ErrInvalid)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	cfg := good()
	cfg.Length = 20_000 * time.Hour
	_, err = sim.Run(ctx, cfg)
	require.True(t, errors.Is(err, context.Canceled), err)
}
