package acd_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"pgregory.net/rapid"
)

func drawRules(t *rapid.T) acd.Rules {
	var r acd.Rules
	var ids []string
	for i := range rapid.IntRange(1, 6).Draw(t, "agents") {
		ids = append(ids, fmt.Sprintf("a%d", i))
		r.Agents = append(r.Agents, acd.Agent{ID: ids[i]})
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "queues") {
		r.Queues = append(r.Queues, acd.Queue{
			Name:        fmt.Sprintf("q%d", i),
			Members:     rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 0, len(ids), rapid.ID).Draw(t, "members"),
			Strategy:    rapid.SampledFrom([]acd.Strategy{"", acd.LongestIdle, acd.FewestCalls, acd.TopDown}).Draw(t, "strategy"),
			RingTimeout: time.Duration(rapid.IntRange(0, 5).Draw(t, "ring")) * time.Second,
			RejectPause: time.Duration(rapid.IntRange(0, 5).Draw(t, "pause")) * time.Second,
			WrapUp:      time.Duration(rapid.IntRange(-1, 5).Draw(t, "wrap")) * time.Second,
			MaxWaiting:  rapid.IntRange(0, 5).Draw(t, "room"),
			MaxWait:     time.Duration(rapid.IntRange(0, 20).Draw(t, "maxwait")) * time.Second,
			NoAgents:    rapid.SampledFrom([]acd.NoAgents{"", acd.NoAgentsWait}).Draw(t, "noagents"),
		})
	}
	return r
}

// Whatever happens in whatever order, every invariant in driver holds after every event; the log replays to the same decisions; and
// left alone, nobody waits or rings for ever.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		d := newDriver(t, rules)
		arrived := 0
		pick := func(keys []string, label string) (string, bool) {
			if len(keys) == 0 {
				return "", false
			}
			return rapid.SampledFrom(keys).Draw(t, label), true
		}
		for range rapid.IntRange(1, 150).Draw(t, "events") {
			d.sleep(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 500, 1000, 5000}).Draw(t, "ms")) * time.Millisecond)
			agent, _ := pick(slices.Sorted(maps.Keys(d.agents)), "agent")
			work, hasWork := pick(slices.Sorted(maps.Keys(d.works)), "work")
			switch rapid.IntRange(0, 16).Draw(t, "what") {
			case 0, 1, 2:
				arrived++
				id := fmt.Sprintf("w%d", arrived)
				d.must(acd.Event{Kind: acd.KindArrived, Work: id})
				d.must(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: rapid.SampledFrom(rules.Queues).Draw(t, "queue").Name, Priority: rapid.IntRange(-1, 1).Draw(t, "priority")})
			case 3:
				arrived++
				d.must(acd.Event{Kind: acd.KindArrived, Work: fmt.Sprintf("w%d", arrived)})
			case 4:
				if hasWork {
					_, _ = d.try(acd.Event{Kind: acd.KindEnqueued, Work: work, Queue: rules.Queues[0].Name}) // refused if it waits
				}
			case 5, 6:
				if hasWork {
					d.must(acd.Event{Kind: rapid.SampledFrom([]acd.Kind{acd.KindAbandoned, acd.KindEnded}).Draw(t, "end"), Work: work})
				}
			case 7, 8:
				d.must(acd.Event{Kind: acd.KindLogin, Agent: agent})
				d.must(acd.Event{Kind: acd.KindReady, Agent: agent})
			case 9:
				d.must(acd.Event{Kind: acd.KindLogout, Agent: agent})
			case 10:
				_, _ = d.try(acd.Event{Kind: acd.KindNotReady, Agent: agent, Reason: "lunch"}) // refused if logged out
			case 11:
				_, _ = d.try(acd.Event{Kind: acd.KindReady, Agent: agent})
			case 16:
				if rapid.IntRange(0, 9).Draw(t, "crash") == 0 {
					d.now = d.now.Add(time.Hour)
					d.start(rules)
				}
			default:
				a := d.agents[agent]
				kind := rapid.SampledFrom([]acd.Kind{acd.KindAccepted, acd.KindAccepted, acd.KindRejected, acd.KindRinging}).Draw(t, "answer")
				fresh := a.work != "" && !d.works[a.work].talking
				_, err := d.try(acd.Event{Kind: kind, Agent: agent, Work: a.work, Offer: a.offer})
				if fresh != (err == nil) {
					t.Fatalf("%s of %+v: %v", kind, a, err)
				}
			}
		}
		d.verifyReplay()
		for { // left alone
			due, ok := d.core.NextTimer()
			if !ok {
				break
			}
			d.now = due
			d.tick()
		}
		for _, a := range d.core.Snapshot(d.now).Agents {
			if a.State == acd.Reserved || a.State == acd.Ringing || a.State == acd.WrapUp {
				t.Fatalf("agent stuck: %+v", a)
			}
		}
		for id, w := range d.works {
			if w.queue != "" && !w.talking {
				t.Fatalf("work %q waits for ever", id)
			}
		}
		for _, id := range slices.Sorted(maps.Keys(d.works)) {
			d.must(acd.Event{Kind: acd.KindEnded, Work: id})
		}
		if len(d.records) != arrived {
			t.Fatalf("%d works arrived, %d ended", arrived, len(d.records))
		}
	})
}
