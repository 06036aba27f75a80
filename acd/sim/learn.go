package sim

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Learn makes flows of a log, such as acd.Store.Load yields it, so that the same day can be simulated under other rules or with other agents:
// one flow for each queue, priority and set of needs, in order of name. Works arrive when they entered their first queue in the log;
// conversations are drawn from those of the log; patience is exponential with the mean that the log makes most likely, all waits
// divided by those that hung up (who was answered had at least the patience to get there), and nobody hangs up if nobody did. Flows in which
// nobody was answered take the conversations of all others. An error wraps acd.ErrLog or ErrInvalid, or is the one that reading the log met.
//
// acd.WhatIf keeps every work's own times and is better for one log and changed rules; Learn is for many days like it.
func Learn(log iter.Seq2[acd.Event, error]) ([]Flow, error) {
	learned := map[string]*lesson{}
	works := map[string]*lesson{}
	for e, err := range acd.Replay(log) {
		if err != nil {
			return nil, err
		}
		ev := &e.Event
		if ev.Kind == acd.KindEnqueued && works[ev.Work] == nil {
			l := lessonFor(ev)
			if learned[l.Name] == nil {
				learned[l.Name] = l
			}
			l = learned[l.Name]
			l.instants = append(l.instants, ev.At)
			works[ev.Work] = l
		}
		for i := range e.Decisions {
			if d := &e.Decisions[i]; d.Kind == acd.DecideEnded && works[d.Work] != nil {
				works[d.Work].learn(d.Record)
				delete(works, d.Work)
			}
		}
	}
	var all Empirical
	for _, l := range learned {
		all = append(all, l.talks...)
	}
	slices.Sort(all)
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: nobody was answered in the log", ErrInvalid)
	}
	var out []Flow
	for _, l := range learned {
		l.Arrivals, l.Service = l.instants, l.talks
		if len(l.talks) == 0 {
			l.Service = all
		}
		if l.hangUps > 0 {
			l.Patience = Exponential{max(1, l.waited/time.Duration(l.hangUps))}
		}
		out = append(out, l.Flow)
	}
	slices.SortFunc(out, func(a, b Flow) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// lesson is what a log says of one flow.
type lesson struct {
	Flow
	instants Instants
	talks    Empirical
	waited   time.Duration
	hangUps  int
}

func lessonFor(ev *acd.Event) *lesson {
	l := &lesson{Flow: Flow{Queue: ev.Queue, Priority: ev.Priority}}
	name := fmt.Sprintf("%s %d", ev.Queue, ev.Priority)
	if t := ev.Terms; t != nil && (len(t.Needs) > 0 || t.Human) {
		l.Terms = &acd.Terms{Needs: slices.Clone(t.Needs), Human: t.Human}
		name += fmt.Sprint(" ", t.Human)
		for _, s := range t.Needs {
			name += fmt.Sprintf(" %s %d", s.Name, s.Level)
		}
	}
	l.Name = short(name)
	return l
}

// short keeps a name within what ids allow. A long one ends in its hash, so that two long ones differ.
func short(name string) string {
	const most, digits = 100, 17
	if len(name) <= most {
		return name
	}
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return fmt.Sprintf("%s %016x", name[:most-digits], h)
}

func (l *lesson) learn(r *acd.Record) {
	switch r.Outcome {
	case acd.Answered:
		l.waited += r.AnsweredAt.Sub(r.EnqueuedAt)
		l.talks = append(l.talks, min(r.EndedAt.Sub(r.AnsweredAt), longest))
	case acd.Abandoned:
		l.waited += r.EndedAt.Sub(r.EnqueuedAt)
		if r.Cause == acd.CauseAbandoned {
			l.hangUps++
		}
	}
}
