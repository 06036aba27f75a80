package sim_test

import (
	"math"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/sim"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestStaff(t *testing.T) {
	// 200 calls of three minutes an hour on 14 agents reach 88.8 % in 20 s; on 13 they do not reach 80.
	calls := sim.Traffic{PerHour: 200, Handle: 3 * time.Minute}
	leaving := calls
	leaving.Patience = 2 * time.Minute
	for name, c := range map[string]struct {
		traffic sim.Traffic
		goal    sim.Goal
		agents  int
		paid    int
		bound   sim.Bound
	}{
		"level":            {calls, sim.Goal{Level: .8, Within: 20 * time.Second}, 14, 14, sim.BoundLevel},
		"shrinkage":        {calls, sim.Goal{Level: .8, Within: 20 * time.Second, Shrinkage: .3}, 14, 20, sim.BoundLevel},
		"exact shrinkage":  {calls, sim.Goal{Level: .8, Within: 20 * time.Second, Shrinkage: .5}, 14, 28, sim.BoundLevel},
		"asa":              {calls, sim.Goal{ASA: 3 * time.Second}, 16, 16, sim.BoundASA},
		"occupancy":        {calls, sim.Goal{Level: .8, Within: 20 * time.Second, Occupancy: .6}, 17, 17, sim.BoundOccupancy},
		"no longer stable": {calls, sim.Goal{Occupancy: 1}, 11, 11, sim.BoundLoad},
		"few may leave":    {leaving, sim.Goal{Level: .5, Within: time.Minute, Abandoned: .02}, 15, 15, sim.BoundAbandoned},
		"nobody comes":     {sim.Traffic{Handle: time.Minute}, sim.Goal{Level: .8}, 0, 0, sim.BoundNothing},
	} {
		need, err := sim.Staff(c.traffic, c.goal)
		require.NoError(t, err, name)
		require.Equal(t, []any{c.agents, c.paid, c.bound}, []any{need.Agents, need.Scheduled, need.Bound}, name)
		require.Equal(t, c.agents, need.Steady.Agents, name)
	}
	day := []sim.Traffic{{Handle: time.Minute}, {PerHour: 100, Handle: 3 * time.Minute}, calls}
	needs, err := sim.StaffDay(day, sim.Goal{Level: .8, Within: 20 * time.Second})
	require.NoError(t, err)
	require.Equal(t, []int{0, 8, 14}, []int{needs[0].Agents, needs[1].Agents, needs[2].Agents})
	day[1].Handle = 0
	_, err = sim.StaffDay(day, sim.Goal{Level: .8})
	require.ErrorIs(t, err, sim.ErrInvalid)
	require.ErrorContains(t, err, "interval 1")
}

func TestGoalsThatCannotBe(t *testing.T) {
	calls := sim.Traffic{PerHour: 200, Handle: 3 * time.Minute}
	for name, g := range map[string]sim.Goal{
		"none": {}, "everybody": {Level: 1}, "more than everybody": {Level: 2}, "negative": {Level: -1}, "not a number": {Level: math.NaN()},
		"within less than nothing": {Level: .8, Within: -1}, "asa": {ASA: -1}, "hang-ups where nobody hangs up": {Abandoned: .1},
		"more than busy": {Occupancy: 1.1}, "all away": {Level: .8, Shrinkage: 1}, "occupancy not a number": {Occupancy: math.NaN()},
	} {
		_, err := sim.Staff(calls, g)
		require.ErrorIs(t, err, sim.ErrInvalid, name)
	}
	for name, g := range map[string]sim.Goal{"idle": {Occupancy: 1e-9}, "almost all away": {Level: .8, Shrinkage: 1 - 1e-12}} {
		_, err := sim.Staff(calls, g)
		require.ErrorIs(t, err, sim.ErrImpossible, name)
	}
	_, err := sim.Staff(sim.Traffic{PerHour: 199_999, Handle: time.Hour}, sim.Goal{Level: .9999999})
	require.ErrorIs(t, err, sim.ErrImpossible)
	_, err = sim.Staff(sim.Traffic{PerHour: 1}, sim.Goal{Level: .8})
	require.ErrorIs(t, err, sim.ErrInvalid)
}

// The answer reaches the goal, one agent fewer does not, and the bound is what that one misses.
func TestStaffIsTheSmallest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		traffic := sim.Traffic{PerHour: rapid.Float64Range(.1, 5000).Draw(t, "rate"), Handle: time.Duration(rapid.Int64Range(10e9, 900e9).Draw(t, "handle"))}
		g := sim.Goal{Level: rapid.Float64Range(.01, .99).Draw(t, "level"), Within: time.Duration(rapid.Int64Range(0, 60e9).Draw(t, "within"))}
		if rapid.Bool().Draw(t, "leave") {
			traffic.Patience = time.Duration(rapid.Int64Range(10e9, 900e9).Draw(t, "patience"))
			g.Abandoned = rapid.Float64Range(.001, .5).Draw(t, "abandoned")
		}
		if rapid.Bool().Draw(t, "asa") {
			g.ASA = time.Duration(rapid.Int64Range(1e8, 60e9).Draw(t, "asa"))
		}
		if rapid.Bool().Draw(t, "cap") {
			g.Occupancy = rapid.Float64Range(.3, 1).Draw(t, "occupancy")
		}
		missed := func(n int) map[sim.Bound]bool {
			s, err := traffic.With(n)
			if err != nil {
				t.Fatal(err)
			}
			return map[sim.Bound]bool{
				sim.BoundLevel: s.Within(g.Within) < g.Level, sim.BoundASA: g.ASA > 0 && !(s.ASA <= g.ASA.Seconds()),
				sim.BoundAbandoned: g.Abandoned > 0 && s.Abandoned > g.Abandoned, sim.BoundOccupancy: g.Occupancy > 0 && (n == 0 || s.Occupancy > g.Occupancy),
			}
		}
		need, err := sim.Staff(traffic, g)
		if err != nil {
			t.Fatal(err)
		}
		for b, m := range missed(need.Agents) {
			if m {
				t.Fatalf("%+v misses %s", need, b)
			}
		}
		if !missed(need.Agents - 1)[need.Bound] {
			t.Fatalf("with one agent fewer than %+v the bound holds", need)
		}
	})
}
