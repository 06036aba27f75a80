package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// wallboard draws one line a second for the demo's tenant until done is closed.
func (d *demo) wallboard(ctx context.Context, done <-chan struct{}) {
	fmt.Fprintln(d.stdout, "\n  time  sales                       support                     agents                                       answered  lost  service level")
	start := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		fmt.Fprintln(d.stdout, d.wallboardLine(time.Since(start)))
		select {
		case <-done:
			fmt.Fprintln(d.stdout, d.wallboardLine(time.Since(start)))
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *demo) wallboardLine(since time.Duration) string {
	s := d.node.sites[0]
	snap, rep := s.center.Snapshot(), s.tally.Report(time.Now())
	var b strings.Builder
	fmt.Fprintf(&b, "%5.0fs  ", since.Seconds())
	callbacks := s.callbacks()
	for _, q := range snap.Queues {
		waiting, back := q.Waiting+q.Offered, ""
		if n := callbacks[q.Name]; n > 0 { // they wait, but not on the line
			back = fmt.Sprintf(" %d to call back", n)
		}
		fmt.Fprintf(&b, "%-28s", fmt.Sprintf("%-5s waits %d talks %d %4.1fs%s ", strings.Repeat("#", min(waiting, 5)), waiting, q.Talking, q.LongestWait.Seconds(), back))
	}
	states := map[acd.AgentState]int{}
	for _, a := range snap.Agents {
		states[a.State]++
	}
	agents := fmt.Sprintf("ready %d  ringing %d  talking %d  wrap-up %d  away %d",
		states[acd.Ready], states[acd.Ringing]+states[acd.Reserved], states[acd.Talking], states[acd.WrapUp], states[acd.NotReady])
	level := "-"
	if l, ok := rep.All.ServiceLevel(); ok {
		level = fmt.Sprintf("%.0f %%", 100*l)
	}
	fmt.Fprintf(&b, "%-45s%8d  %4d  %s", agents, rep.Answered, rep.Abandoned+rep.Overflowed, level)
	return strings.TrimRight(b.String(), " ")
}
