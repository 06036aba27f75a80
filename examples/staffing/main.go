// Command staffing says how many agents a queue needs, compares the formulas with a simulation of the real router, and draws both.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "staffing:", err)
		os.Exit(1)
	}
}

// plan is what was asked for.
type plan struct {
	traffic sim.Traffic
	goal    sim.Goal
	profile string // calls per hour of each interval
	only    bool   // how many agents, and nothing else
	runs    int
	works   int
	seed    uint64
	file    string
}

func run(ctx context.Context, args []string, out io.Writer) error {
	p, err := parse(args, out)
	if err != nil {
		return err
	}
	if p.profile != "" {
		return day(p, out)
	}
	need, err := sim.Staff(p.traffic, p.goal)
	if err != nil {
		return err
	}
	answer(p, need, out)
	if p.only || need.Agents == 0 {
		return nil
	}
	rows, err := compare(ctx, p, need.Agents)
	if err != nil {
		return err
	}
	table(p, rows, out)
	if p.file == "" {
		return nil
	}
	if err := os.WriteFile(p.file, picture(p, need, rows), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe picture is in %s.\n", p.file)
	return nil
}

func parse(args []string, out io.Writer) (plan, error) {
	var p plan
	f := flag.NewFlagSet("staffing", flag.ContinueOnError)
	f.SetOutput(out)
	f.Float64Var(&p.traffic.PerHour, "calls", 200, "calls per hour")
	f.DurationVar(&p.traffic.Handle, "handle", 3*time.Minute, "mean time an agent is busy with a call, wrap-up included")
	f.DurationVar(&p.traffic.Patience, "patience", 2*time.Minute, "mean time until a waiting caller hangs up; 0: nobody does")
	f.Float64Var(&p.goal.Level, "level", 0.8, "goal: share of calls answered within -within")
	f.DurationVar(&p.goal.Within, "within", 20*time.Second, "the time that -level speaks of")
	f.DurationVar(&p.goal.ASA, "asa", 0, "goal: average speed of answer; 0: none")
	f.Float64Var(&p.goal.Abandoned, "abandoned", 0, "goal: largest share of callers who hang up; 0: none")
	f.Float64Var(&p.goal.Occupancy, "occupancy", 0, "goal: largest share of time that agents are busy; 0: none")
	f.Float64Var(&p.goal.Shrinkage, "shrinkage", 0.3, "share of paid time that people are not at their place")
	f.StringVar(&p.profile, "profile", "", "calls per hour of each interval of a day, with commas: says what each needs")
	f.BoolVar(&p.only, "need", false, "say how many agents are needed, and do not simulate")
	f.IntVar(&p.runs, "runs", 15, "simulated runs for each number of agents, at least 2")
	f.IntVar(&p.works, "works", 8000, "calls in each run")
	f.Uint64Var(&p.seed, "seed", 1, "seed of the simulation")
	f.StringVar(&p.file, "o", "", "file for the picture, an SVG; if empty, none is drawn")
	if err := f.Parse(args); err != nil {
		return plan{}, err
	}
	if f.NArg() > 0 {
		return plan{}, fmt.Errorf("what is %q? See -help", f.Arg(0))
	}
	if p.works < 100 || p.works > 10_000_000 {
		return plan{}, fmt.Errorf("-works %d: from 100 to 10000000", p.works)
	}
	return p, nil
}

// row is one number of agents, by formula and by simulation.
type row struct {
	agents int
	steady sim.Steady
	result sim.Result
}

// compare looks at the numbers of agents around what is needed.
func compare(ctx context.Context, p plan, need int) ([]row, error) {
	var rows []row
	step := max(1, need/40) // of a large group, one agent makes no difference that an eye could see
	for n := need - 4*step; n <= need+4*step; n += step {
		if n < 1 || p.traffic.Patience == 0 && float64(n) <= p.traffic.Erlangs() {
			continue // the queue would grow without bound
		}
		steady, err := p.traffic.With(n)
		if err != nil {
			return nil, err
		}
		result, err := simulate(ctx, p, n)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{n, steady, result})
	}
	return rows, nil
}

// simulate plays one queue of equal agents: the rules are those of a real center, without what the formulas do not know.
//
// Each number of agents has customers of its own, so that the rows are independent of one another.
func simulate(ctx context.Context, p plan, agents int) (sim.Result, error) {
	q := acd.Queue{Name: "calls", WrapUp: -1, ShortAbandon: -1, MaxWait: 300 * 24 * time.Hour, MaxWaiting: 1_000_000, ServiceTarget: p.goal.Within}
	var r acd.Rules
	for i := range agents {
		r.Agents = append(r.Agents, acd.Agent{ID: "agent" + strconv.Itoa(i)})
		q.Members = append(q.Members, r.Agents[i].ID)
	}
	r.Queues = []acd.Queue{q}
	f := sim.Flow{Name: "call", Queue: q.Name, Arrivals: sim.Poisson{PerHour: p.traffic.PerHour}, Service: sim.Exponential{Mean: p.traffic.Handle}}
	if p.traffic.Patience > 0 {
		f.Patience = sim.Exponential{Mean: p.traffic.Patience}
	}
	length := time.Duration(float64(p.works) / p.traffic.PerHour * float64(time.Hour))
	return sim.Replicate(ctx, sim.Config{Rules: r, Flows: []sim.Flow{f}, Warmup: length / 5, Length: length, Confidence: 0.99,
		Seed: p.seed<<20 + uint64(agents)}, p.runs)
}

// day says what each interval needs.
func day(p plan, out io.Writer) error {
	var intervals []sim.Traffic
	for _, field := range strings.Split(p.profile, ",") {
		rate, err := strconv.ParseFloat(strings.TrimSpace(field), 64)
		if err != nil {
			return fmt.Errorf("-profile: %w", err)
		}
		t := p.traffic
		t.PerHour = rate
		intervals = append(intervals, t)
	}
	needs, err := sim.StaffDay(intervals, p.goal)
	if err != nil {
		return err
	}
	dayTable(p, intervals, needs, out)
	return nil
}
