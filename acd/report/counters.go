package report

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Counters are what remains of one queue in one period once everything about persons is gone. They hold counts and sums of times, and no field
// that could name a work, a caller or an agent; nor an extreme, such as the longest wait, which is always one person's.
type Counters struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Queue string    `json:"queue"`

	Entered            int           `json:"entered,omitempty"`
	Contacts           int           `json:"contacts,omitempty"`
	Answered           int           `json:"answered,omitempty"`
	Abandoned          int           `json:"abandoned,omitempty"`
	ShortAbandoned     int           `json:"short_abandoned,omitempty"`
	AbandonedInTarget  int           `json:"abandoned_in_target,omitempty"`
	Overflowed         int           `json:"overflowed,omitempty"`
	InTarget           int           `json:"in_target,omitempty"`
	Offers             int           `json:"offers,omitempty"`
	NoAnswer           int           `json:"no_answer,omitempty"`
	Rejected           int           `json:"rejected,omitempty"`
	Handled            int           `json:"handled,omitempty"`
	Requeued           int           `json:"requeued,omitempty"`
	CallbacksRequested int           `json:"callbacks_requested,omitempty"`
	CallbackAttempts   int           `json:"callback_attempts,omitempty"`
	CallbacksKept      int           `json:"callbacks_kept,omitempty"`
	CallbacksLost      int           `json:"callbacks_lost,omitempty"`
	CallbacksRemoved   int           `json:"callbacks_removed,omitempty"`
	HumanOnly          int           `json:"human_only,omitempty"`
	BotAnswers         int           `json:"bot_answers,omitempty"`
	Agents             int           `json:"agents,omitempty"` // so many different ones at least
	TotalAnswer        time.Duration `json:"total_answer,omitempty"`
	TotalAbandon       time.Duration `json:"total_abandon,omitempty"`
	TotalOverflow      time.Duration `json:"total_overflow,omitempty"`
	TalkTime           time.Duration `json:"talk_time,omitempty"`
	WrapUpTime         time.Duration `json:"wrap_up_time,omitempty"`
}

// Waits returns the counters as what the key figures are computed from. What counters do not keep is zero in it.
func (c Counters) Waits() Waits {
	return Waits{Entered: c.Entered, Contacts: c.Contacts, Answered: c.Answered, Abandoned: c.Abandoned, ShortAbandoned: c.ShortAbandoned,
		AbandonedInTarget: c.AbandonedInTarget, Overflowed: c.Overflowed, InTarget: c.InTarget, Offers: c.Offers, NoAnswer: c.NoAnswer,
		Rejected: c.Rejected, Handled: c.Handled, Requeued: c.Requeued, CallbacksRequested: c.CallbacksRequested,
		CallbackAttempts: c.CallbackAttempts, CallbacksKept: c.CallbacksKept, CallbacksLost: c.CallbacksLost,
		CallbacksRemoved: c.CallbacksRemoved, HumanOnly: c.HumanOnly, BotAnswers: c.BotAnswers, Agents: c.Agents, TotalAnswer: c.TotalAnswer,
		TotalAbandon: c.TotalAbandon, TotalOverflow: c.TotalOverflow, TalkTime: c.TalkTime, WrapUpTime: c.WrapUpTime}
}

// countersOf is the inverse of Waits, for a period and a queue.
func countersOf(from, to time.Time, queue string, w *Waits) Counters {
	return Counters{From: from, To: to, Queue: queue, Entered: w.Entered, Contacts: w.Contacts, Answered: w.Answered, Abandoned: w.Abandoned,
		ShortAbandoned: w.ShortAbandoned, AbandonedInTarget: w.AbandonedInTarget, Overflowed: w.Overflowed, InTarget: w.InTarget,
		Offers: w.Offers, NoAnswer: w.NoAnswer, Rejected: w.Rejected, Handled: w.Handled, Requeued: w.Requeued,
		CallbacksRequested: w.CallbacksRequested, CallbackAttempts: w.CallbackAttempts, CallbacksKept: w.CallbacksKept,
		CallbacksLost: w.CallbacksLost, CallbacksRemoved: w.CallbacksRemoved, HumanOnly: w.HumanOnly, BotAnswers: w.BotAnswers,
		Agents: w.Agents, TotalAnswer: w.TotalAnswer, TotalAbandon: w.TotalAbandon, TotalOverflow: w.TotalOverflow, TalkTime: w.TalkTime,
		WrapUpTime: w.WrapUpTime}
}

// plus returns the sum of two counters of one period and queue.
func (c Counters) plus(o *Counters) Counters {
	a, b := c.Waits(), o.Waits()
	a.add(&b)
	return countersOf(c.From, c.To, c.Queue, &a)
}

// people is a lower bound of the different contacts in the counters: a work enters a queue for the first time once, and is answered or
// abandoned once.
func (c *Counters) people() int { return max(c.Contacts, c.Answered+c.Abandoned) }

// ArchiveState is all that an Archive keeps. It is not yet suppressed: it is for the store, and for nobody to read.
type ArchiveState struct {
	Through  time.Time  `json:"through,omitzero"` // intervals that begin before are counted already
	Read     time.Time  `json:"read,omitzero"`    // periods that end by then were read out and change no more
	Counters []Counters `json:"counters"`         // by From, then Queue
}

// CounterStore keeps an ArchiveState. acdtest.TestCounterStore says what it must promise. It may be called concurrently.
type CounterStore interface {
	// SaveCounters keeps the state instead of the one before, whole or not at all, and returns once it is durable.
	SaveCounters(ctx context.Context, state ArchiveState) error
	// LoadCounters returns the state kept last; the zero ArchiveState if there is none.
	LoadCounters(ctx context.Context) (ArchiveState, error)
}

// MemCounters is a CounterStore that forgets everything with the process. The zero MemCounters is empty and ready; it is safe for concurrent use
// and must not be copied.
type MemCounters struct {
	mu    sync.Mutex
	state ArchiveState
}

// SaveCounters implements [CounterStore].
func (s *MemCounters) SaveCounters(ctx context.Context, state ArchiveState) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state.Counters = slices.Clone(state.Counters)
	s.state = state
	return nil
}

// LoadCounters implements [CounterStore].
func (s *MemCounters) LoadCounters(ctx context.Context) (ArchiveState, error) {
	if err := ctx.Err(); err != nil {
		return ArchiveState{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.state
	state.Counters = slices.Clone(state.Counters)
	return state, nil
}
