package acd

import (
	"context"
	"iter"
	"log/slog"
)

// Offerer presents a work to an agent, on whatever device the agent has.
type Offerer interface {
	// Offer returns true once the agent has taken the work, false if the agent refused, an error if the agent could not be reached:
	// the latter two put the agent on a short pause. When ctx ends the offer no longer stands (the caller hung up, or the ring time
	// is over): Offer must stop presenting it and return. It is called concurrently for different agents, at most once at a time
	// for one agent. Of one work only one offer stands at a time (with RingAll several, to different agents), but the next may begin
	// while Offer still returns from one whose ctx has ended.
	Offer(ctx context.Context, agent, work string) (accepted bool, err error)
}

// Withdrawer is an optional capability of an Offerer.
type Withdrawer interface {
	// Withdraw tells that an acceptance came too late: Offer returned true, but the caller had just hung up, the ring time was
	// over, or another agent was faster. The agent's side must be released; the Center does not count it as a conversation.
	Withdraw(ctx context.Context, agent, work string)
}

// Dialer is what an Offerer must also be if a queue offers callbacks.
type Dialer interface {
	// Dial calls the customer of a work for the agent who has just taken it and waits, and joins them. It returns true once they are
	// joined; false, or an error, if the customer could not be reached: the agent is free again and the customer tried later. When ctx
	// ends it must give up: the work or the attempt is over. It is called for every agent who took a callback, even if ctx has ended by
	// then, so that nobody is left waiting: whenever it does not return true, it has released the agent's side.
	Dial(ctx context.Context, agent, work string) (reached bool, err error)
}

// StateKeeper is an optional capability of a Store: with a state beside the log, a start need not replay all of it.
type StateKeeper interface {
	// SaveState keeps the state as of an event that is in the log already, instead of the one kept before.
	SaveState(ctx context.Context, seq uint64, state []byte) error
	// LoadState returns the state kept last; nil if there is none.
	LoadState(ctx context.Context) ([]byte, error)
}

// Store keeps the log. acdtest.TestStore says in detail what it must promise. It may be called concurrently, but Append has one
// caller at a time.
type Store interface {
	// Append adds events, all or none, and returns once they are durable. Their sequence numbers follow one another and the last one in the
	// log; if they do not, nothing is added and the error wraps ErrConflict.
	Append(ctx context.Context, events []Event) error
	// Load yields the events with Seq greater than after, in order. An error is the last thing yielded.
	Load(ctx context.Context, after uint64) iter.Seq2[Event, error]
}

// Authorizer says whether the person behind ctx may do something. A nil error allows it.
type Authorizer interface {
	Allow(ctx context.Context, action, object string) error
}

// Auditor records that something is about to be done. If it fails, the thing is not done.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}
