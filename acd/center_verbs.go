package acd

import (
	"context"
	"fmt"
	"slices"
)

// Work is a contact at its arrival.
type Work struct {
	// ID is unique among open works, and should be unique for ever: records carry it. Required, at most 128 bytes.
	ID string
	// Attributes travel with the work into its Record and the log. At most 32, names and values at most 512 bytes. If nil, none.
	// They are not logged elsewhere; secrets do not belong here.
	Attributes map[string]string
}

// Result is what became of a wait in a queue.
type Result struct {
	// Outcome is one of the Result... words: answered, abandoned, full, no_agents, timeout, overflow, exit, callback.
	Outcome string
	// Agent is who answered. Empty unless Outcome is ResultAnswered.
	Agent string
}

// Ticket is a place in a queue.
type Ticket struct {
	done     chan struct{}
	over     <-chan struct{}
	result   Result
	places   chan Position
	priority int
	terms    Terms
	hops     int // queues it was sent on to
}

func (c *Center) newTicket(priority int, terms Terms) *Ticket {
	return &Ticket{done: make(chan struct{}), over: c.over, places: make(chan Position, 1), priority: priority, terms: terms}
}

// Announcements yields the position whenever the queue's Announce says that the caller should hear it; what is not read in time gives
// way to the next. It is never closed: select on Done too.
func (t *Ticket) Announcements() <-chan Position { return t.places }

// Done is closed once the wait is over. It costs no goroutine to wait on it.
func (t *Ticket) Done() <-chan struct{} { return t.done }

// Result returns what became of the wait; the zero Result until Done is closed.
func (t *Ticket) Result() Result {
	select {
	case <-t.done:
		return t.result
	default:
		return Result{}
	}
}

// Wait returns what became of the wait. If ctx ends first it returns ctx's error and the work keeps waiting: Abandon ends it. It
// returns ErrClosed if the Center ended without deciding.
func (t *Ticket) Wait(ctx context.Context) (Result, error) {
	select {
	case <-t.done:
		return t.result, nil
	default:
	}
	select {
	case <-t.done:
		return t.result, nil
	case <-t.over:
		return Result{}, ErrClosed
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
}

// Arrive makes a work known, in self-service. From here on it must be ended with End or Abandon. Errors wrap ErrExists, ErrInvalid,
// ErrOverloaded or ErrDraining.
func (c *Center) Arrive(ctx context.Context, w Work) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.draining:
		return ErrDraining
	case c.core.Open() >= c.cfg.MaxOpen:
		return fmt.Errorf("%w: %d works are open", ErrOverloaded, c.core.Open())
	case len(c.backlog) >= maxBacklog:
		return fmt.Errorf("%w: %d events wait for the store", ErrOverloaded, len(c.backlog))
	}
	return c.applyLocked(Event{Kind: KindArrived, Work: w.ID, Attributes: w.Attributes})
}

// Enqueue puts a work from self-service into a queue. Higher priority is served first, equal priority in order. A queue that is
// full or served by nobody is not an error but the Ticket's Result. Errors wrap ErrUnknown, ErrState or ErrInvalid.
func (c *Center) Enqueue(ctx context.Context, work, queue string, priority int) (*Ticket, error) {
	return c.EnqueueWith(ctx, work, queue, priority, Terms{})
}

// EnqueueWith is Enqueue on terms. A work that a rule of overflow sends to another queue goes there on the same terms with its clock
// kept, and the Ticket stays the same.
func (c *Center) EnqueueWith(ctx context.Context, work, queue string, priority int, terms Terms) (*Ticket, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.tickets[work]; old != nil {
		return nil, fmt.Errorf("%w: work %q waits already", ErrState, work)
	}
	terms.Needs, terms.Prefer = slices.Clone(terms.Needs), slices.Clone(terms.Prefer)
	t := c.newTicket(priority, terms)
	c.tickets[work] = t // before applying, which may resolve it
	if err := c.applyLocked(Event{Kind: KindEnqueued, Work: work, Queue: queue, Priority: priority, Terms: terms.orNil()}); err != nil {
		delete(c.tickets, work)
		return nil, err
	}
	return t, nil
}

// Abandon ends a work because the caller hung up, wherever it is; the record says how it counts. It returns once that is durable.
func (c *Center) Abandon(ctx context.Context, work string) error {
	return c.finish(ctx, Event{Kind: KindAbandoned, Work: work})
}

// End ends a work: the conversation is over, or the caller's way through self-service. cause is a word for the record, at most 64
// bytes; if empty, "ended". It returns once the end is durable, so that a record is never lost after the caller was told goodbye.
// If ctx ends first, the work has ended all the same.
func (c *Center) End(ctx context.Context, work, cause string) error {
	return c.finish(ctx, Event{Kind: KindEnded, Work: work, Reason: cause})
}

func (c *Center) finish(ctx context.Context, ev Event) error {
	seq, err := c.do(ctx, ev)
	if err != nil {
		return err
	}
	return c.waitDurable(ctx, seq)
}

// Login makes an agent known as present; the state becomes NotReady with reason "login" until Ready. An agent who is logged in
// stays as they are.
func (c *Center) Login(ctx context.Context, agent string) error {
	_, err := c.do(ctx, Event{Kind: KindLogin, Agent: agent})
	return err
}

// Logout logs an agent out: at once, taking back an offer, or after the conversation if there is one.
func (c *Center) Logout(ctx context.Context, agent string) error {
	_, err := c.do(ctx, Event{Kind: KindLogout, Agent: agent})
	return err
}

// Ready says that an agent takes work. It ends wrap-up and any not-ready state.
func (c *Center) Ready(ctx context.Context, agent string) error {
	_, err := c.do(ctx, Event{Kind: KindReady, Agent: agent})
	return err
}

// NotReady says that an agent takes no work, with a reason of at most 64 bytes: at once, taking back an offer, or after the
// conversation and its wrap-up if there is one.
func (c *Center) NotReady(ctx context.Context, agent, reason string) error {
	_, err := c.do(ctx, Event{Kind: KindNotReady, Agent: agent, Reason: reason})
	return err
}

// Ringing says that the agent's device rings for the work it is being offered. It changes the state shown, nothing else. An offer
// that is over gives ErrStale.
func (c *Center) Ringing(ctx context.Context, agent, work string) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applyLocked(Event{Kind: KindRinging, Agent: agent, Work: work, Offer: c.core.offerOf(agent)})
}

// Position returns where a waiting work stands. It returns ErrClosed before Run has read the log.
func (c *Center) Position(work string) (Position, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return Position{}, ErrClosed
	}
	return c.core.Position(work)
}

// Snapshot returns the present state. Before Run has read the log it has no queues.
func (c *Center) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.cfg.Now().UTC()
	if !c.ready {
		return Snapshot{At: now}
	}
	return c.core.Snapshot(now)
}
