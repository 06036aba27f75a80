package acd

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Config describes a Center. It is copied by New; later changes to it have no effect.
type Config struct {
	Store   Store   // required
	Offerer Offerer // required

	// Queues and Agents are the rules to decide by. Required: at least one queue; every member of a queue must be in Agents.
	Queues []Queue
	Agents []Agent
	// Channels, Fairness, Seed and LastAgents are as in Rules. If zero, as there: one channel "voice", FairPriority, a seed taken anew at
	// each start and written to the log, nobody remembered.
	Channels   []Channel
	Fairness   Fairness
	Seed       uint64
	LastAgents int
	// Resume goes on with what the last process left open instead of closing it: callbacks and waiting works keep place and clock,
	// conversations go on, agents stay logged in. Whoever sets it must take the open works up again (Snapshot.Works, Attach) and end those
	// that are gone. At the end of Run callbacks stay open. If false, what was open is closed.
	Resume bool
	// KeepCallbacks goes on with the callbacks that the last process left open, and closes all else: for a Center whose calls end with the
	// process. Everybody is logged out; callbacks keep place, clock and attempts, an attempt that was under way counts, and those of a queue
	// that offers none any more end with cause "removed". At the end of Run callbacks stay open. Resume includes it. If false, they are closed.
	KeepCallbacks bool

	Authorizer Authorizer // required: asked before every supervisor verb
	Auditor    Auditor    // required: records every supervisor verb

	// Observer is called for every event with what was decided on it, in order, once the event is durable. It runs in the goroutine
	// that writes the log: it must not block for long, must not call End, Abandon, Drain or Close (which wait for it), and must not
	// keep the Decisions. If nil, nobody observes.
	Observer func(Entry)
	// OnRecord is called, in the same way, for every ended work. If nil, nobody is told.
	OnRecord func(Record)
	// MaxOpen bounds how many works are open at once; Arrive refuses the next with ErrOverloaded. If zero, 10 000; there is no unlimited.
	MaxOpen int
	// Logger gets store faults and late acceptances. It never gets attributes. If nil, slog.Default().
	Logger *slog.Logger
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.MaxOpen == 0 {
		c.MaxOpen = defaultMaxOpen
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	or(&c.Seed, rand.Uint64())
	r := c.rules()
	c.Queues, c.Agents, c.Channels, c.Fairness = r.Queues, r.Agents, r.Channels, r.Fairness
	return c
}

// rules returns the rules with their defaults.
func (c Config) rules() Rules {
	return Rules{Queues: c.Queues, Agents: c.Agents, Channels: c.Channels, Fairness: c.Fairness, Seed: c.Seed, LastAgents: c.LastAgents}.WithDefaults()
}

func (c Config) validate() error {
	switch {
	case c.Store == nil:
		return fmt.Errorf("%w: Store is required", ErrConfig)
	case c.Offerer == nil:
		return fmt.Errorf("%w: Offerer is required", ErrConfig)
	case c.Authorizer == nil:
		return fmt.Errorf("%w: Authorizer is required", ErrConfig)
	case c.Auditor == nil:
		return fmt.Errorf("%w: Auditor is required", ErrConfig)
	case c.MaxOpen < 0:
		return fmt.Errorf("%w: MaxOpen is negative", ErrConfig)
	}
	r := c.rules()
	if err := r.validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return r.practical(c.Offerer)
}

// practical refuses rules that are possible but that no Center should run: callbacks that nobody could make, and times so short that
// offers would follow one another without end.
func (r Rules) practical(o Offerer) error {
	_, dials := o.(Dialer)
	for i := range r.Queues {
		q := &r.Queues[i]
		if q.Callback.Expiry > 0 && !dials {
			return fmt.Errorf("%w: queue %q offers callbacks, but Offerer is no Dialer", ErrConfig, q.Name)
		}
		shortest := min(q.RingTimeout, q.RejectPause)
		if q.Callback.Expiry > 0 {
			shortest = min(shortest, q.Callback.Retry, q.Callback.DialTimeout)
		}
		if shortest < time.Millisecond {
			return fmt.Errorf("%w: queue %q: RingTimeout, RejectPause, Retry and DialTimeout are at least 1 ms", ErrConfig, q.Name)
		}
	}
	return nil
}
