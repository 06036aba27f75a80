package acd

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"
)

// WhatIf decides a log again under changed rules and yields what would have happened, as Replay does. change gets the rules of each start
// in the log and returns those to decide by; it is called once per start.
//
// What people did is taken from the log: when customers came and which queues they entered, how long those who gave up were willing to
// wait, how long each conversation took and how long its agent let it ring; when agents logged in, left and came back. What the log
// cannot know is assumed: an offer that another agent gets is accepted after the work's own ringing time, nobody refuses or lets it ring
// out, who gave up in the log but is answered here talks as long as the mean, and a customer who waits longer than in the log, but was
// answered there, waits on. The whole log is held in memory. An error is as of Replay.
func WhatIf(log iter.Seq2[Event, error], change func(Rules) Rules) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		facts, err := learn(log)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		s := &scenario{facts: facts, core: NewCore(), change: change, yield: yield}
		if err := s.play(); err != nil {
			yield(Entry{}, err)
		}
	}
}

// facts are what people did.
type facts struct {
	events   []Event
	works    map[string]*fact
	meanRing time.Duration
	meanTalk time.Duration
}

type fact struct {
	ring, talk time.Duration
	answered   bool
}

func learn(log iter.Seq2[Event, error]) (*facts, error) {
	f := &facts{works: map[string]*fact{}}
	offered := map[uint64]time.Time{}
	var rings, talks time.Duration
	var n int
	for e, err := range Replay(log) {
		if err != nil {
			return nil, err
		}
		switch e.Event.Kind {
		case KindTimer, KindRinging, KindAccepted, KindRejected, KindReached, KindUnreached:
		default:
			f.events = append(f.events, e.Event)
		}
		for i := range e.Decisions {
			d := &e.Decisions[i]
			switch d.Kind {
			case DecideOffer:
				offered[d.Offer] = d.At
			case DecideAnswered:
				f.works[d.Work] = &fact{ring: d.At.Sub(offered[d.Offer]), answered: true}
			case DecideEnded:
				if w := f.works[d.Work]; w != nil && d.Record.Outcome == Answered {
					w.talk = d.Record.EndedAt.Sub(d.Record.AnsweredAt)
					rings, talks, n = rings+w.ring, talks+w.talk, n+1
				}
			}
		}
	}
	f.meanRing, f.meanTalk = 5*time.Second, priorHandle
	if n > 0 {
		f.meanRing, f.meanTalk = rings/time.Duration(n), talks/time.Duration(n)
	}
	return f, nil
}

// scenario plays the facts against a Core with other rules.
type scenario struct {
	*facts
	core    *Core
	change  func(Rules) Rules
	yield   func(Entry, error) bool
	pending []Event // what follows from the decisions, by time
	stopped bool
}

func (s *scenario) play() error {
	for len(s.events) > 0 || len(s.pending) > 0 {
		ev, own := s.next()
		if !own && ev.Kind == KindStarted {
			r := s.change(ev.Rules.WithDefaults())
			ev.Rules = &r
		}
		if err := s.step(ev, own); err != nil || s.stopped {
			return err
		}
	}
	return nil
}

// next takes what comes first; of one moment, what follows from decisions.
func (s *scenario) next() (ev Event, own bool) {
	if len(s.pending) > 0 && (len(s.events) == 0 || !s.pending[0].At.After(s.events[0].At)) {
		ev, s.pending = s.pending[0], s.pending[1:]
		return ev, true
	}
	ev, s.events = s.events[0], s.events[1:]
	return ev, false
}

// later schedules what follows from a decision.
func (s *scenario) later(ev Event) {
	i, _ := slices.BinarySearchFunc(s.pending, ev, func(a, b Event) int { return cmp.Or(a.At.Compare(b.At), -1) })
	s.pending = slices.Insert(s.pending, i, ev)
}

func (s *scenario) step(ev Event, own bool) error {
	if ev.At.Before(s.core.Now()) {
		ev.At = s.core.Now()
	}
	for ev.Kind != KindStarted {
		due, ok := s.core.NextTimer()
		if !ok || due.After(ev.At) {
			break
		}
		if due.Before(s.core.Now()) {
			due = s.core.Now()
		}
		if err := s.apply(Event{At: due, Kind: KindTimer}); err != nil || s.stopped {
			return err
		}
		if len(s.pending) > 0 && s.pending[0].At.Before(ev.At) { // the deadline has consequences that come first
			if own {
				s.later(ev)
			} else {
				s.events = slices.Insert(s.events, 0, ev)
			}
			return nil
		}
	}
	if !s.happens(&ev, own) {
		return nil
	}
	return s.apply(ev)
}

// happens reports whether an event of the log makes sense in what has become of the day.
func (s *scenario) happens(ev *Event, own bool) bool {
	if ev.Kind == KindStarted {
		return true
	}
	w := s.core.works[ev.Work]
	switch ev.Kind {
	case KindEnded, KindAbandoned:
		if w == nil {
			return false
		}
		if f := s.works[ev.Work]; !own && (w.state == talking || f != nil && f.answered && w.state != selfService) {
			return false // the conversation ends after its own time; who was answered in the log is patient
		}
	case KindEnqueued:
		if w == nil || w.state != selfService || s.core.queues[ev.Queue] == nil {
			return false
		}
	}
	probe := *ev
	probe.Seq = s.core.seq + 1
	return s.core.check(&probe) == nil
}

func (s *scenario) apply(ev Event) error {
	ev.Seq = s.core.seq + 1
	out, err := s.core.Apply(ev)
	if err != nil {
		return fmt.Errorf("%w: event %d: %w", ErrLog, ev.Seq, err)
	}
	for i := range out {
		d := &out[i]
		f := s.works[d.Work]
		switch d.Kind {
		case DecideOffer:
			ring := s.meanRing
			if f != nil {
				ring = f.ring
			}
			if q := s.core.queues[d.Queue]; ring >= q.RingTimeout {
				ring = q.RingTimeout - 1
			}
			s.later(Event{At: d.At.Add(ring), Kind: KindAccepted, Agent: d.Agent, Work: d.Work, Offer: d.Offer})
		case DecideDial:
			s.later(Event{At: d.At, Kind: KindReached, Agent: d.Agent, Work: d.Work, Offer: d.Offer})
		case DecideAnswered:
			talk := s.meanTalk
			if f != nil && f.talk > 0 {
				talk = f.talk
			}
			s.later(Event{At: d.At.Add(talk), Kind: KindEnded, Work: d.Work, Reason: "what-if"})
		case DecideOverflow:
			if d.To != "" {
				s.later(Event{At: d.At, Kind: KindEnqueued, Work: d.Work, Queue: d.To, Priority: s.core.works[d.Work].rec.Priority, Terms: &Terms{KeepClock: true}})
			} else if f != nil && f.answered { // its end in the log was the end of a conversation that never was
				s.later(Event{At: d.At, Kind: KindEnded, Work: d.Work, Reason: d.Reason})
			}
		}
	}
	s.stopped = !s.yield(Entry{Event: ev, Decisions: out}, nil)
	return nil
}
