package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ringfence/ringfence/acd/sim"
)

// words say which goal decided.
var words = map[sim.Bound]string{
	sim.BoundLevel: "service level", sim.BoundASA: "average speed of answer", sim.BoundAbandoned: "hang-ups", sim.BoundOccupancy: "occupancy",
	sim.BoundLoad: "load", sim.BoundNothing: "nothing comes",
}

func (p plan) formula() string {
	if p.traffic.Patience == 0 {
		return "Erlang C"
	}
	return "Erlang A"
}

func answer(p plan, n sim.Need, out io.Writer) {
	patience := "nobody hangs up"
	if p.traffic.Patience > 0 {
		patience = "patience " + clock(p.traffic.Patience)
	}
	fmt.Fprintf(out, "%g calls an hour of %s, %s: %.2f erlangs.\n", p.traffic.PerHour, clock(p.traffic.Handle), patience, p.traffic.Erlangs())
	fmt.Fprintf(out, "You need %d agents at their places, %d on the payroll with %.0f %% shrinkage. It was decided by: %s.\n", n.Agents, n.Scheduled,
		100*p.goal.Shrinkage, words[n.Bound])
	if n.Agents > 0 {
		s := n.Steady
		fmt.Fprintf(out, "Then %s are answered within %s, after %s on average; %s hang up; agents are busy for %s of their time (%s).\n", percent(s.Within(p.goal.Within)),
			clock(p.goal.Within), seconds(s.ASA), percent(s.Abandoned), percent(s.Occupancy), p.formula())
	}
}

func table(p plan, rows []row, out io.Writer) {
	fmt.Fprintf(out, "\nFormula (%s) and simulation (the real router, %d runs of %d calls, 99 %% intervals):\n\n", p.formula(), p.runs, p.works)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "AGENTS\tWITHIN %s\tSIMULATED\tMEAN WAIT\tSIMULATED\tHANG UP\tSIMULATED\tBUSY\tSIMULATED\t\n", clock(p.goal.Within))
	figures, inside := 0, 0
	for _, r := range rows {
		s, q := r.steady, r.result.All
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.agents, percent(s.Within(p.goal.Within)), around(q.Level, 100, "%"), seconds(s.ASA), around(q.ASA, 1, "s"),
			percent(s.Abandoned), around(q.Abandon, 100, "%"), percent(s.Occupancy), around(r.result.Occupancy, 100, "%"))
		for _, c := range []struct {
			e sim.Estimate
			x float64
		}{{q.Level, s.Within(p.goal.Within)}, {q.ASA, s.ASA}, {q.Abandon, s.Abandoned}, {r.result.Occupancy, s.Occupancy}} {
			if figures++; c.e.Contains(c.x) {
				inside++
			}
		}
	}
	w.Flush()
	fmt.Fprintf(out, "\n%d of %d formula figures lie in the interval of the simulation; of independent ones 99 in 100 would.\n", inside, figures)
}

func dayTable(p plan, intervals []sim.Traffic, needs []sim.Need, out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "INTERVAL\tCALLS/H\tERLANGS\tAGENTS\tPAYROLL\tWITHIN %s\tDECIDED BY\t\n", clock(p.goal.Within))
	most, sum := 0, 0
	for i, n := range needs {
		within := "-"
		if n.Agents > 0 {
			within = percent(n.Steady.Within(p.goal.Within))
		}
		fmt.Fprintf(w, "%d\t%g\t%.2f\t%d\t%d\t%s\t%s\t\n", i, intervals[i].PerHour, intervals[i].Erlangs(), n.Agents, n.Scheduled, within, words[n.Bound])
		most, sum = max(most, n.Scheduled), sum+n.Scheduled
	}
	w.Flush()
	fmt.Fprintf(out, "\nAt most %d people at once, %d intervals of work in sum (%s).\n", most, sum, p.formula())
}

// clock writes a time without the zeros that Duration.String adds.
func clock(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

func seconds(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "-"
	}
	return fmt.Sprintf("%.1f s", x)
}

func around(e sim.Estimate, scale float64, unit string) string {
	return fmt.Sprintf("%.1f ±%.1f %s", scale*e.Value, scale*e.Half, unit)
}
