package acd

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// maxHops is how often rules of overflow may send one work on before it comes back: two queues could send it to each other for ever.
const maxHops = 8

// saveEvery is after how many events a StateKeeper gets the next state.
const saveEvery = 100_000

func (t Terms) orNil() *Terms {
	if len(t.Needs) == 0 && len(t.Prefer) == 0 && t.PreferWait == 0 && t.HeadStart == 0 && !t.KeepClock && !t.Human && t.Customer == "" {
		return nil
	}
	return &t
}

// Exit lets a waiting caller leave the queue by a key of Queue.ExitKeys; the Ticket's Result is ResultExit. Another key, or a work that
// does not wait, gives an error that wraps ErrState.
func (c *Center) Exit(ctx context.Context, work string, key byte) error {
	_, err := c.do(ctx, Event{Kind: KindExit, Work: work, Reason: string(rune(key))})
	return err
}

// CallBack lets the caller of a waiting work hang up and be called back, in the same place with the same clock. The Ticket's Result is
// ResultCallback: the caller's side must not end the work. It returns once the promise is durable. Errors wrap ErrState if the queue
// offers none, or the work does not wait.
func (c *Center) CallBack(ctx context.Context, work string) error {
	return c.finish(ctx, Event{Kind: KindCallback, Work: work})
}

// Pick offers a waiting work to an agent who chose it by hand, whatever its place and the agent's skills; both must belong to the queue
// and the agent must be free. Errors wrap ErrUnknown or ErrState.
func (c *Center) Pick(ctx context.Context, agent, work string) error {
	_, err := c.do(ctx, Event{Kind: KindPicked, Agent: agent, Work: work})
	return err
}

// ExtendWrapUp prolongs an agent's wrap-up, the one that ends first, by up to a day. Ready, or a supervisor's Force, ends it.
func (c *Center) ExtendWrapUp(ctx context.Context, agent string, by time.Duration) error {
	_, err := c.do(ctx, Event{Kind: KindExtended, Agent: agent, For: by})
	return err
}

// LoginDevice is Login from one of several devices, named by the application: the agent is logged out when the last one logs out.
func (c *Center) LoginDevice(ctx context.Context, agent, device string) error {
	_, err := c.do(ctx, Event{Kind: KindLogin, Agent: agent, Device: device})
	return err
}

// LogoutDevice ends one device's login, and with the last one the agent's. An empty device ends all, as Logout does.
func (c *Center) LogoutDevice(ctx context.Context, agent, device string) error {
	_, err := c.do(ctx, Event{Kind: KindLogout, Agent: agent, Device: device})
	return err
}

// Attach returns a Ticket for a waiting work that a process before this one enqueued (Config.Resume). Errors wrap ErrUnknown, or
// ErrState if the work does not wait, waits for a callback, or has a Ticket already.
func (c *Center) Attach(ctx context.Context, work string) (*Ticket, error) {
	if err := c.wait(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.core.works[work]
	switch {
	case w == nil:
		return nil, ErrUnknown
	case w.state != waiting && w.state != offered || w.callback || c.tickets[work] != nil:
		return nil, ErrState
	}
	t := c.newTicket(w.rec.Priority, Terms{Needs: w.class.given, Human: w.human})
	c.tickets[work] = t
	return t, nil
}

// Works returns all open works by id. Before Run has read the log there are none.
func (c *Center) Works() []WorkSnapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ready {
		return nil
	}
	return c.core.Works()
}

// Work returns one open work; false if there is none of that id, or before Run has read the log.
func (c *Center) Work(id string) (WorkSnapshot, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.core.works[id]
	if !c.ready || w == nil {
		return WorkSnapshot{}, false
	}
	return w.snapshot(), true
}

// movesOn keeps an overflow that names the next queue for moveLocked.
func (c *Center) movesOn(d *Decision) bool {
	t := c.tickets[d.Work]
	if d.To == "" || t == nil || t.hops >= maxHops {
		return false
	}
	t.hops++
	c.moves = append(c.moves, *d)
	return true
}

// moveLocked sends on what rules of overflow sent to other queues.
func (c *Center) moveLocked() error {
	for len(c.moves) > 0 {
		d := c.moves[0]
		c.moves = c.moves[1:]
		t := c.tickets[d.Work]
		terms := t.terms
		terms.KeepClock = true
		if err := c.applyLocked(Event{Kind: KindEnqueued, Work: d.Work, Queue: d.To, Priority: t.priority, Terms: &terms}); err != nil {
			c.resolveLocked(d.Work, Result{Outcome: d.Reason})
			c.cfg.Logger.Error("acd: overflow", slog.String("work", d.Work), slog.String("queue", d.To), slog.Any("error", err))
		}
	}
	return nil
}

func (c *Center) announceLocked(d *Decision) {
	t := c.tickets[d.Work]
	if t == nil {
		return
	}
	select { // the caller hears the latest
	case <-t.places:
	default:
	}
	t.places <- Position{Queue: d.Queue, Place: d.Place, EWT: d.EWT}
}

// dial makes one attempt at a callback.
func (c *Center) dial(ctx context.Context, agent, work string, offer uint64) {
	defer c.offers.Done()
	reached, err := false, errors.ErrUnsupported
	if d, ok := c.cfg.Offerer.(Dialer); ok {
		reached, err = d.Dial(ctx, agent, work)
	}
	ev := Event{Kind: KindReached, Agent: agent, Work: work, Offer: offer}
	if !reached || err != nil {
		ev.Kind, ev.Reason = KindUnreached, "no-answer"
		if err != nil {
			ev.Reason = "unreachable"
		}
	}
	c.mu.Lock()
	c.cancels[offer](nil)
	delete(c.cancels, offer)
	applyErr := c.applyLocked(ev)
	c.mu.Unlock()
	if err != nil && applyErr == nil {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "acd: customer could not be called", slog.String("agent", agent), slog.String("work", work), slog.Any("error", err))
	}
	if ev.Kind == KindReached && applyErr != nil {
		if w, ok := c.cfg.Offerer.(Withdrawer); ok {
			w.Withdraw(context.WithoutCancel(ctx), agent, work)
		}
	}
}

// live is how many open works Drain waits for.
func (c *Center) live() int {
	if c.cfg.Resume || c.cfg.KeepCallbacks {
		return c.core.Open() - c.core.callbacks
	}
	return c.core.Open()
}
