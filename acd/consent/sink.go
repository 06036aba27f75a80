package consent

import (
	"context"
	"io"
	"time"
)

// Sink passes events on to where they are gathered, if there is consent. It is safe for concurrent use if the function behind it is.
type Sink[E any] struct {
	gate    *Gate
	purpose Purpose
	to      func(context.Context, E) error
}

// NewSink returns a Sink before a function, which must not call the Gate. A Sink without gate or function refuses everything.
func NewSink[E any](gate *Gate, p Purpose, to func(context.Context, E) error) *Sink[E] {
	return &Sink[E]{gate, p, to}
}

// Put passes an event of a user's session on, or returns an error that wraps ErrNone and forgets the event. Any other error is the function's.
func (s *Sink[E]) Put(ctx context.Context, user, session string, at time.Time, event E) error {
	if s == nil || s.gate == nil || s.to == nil {
		return ErrNone
	}
	return s.gate.pass(key{user, session, s.purpose}, at, func() error { return s.to(ctx, event) })
}

// Capture writes what the desk of one agent shows, in one session, as long as the agent consents. It is safe for concurrent use if the
// writer behind it is.
type Capture struct {
	gate *Gate
	key  key
	to   io.Writer
}

// NewCapture opens a capture of one agent's session into w. Without a consent of that agent and session it returns an error that wraps ErrNone,
// and no Capture: nothing is set up that could run by mistake.
func NewCapture(gate *Gate, user, session string, at time.Time, w io.Writer) (*Capture, error) {
	if gate == nil || w == nil || !gate.Allows(user, session, ScreenReplay, at) {
		return nil, ErrNone
	}
	return &Capture{gate, key{user, session, ScreenReplay}, w}, nil
}

// Frame writes one frame that was taken at a time. Once the consent is withdrawn or over it returns an error that wraps ErrNone and writes
// nothing.
func (c *Capture) Frame(frame []byte, at time.Time) error {
	return c.gate.pass(c.key, at, func() error {
		_, err := c.to.Write(frame)
		return err
	})
}
