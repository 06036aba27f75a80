package acd_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// desk is an Offerer whose agents pick up at once.
type desk struct{}

func (desk) Offer(_ context.Context, agent, work string) (bool, error) {
	fmt.Println(work, "rings at", agent)
	return true, nil
}

// nobody lets no supervisor do anything.
type nobody struct{}

func (nobody) Allow(context.Context, string, string) error { return errors.New("no supervisors here") }

func (nobody) Audit(context.Context, string, string, ...slog.Attr) error {
	return errors.New("no audit log")
}

func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	records := make(chan acd.Record, 1)
	center, err := acd.New(acd.Config{
		Store: &acd.MemStore{}, Offerer: desk{}, Authorizer: nobody{}, Auditor: nobody{},
		Agents:   []acd.Agent{{ID: "1001"}},
		Queues:   []acd.Queue{{Name: "sales", Members: []string{"1001"}, RingTimeout: 15 * time.Second}},
		OnRecord: func(r acd.Record) { records <- r },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error)
	go func() { done <- center.Run(ctx) }()

	check := func(err error) {
		if err != nil {
			fmt.Println(err)
		}
	}
	check(center.Login(ctx, "1001"))
	check(center.Ready(ctx, "1001"))
	check(center.Arrive(ctx, acd.Work{ID: "call-1"}))
	ticket, err := center.Enqueue(ctx, "call-1", "sales", 0)
	check(err)
	result, err := ticket.Wait(ctx)
	check(err)
	fmt.Println(result.Outcome, "by", result.Agent)
	check(center.End(ctx, "call-1", "caller"))
	record := <-records
	fmt.Println(record.Work, record.Outcome, record.Cause, "after", len(record.Offers), "offer")
	stop()
	check(<-done)
	// Output:
	// call-1 rings at 1001
	// answered by 1001
	// call-1 answered caller after 1 offer
}

// A Core needs no clock, no store and no goroutine: it can be asked what it would decide.
func ExampleCore() {
	core := acd.NewCore()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	apply := func(ev acd.Event) {
		ev.Seq, ev.At = core.Seq()+1, now
		decisions, err := core.Apply(ev)
		if err != nil {
			fmt.Println(err)
		}
		for _, d := range decisions {
			if d.Kind == acd.DecideOffer {
				fmt.Printf("%s to %s: %s\n", d.Work, d.Agent, d.Why)
			}
		}
		now = now.Add(time.Second)
	}
	apply(acd.Event{Kind: acd.KindStarted, Rules: &acd.Rules{
		Agents: []acd.Agent{{ID: "ann"}, {ID: "bo"}},
		Queues: []acd.Queue{{Name: "sales", Members: []string{"ann", "bo"}}},
	}})
	for _, agent := range []string{"bo", "ann"} {
		apply(acd.Event{Kind: acd.KindLogin, Agent: agent})
		apply(acd.Event{Kind: acd.KindReady, Agent: agent})
	}
	apply(acd.Event{Kind: acd.KindArrived, Work: "call-1"})
	apply(acd.Event{Kind: acd.KindEnqueued, Work: "call-1", Queue: "sales"})
	// Output:
	// call-1 to bo: first of 2 ready by longest-idle, idle for 4s
}

// Skills in thirty lines: Danish tax questions go to whoever knows best, and after a minute to anyone who speaks Danish.
func Example_skills() {
	core := acd.NewCore()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	apply := func(ev acd.Event) {
		ev.Seq, ev.At = core.Seq()+1, now
		decisions, err := core.Apply(ev)
		if err != nil {
			fmt.Println(err)
		}
		for _, d := range decisions {
			if d.Kind == acd.DecideOffer {
				fmt.Println(d.At.Format("15:04"), d.Work, "to", d.Agent)
			}
		}
	}
	apply(acd.Event{Kind: acd.KindStarted, Rules: &acd.Rules{
		Agents: []acd.Agent{
			{ID: "ann", Skills: []acd.Skill{{Name: "danish", Level: 5}, {Name: "tax", Level: 4}}},
			{ID: "bo", Skills: []acd.Skill{{Name: "danish", Level: 9}}},
		},
		Queues: []acd.Queue{{
			Name: "tax", Members: []string{"ann", "bo"}, Strategy: acd.BestSkill,
			Rings: []acd.Ring{{After: time.Minute, Lower: []acd.Skill{{Name: "tax"}}}},
		}},
	}})
	for _, agent := range []string{"bo", "ann"} {
		apply(acd.Event{Kind: acd.KindLogin, Agent: agent})
		apply(acd.Event{Kind: acd.KindReady, Agent: agent})
	}
	for _, work := range []string{"call-1", "call-2"} {
		apply(acd.Event{Kind: acd.KindArrived, Work: work})
		apply(acd.Event{Kind: acd.KindEnqueued, Work: work, Queue: "tax", Terms: &acd.Terms{Needs: []acd.Skill{{Name: "danish", Level: 3}, {Name: "tax", Level: 2}}}})
	}
	apply(acd.Event{Kind: acd.KindAccepted, Agent: "ann", Work: "call-1", Offer: 1})
	now = now.Add(time.Minute)
	apply(acd.Event{Kind: acd.KindTimer})
	// Output:
	// 09:00 call-1 to ann
	// 09:01 call-2 to bo
}

// What would the day have been with another strategy?
func ExampleWhatIf() {
	var log []acd.Event
	core := acd.NewCore()
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	apply := func(ev acd.Event) {
		ev.Seq, ev.At = core.Seq()+1, now
		if _, err := core.Apply(ev); err != nil {
			fmt.Println(err)
		}
		log = append(log, ev)
		now = now.Add(time.Second)
	}
	apply(acd.Event{Kind: acd.KindStarted, Rules: &acd.Rules{
		Agents: []acd.Agent{{ID: "ann"}, {ID: "bo"}},
		Queues: []acd.Queue{{Name: "sales", Members: []string{"ann", "bo"}}},
	}})
	for _, agent := range []string{"bo", "ann"} {
		apply(acd.Event{Kind: acd.KindLogin, Agent: agent})
		apply(acd.Event{Kind: acd.KindReady, Agent: agent})
	}
	apply(acd.Event{Kind: acd.KindArrived, Work: "call-1"})
	apply(acd.Event{Kind: acd.KindEnqueued, Work: "call-1", Queue: "sales"})

	events := func(yield func(acd.Event, error) bool) {
		for _, ev := range log {
			if !yield(ev, nil) {
				return
			}
		}
	}
	for entry, err := range acd.WhatIf(events, func(r acd.Rules) acd.Rules { r.Queues[0].Strategy = acd.TopDown; return r }) {
		if err != nil {
			fmt.Println(err)
		}
		for _, d := range entry.Decisions {
			if d.Kind == acd.DecideOffer {
				fmt.Println("would have gone to", d.Agent)
			}
		}
	}
	// Output: would have gone to ann
}
