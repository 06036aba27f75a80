package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// event is one line of the call log: what happened to a call, and when. It names agents, never callers.
type event struct {
	Time      time.Time `json:"time"`
	Event     string    `json:"event"` // arrived, enqueued, offered, ringing, offer-ended, answered, callback-..., overflowed, abandoned, transferred, ended, recording, voicemail-left, voicemail-retrieved, voicemail-deleted, voicemail-refused
	Tenant    string    `json:"tenant"`
	Call      string    `json:"call"`
	Queue     string    `json:"queue,omitempty"`
	Agent     string    `json:"agent,omitempty"`
	To        string    `json:"to,omitempty"` // with "transferred"
	Cause     string    `json:"cause,omitempty"`
	Recording string    `json:"recording,omitempty"`
	Box       string    `json:"box,omitempty"`    // with "voicemail-..."
	Record    *record   `json:"record,omitempty"` // with "ended": the whole story
	// Legs say how each leg was protected: with "ended", "transferred" and "outbound-ended".
	Legs []protection `json:"legs,omitempty"`
}

// record is a finished call. It is what `calls` prints too.
type record struct {
	Call     string      `json:"call"`
	Queue    string      `json:"queue,omitempty"`
	Outcome  acd.Outcome `json:"outcome"`
	Cause    string      `json:"cause"`
	Overflow string      `json:"overflow,omitempty"`
	Agent    string      `json:"agent,omitempty"`
	Arrived  time.Time   `json:"arrived"`
	Enqueued time.Time   `json:"enqueued,omitzero"`
	Answered time.Time   `json:"answered,omitzero"`
	Ended    time.Time   `json:"ended"`
	Offers   []acd.Offer `json:"offers,omitempty"`
	Callback time.Time   `json:"callback,omitzero"`  // when the caller asked to be called back
	Attempts int         `json:"attempts,omitempty"` // how often they were
}

func recordOf(r *acd.Record) *record {
	return &record{r.Work, r.Queue, r.Outcome, r.Cause, r.Overflow, r.Agent, r.ArrivedAt, r.EnqueuedAt, r.AnsweredAt, r.EndedAt, r.Offers, r.CallbackAt, r.Attempts}
}

// eventWriter writes JSON lines, whole ones, from any goroutine.
type eventWriter struct {
	mu  sync.Mutex
	out io.Writer
	log *slog.Logger
}

func (w *eventWriter) write(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		w.log.Error("event not written", "event", e.Event, "err", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(append(line, '\n')); err != nil {
		w.log.Error("event not written", "event", e.Event, "err", err)
	}
}

func (s *site) emit(e event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time, e.Tenant = e.Time.UTC(), s.name
	s.node.events.write(e)
}

// observe turns what the distributor logged, durably, into lines of the call log.
func (s *site) observe(en acd.Entry) {
	s.tally.Observe(en)
	ev := en.Event
	line := event{Time: ev.At, Call: ev.Work, Queue: ev.Queue, Agent: ev.Agent}
	switch ev.Kind {
	case acd.KindArrived:
		line.Event = "arrived"
	case acd.KindEnqueued:
		line.Event = "enqueued"
	case acd.KindRinging:
		line.Event = "ringing"
	case acd.KindAbandoned:
		line.Event = "abandoned"
	case acd.KindRejected:
		line.Event, line.Cause = "offer-ended", "rejected"
	case acd.KindReached:
		line.Event = "callback-reached"
	}
	if line.Event != "" {
		s.emit(line)
	}
	for _, d := range en.Decisions {
		line := event{Time: d.At, Call: d.Work, Queue: d.Queue, Agent: d.Agent, Cause: d.Reason}
		if line.Time.IsZero() {
			line.Time = ev.At
		}
		switch d.Kind {
		case acd.DecideOffer:
			line.Event, line.Cause = "offered", d.Why.String()
		case acd.DecideRevoke:
			line.Event = "offer-ended"
		case acd.DecideAnswered:
			line.Event = "answered"
		case acd.DecideOverflow:
			line.Event = "overflowed"
		case acd.DecideCallback:
			line.Event = "callback-requested"
		case acd.DecideDial:
			line.Event = "callback-attempt"
		case acd.DecideEnded:
			if r := d.Record; r.Outcome == acd.Abandoned && !r.CallbackAt.IsZero() { // nobody will call any more
				s.emit(event{Time: line.Time, Event: "callback-expired", Call: d.Work, Queue: r.Queue, Cause: r.Cause})
			}
			line.Event, line.Record = "ended", recordOf(d.Record)
			line.Queue, line.Agent, line.Cause, line.Legs = d.Record.Queue, d.Record.Agent, d.Record.Cause, s.protections(d.Work)
		default:
			continue
		}
		s.emit(line)
	}
}
