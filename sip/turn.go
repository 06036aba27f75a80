package sip

import "context"

// turn is who has an offer without an answer (RFC 3264 section 4): one side at a time. It is guarded by Call.mu.
type turn struct {
	by    side
	freed chan struct{} // closed when the turn is over; made by who waits for that
}

type side int

const (
	nobody side = iota
	we
	they
)

func (t *turn) take(by side) bool {
	if t.by != nobody {
		return false
	}
	t.by = by
	return true
}

func (t *turn) free() {
	t.by = nobody
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}

// takeTurn waits until an offer of ours may be made.
func (c *Call) takeTurn(ctx context.Context) error {
	for {
		c.mu.Lock()
		switch {
		case c.state == stateEnded:
			c.mu.Unlock()
			return ErrCallEnded
		case c.turn.take(we):
			c.mu.Unlock()
			return nil
		}
		if c.turn.freed == nil {
			c.turn.freed = make(chan struct{})
		}
		freed := c.turn.freed
		c.mu.Unlock()
		select {
		case <-freed:
		case <-c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (c *Call) freeTurn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.free()
}
