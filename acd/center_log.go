package acd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// write makes the backlog durable, a batch at a time: while one batch is being written the next one gathers. A store that fails is
// tried again until it works; only another writer in the log ends it, since two Centers deciding from one log would offer one agent
// twice.
func (c *Center) write(ctx context.Context) error {
	retry := storeRetryMin
	for {
		c.mu.Lock()
		n := min(len(c.backlog), maxBatch)
		batch := c.backlog[:n:n]
		c.mu.Unlock()
		if n == 0 {
			select {
			case <-c.dirty:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		events := make([]Event, n)
		for i := range batch {
			events[i] = batch[i].Event
		}
		err := c.cfg.Store.Append(ctx, events)
		switch {
		case errors.Is(err, ErrConflict):
			return err
		case err != nil && ctx.Err() != nil:
			return nil // Run reports what could not be written
		case err != nil:
			c.cfg.Logger.LogAttrs(ctx, slog.LevelError, "acd: log is not durable, will retry", slog.Int("events", n), slog.Duration("in", retry), slog.Any("error", err))
			select {
			case <-time.After(retry):
			case <-ctx.Done():
			}
			retry = min(2*retry, storeRetryMax)
			continue
		}
		retry = storeRetryMin
		for i := range batch {
			c.observe(&batch[i])
		}
		c.mu.Lock()
		if c.backlog = c.backlog[n:]; len(c.backlog) == 0 {
			c.backlog = nil // let go of a backlog that was large once
		}
		c.durable = events[n-1].Seq
		close(c.written)
		c.written = make(chan struct{})
		c.mu.Unlock()
		c.saveState(ctx, saveEvery)
	}
}

func (c *Center) observe(e *Entry) {
	if c.cfg.Observer != nil {
		c.cfg.Observer(*e)
	}
	if c.cfg.OnRecord == nil {
		return
	}
	for i := range e.Decisions {
		if r := e.Decisions[i].Record; r != nil {
			c.cfg.OnRecord(*r)
		}
	}
}

// waitDurable returns once the event with the given number is in the store and was observed.
func (c *Center) waitDurable(ctx context.Context, seq uint64) error {
	for over := false; ; {
		c.mu.Lock()
		done, written := c.durable >= seq, c.written
		c.mu.Unlock()
		switch {
		case done:
			return nil
		case over:
			return ErrClosed
		}
		select {
		case <-written:
		case <-c.lost:
			over = true // look once more
		case <-c.over:
			over = true
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read brings the Core to the end of the log, from the state kept last if there is one.
func (c *Center) read(ctx context.Context) error {
	if k, ok := c.cfg.Store.(StateKeeper); ok {
		state, err := k.LoadState(ctx)
		if err != nil {
			return fmt.Errorf("acd: reading the state: %w", err)
		}
		if state != nil {
			if c.core, err = RestoreCore(state); err != nil {
				return err
			}
			c.saved = c.core.Seq()
		}
	}
	for ev, err := range c.cfg.Store.Load(ctx, c.core.Seq()) {
		if err != nil {
			return fmt.Errorf("acd: reading the log: %w", err)
		}
		if _, err := c.core.Apply(ev); err != nil {
			return fmt.Errorf("%w: event %d: %w", ErrLog, ev.Seq, err)
		}
	}
	return nil
}

// saveState hands the state to the store if everything is durable and the last one is at least so many events old. A state that
// cannot be kept costs time at the next start, nothing else.
func (c *Center) saveState(ctx context.Context, least uint64) {
	k, ok := c.cfg.Store.(StateKeeper)
	if !ok {
		return
	}
	c.mu.Lock()
	seq := c.core.Seq()
	if c.durable != seq || seq < c.saved+least {
		c.mu.Unlock()
		return
	}
	st := c.core.dump()
	c.mu.Unlock()
	state, err := json.Marshal(&st)
	if err == nil {
		err = k.SaveState(ctx, seq, state)
	}
	if err != nil {
		c.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "acd: state not kept", slog.Uint64("event", seq), slog.Any("error", err))
		return
	}
	c.saved = seq
}
