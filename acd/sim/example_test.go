package sim_test

import (
	"context"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
)

// How many agents answer 80 % of 200 calls an hour within 20 seconds, if a call takes three minutes and a third of the paid time is lost?
func ExampleStaff() {
	need, err := sim.Staff(
		sim.Traffic{PerHour: 200, Handle: 3 * time.Minute},
		sim.Goal{Level: 0.8, Within: 20 * time.Second, Shrinkage: 1. / 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d agents, %d on the payroll\n", need.Agents, need.Scheduled)
	fmt.Printf("%.1f %% within 20 s, %.1f s on average, %.0f %% busy\n", 100*need.Steady.Within(20*time.Second), need.Steady.ASA, 100*need.Steady.Occupancy)
	// Output:
	// 14 agents, 21 on the payroll
	// 88.8 % within 20 s, 7.8 s on average, 71 % busy
}

// Two languages, two agents who speak both and four who speak one: something no formula knows. A year of it takes a second.
func ExampleReplicate() {
	rules := acd.Rules{Queues: []acd.Queue{{Name: "help"}}}
	for i, speaks := range []string{"en", "en", "en", "da", "both", "both"} {
		a := acd.Agent{ID: fmt.Sprint("agent", i)}
		if speaks != "da" {
			a.Skills = append(a.Skills, acd.Skill{Name: "en"})
		}
		if speaks != "en" {
			a.Skills = append(a.Skills, acd.Skill{Name: "da"})
		}
		rules.Agents = append(rules.Agents, a)
		rules.Queues[0].Members = append(rules.Queues[0].Members, a.ID)
	}
	cfg := sim.Config{Rules: rules, Warmup: 2 * time.Hour, Length: 100 * time.Hour, Answer: sim.Fixed(4 * time.Second)}
	for i, lang := range []string{"en", "da"} {
		cfg.Flows = append(cfg.Flows, sim.Flow{
			Name: lang, Queue: "help", Terms: &acd.Terms{Needs: []acd.Skill{{Name: lang}}},
			Arrivals: sim.Poisson{PerHour: float64(30 - 10*i)},
			Service:  sim.LogNormal{Mean: 4 * time.Minute, SD: 3 * time.Minute},
			Patience: sim.Exponential{Mean: 3 * time.Minute},
		})
	}
	result, err := sim.Replicate(context.Background(), cfg, 20)
	if err != nil {
		fmt.Println(err)
		return
	}
	level := result.All.Level
	fmt.Printf("service level between 80 and 95 %%: %v\n", level.Low() > 0.80 && level.High() < 0.95)
	// Output: service level between 80 and 95 %: true
}

// Thirty agents at each of three sites: is one site too many?
func ExampleCheckSites() {
	traffic := sim.Traffic{PerHour: 1200, Handle: 3 * time.Minute}
	goal := sim.Goal{Level: 0.8, Within: 20 * time.Second}
	fmt.Println(sim.CheckSites([]sim.Site{{Name: "berlin", Agents: 30}, {Name: "aarhus", Agents: 30}, {Name: "porto", Agents: 30}}, traffic, goal))
	agents, err := sim.PlanSites(3, traffic, goal)
	fmt.Println(agents, err)
	// Output:
	// sim: no spare site: without site "berlin" 60 agents are left for 60.0 erlangs, 66 are needed: level is missed
	// 33 <nil>
}
