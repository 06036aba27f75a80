package acd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Center runs a Core: it adds the clock, the log, the offers and the waiting. It is safe for concurrent use. Methods wait until Run
// has read the log, and return ErrClosed once Run is over.
type Center struct {
	cfg Config

	started chan struct{} // closed when the log is read and works are taken
	over    chan struct{} // closed when Run has returned
	lost    chan struct{} // closed when nothing more will be written
	wake    chan struct{} // the next deadline may have changed
	dirty   chan struct{} // there is something to write
	stop    context.CancelCauseFunc
	offers  sync.WaitGroup

	mu       sync.Mutex
	run      bool // Run was called
	ready    bool // between started and the end of Run
	draining bool
	core     *Core
	tickets  map[string]*Ticket
	cancels  map[uint64]context.CancelCauseFunc
	phones   map[string]chan struct{} // by agent: closed when the Offer running now has returned
	backlog  []Entry                  // applied, not yet durable
	durable  uint64                   // sequence number of the last durable event
	written  chan struct{}            // closed and replaced whenever durable grows
	empty    chan struct{}            // closed when draining and no work is open; nil if nobody asked
	offerCtx context.Context
	moves    []Decision // overflows that name the next queue, to be carried out
	saved    uint64     // sequence number of the state kept last
}

// New checks cfg and returns a Center that takes works once Run is called.
func New(cfg Config) (*Center, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Center{
		cfg: cfg, core: NewCore(),
		started: make(chan struct{}), over: make(chan struct{}), lost: make(chan struct{}), written: make(chan struct{}),
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		tickets: map[string]*Ticket{}, cancels: map[uint64]context.CancelCauseFunc{}, phones: map[string]chan struct{}{},
	}, nil
}

// Started is closed once Run has read the log and the Center takes works.
func (c *Center) Started() <-chan struct{} { return c.started }

// Run replays the log, closes what the last process left open, and works until ctx ends or Close is called; then it ends the works
// still open with cause "shutdown", makes the log durable and returns nil. It returns an error if the log cannot be read, does not
// replay, or has another writer. It can be called once.
func (c *Center) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	c.mu.Lock()
	if c.run {
		c.mu.Unlock()
		return ErrRunning
	}
	c.run, c.stop = true, stop
	c.mu.Unlock()
	defer close(c.over)

	if err := c.read(ctx); err != nil {
		return err
	}
	writeCtx, stopWriter := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWriter(nil)
	c.mu.Lock()
	c.durable = c.core.Seq()
	c.offerCtx = ctx
	c.ready = true
	rules := c.cfg.rules()
	err := c.applyLocked(Event{Kind: KindStarted, Rules: &rules, Resume: c.cfg.Resume, Callbacks: c.cfg.KeepCallbacks})
	c.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLog, err)
	}
	close(c.started)

	writer := make(chan error, 1)
	// Stopped by stopWriter or by a conflict, waited for below.
	go func() {
		err := c.write(writeCtx)
		close(c.lost)
		writer <- err
	}()
	timers := make(chan struct{})
	// Stopped with ctx, waited for below.
	go func() { defer close(timers); c.tick(ctx) }()

	select {
	case <-ctx.Done():
	case err = <-writer:
		stop(err)
	}
	<-timers
	c.shutdown()
	c.offers.Wait()
	if err == nil {
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		err = c.flush(flush, stopWriter, writer)
	}
	return err
}

// flush waits until everything applied is durable, then stops the writer.
func (c *Center) flush(ctx context.Context, stopWriter context.CancelCauseFunc, writer <-chan error) error {
	c.mu.Lock()
	last := c.core.Seq()
	c.mu.Unlock()
	err := c.waitDurable(ctx, last)
	stopWriter(ErrClosed)
	err = errors.Join(err, <-writer)
	if err == nil {
		c.saveState(ctx, 1)
	}
	return err
}

// Close ends Run at once, as if its ctx had ended, and waits for it. It does nothing if Run was never called.
func (c *Center) Close() error {
	c.mu.Lock()
	run, stop := c.run, c.stop
	c.mu.Unlock()
	if !run {
		return nil
	}
	stop(ErrClosed)
	<-c.over
	return nil
}

// Drain refuses new works from now on and waits until the open ones have ended by themselves, or ctx ends. Callbacks that a next
// process will go on with (Config.Resume, Config.KeepCallbacks) are not waited for.
func (c *Center) Drain(ctx context.Context) error {
	if err := c.wait(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	if !c.ready {
		c.mu.Unlock()
		return ErrClosed
	}
	c.draining = true
	if c.empty == nil {
		c.empty = make(chan struct{})
		if c.live() == 0 {
			close(c.empty)
		}
	}
	empty := c.empty
	c.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-c.over:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait returns nil once Run takes works.
func (c *Center) wait(ctx context.Context) error {
	select {
	case <-c.started:
		return nil
	default:
	}
	select {
	case <-c.started:
		return nil
	case <-c.over:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// do applies one event and returns its sequence number.
func (c *Center) do(ctx context.Context, ev Event) (uint64, error) {
	if err := c.wait(ctx); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.applyLocked(ev); err != nil {
		return 0, err
	}
	return c.core.Seq(), nil
}

// applyLocked serves due timers, applies ev and carries out what was decided.
func (c *Center) applyLocked(ev Event) error {
	if !c.ready {
		return ErrClosed
	}
	now := c.cfg.Now().UTC().Round(0)
	if last := c.core.Now(); now.Before(last) {
		now = last // a clock that was set back stands still until it has caught up
	}
	if due, ok := c.core.NextTimer(); ok && !due.After(now) && ev.Kind != KindTimer && ev.Kind != KindStarted {
		if err := c.stepLocked(Event{Kind: KindTimer}, now); err != nil {
			return err
		}
	}
	return c.stepLocked(ev, now)
}

func (c *Center) stepLocked(ev Event, now time.Time) error {
	ev.Seq, ev.At = c.core.Seq()+1, now
	decisions, err := c.core.Apply(ev)
	if err != nil {
		return err
	}
	ev.Attributes = maps.Clone(ev.Attributes)
	c.backlog = append(c.backlog, Entry{Event: ev, Decisions: append([]Decision(nil), decisions...)})
	for i := range decisions {
		c.carryOutLocked(&decisions[i])
	}
	if err := c.moveLocked(); err != nil {
		return err
	}
	if c.empty != nil && c.live() == 0 {
		select {
		case <-c.empty:
		default:
			close(c.empty)
		}
	}
	poke(c.dirty)
	poke(c.wake)
	return nil
}

func poke(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

func (c *Center) carryOutLocked(d *Decision) {
	switch d.Kind {
	case DecideOffer:
		ctx, cancel := context.WithCancelCause(c.offerCtx)
		c.cancels[d.Offer] = cancel
		before, done := c.phones[d.Agent], make(chan struct{})
		c.phones[d.Agent] = done
		c.offers.Add(1)
		// Stopped by cancel, which every offer gets in the end; waited for by Run.
		go c.present(ctx, d.Agent, d.Work, d.Offer, before, done)
	case DecideDial:
		ctx, cancel := context.WithCancelCause(c.offerCtx)
		c.cancels[d.Offer] = cancel
		c.offers.Add(1)
		// Stopped by cancel, which every attempt gets in the end; waited for by Run.
		go c.dial(ctx, d.Agent, d.Work, d.Offer)
	case DecideAnnounce:
		c.announceLocked(d)
	case DecideCallback:
		c.resolveLocked(d.Work, Result{Outcome: ResultCallback})
	case DecideRevoke:
		if cancel := c.cancels[d.Offer]; cancel != nil {
			cancel(fmt.Errorf("%w: %s", ErrStale, d.Reason))
		}
	case DecideAnswered:
		c.resolveLocked(d.Work, Result{Outcome: ResultAnswered, Agent: d.Agent})
	case DecideOverflow:
		if c.movesOn(d) {
			return
		}
		c.resolveLocked(d.Work, Result{Outcome: d.Reason})
	case DecideEnded:
		c.resolveLocked(d.Work, Result{Outcome: ResultAbandoned})
	case DecideState:
	}
}

func (c *Center) resolveLocked(work string, r Result) {
	if t := c.tickets[work]; t != nil {
		delete(c.tickets, work)
		t.result = r
		close(t.done)
	}
}

// present runs one offer from start to end. It begins once the agent's phone is done with the one before, which may still be on its
// way to stop ringing: a phone that is asked too early says busy, and its agent would be paused for nothing.
func (c *Center) present(ctx context.Context, agent, work string, offer uint64, before <-chan struct{}, done chan struct{}) {
	defer c.offers.Done()
	if before != nil {
		<-before
	}
	accepted, err := false, ctx.Err()
	if err == nil { // else it was over before it began
		accepted, err = c.cfg.Offerer.Offer(ctx, agent, work)
	}
	ev := Event{Kind: KindAccepted, Agent: agent, Work: work, Offer: offer}
	if !accepted || err != nil {
		ev.Kind, ev.Reason = KindRejected, "refused"
		if err != nil {
			ev.Reason = "unreachable"
		}
	}
	c.mu.Lock()
	c.cancels[offer](nil)
	delete(c.cancels, offer)
	close(done)
	if c.phones[agent] == done {
		delete(c.phones, agent)
	}
	applyErr := c.applyLocked(ev)
	c.mu.Unlock()
	if err != nil && applyErr == nil { // an error after the offer was revoked is only the revocation
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "acd: agent could not be reached", slog.String("agent", agent), slog.String("work", work), slog.Any("error", err))
	}
	if ev.Kind == KindAccepted && applyErr != nil {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "acd: acceptance came too late", slog.String("agent", agent), slog.String("work", work))
		if w, ok := c.cfg.Offerer.(Withdrawer); ok {
			w.Withdraw(context.WithoutCancel(ctx), agent, work)
		}
	}
}

// tick serves deadlines.
func (c *Center) tick(ctx context.Context) {
	t := time.NewTimer(time.Hour)
	defer t.Stop()
	for {
		c.mu.Lock()
		d := time.Hour
		if due, ok := c.core.NextTimer(); ok {
			if d = due.Sub(c.cfg.Now()); d <= 0 {
				if err := c.applyLocked(Event{Kind: KindTimer}); err != nil {
					c.cfg.Logger.LogAttrs(ctx, slog.LevelError, "acd: timer", slog.Any("error", err))
				}
				d = 0
				if due, ok = c.core.NextTimer(); ok {
					d = max(0, due.Sub(c.cfg.Now()))
				} else {
					d = time.Hour
				}
			}
		}
		c.mu.Unlock()
		t.Reset(d)
		select {
		case <-t.C:
		case <-c.wake:
		case <-ctx.Done():
			return
		}
	}
}

// shutdown ends every open work and takes no more events.
func (c *Center) shutdown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range c.core.openWorks(!c.cfg.Resume && !c.cfg.KeepCallbacks) {
		if err := c.applyLocked(Event{Kind: KindEnded, Work: id, Reason: CauseShutdown}); err != nil {
			c.cfg.Logger.Error("acd: shutdown", slog.String("work", id), slog.Any("error", err))
		}
	}
	c.ready = false
	for _, cancel := range c.cancels {
		cancel(ErrClosed)
	}
}
