package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// customer is a caller who has been called back and has answered.
type customer struct {
	call  *sip.Call
	leg   *media.Leg
	close func()      // frees everything, also what may be spent
	spent func() bool // all that may be spent is; false for users
}

var (
	errNotPromised = errors.New("no callback was promised")
	errAgentGone   = errors.New("the agent has gone")
)

// refusal is why a callback was not placed, in a word for the event.
type refusal string

func (r refusal) Error() string { return "callback refused: " + string(r) }

// Dial calls a caller back for an agent who has answered, joins them and returns. The agent hears music meanwhile, and is released if it fails.
func (s *site) Dial(ctx context.Context, agent, work string) (bool, error) {
	free := make(chan struct{})
	s.mu.Lock()
	s.dialing[agent] = free
	ses := s.sessions[seat{work, agent}]
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.dialing, agent)
		s.mu.Unlock()
		close(free)
	}()
	if ses == nil {
		return false, errNotPromised
	}
	p, c, err := s.reachBack(ctx, ses, work)
	if err != nil {
		s.emit(event{Event: "callback-failed", Call: work, Agent: agent, Cause: failureOf(err)})
		s.takeSession(work, agent)
		ses.end()
		return false, nil
	}
	s.wg.Add(1)
	go func() { // ends with the calls; waited for by close
		defer s.wg.Done()
		s.talkBack(ctx, p, c, ses, work)
	}()
	return true, nil
}

// released waits until an agent's phone is done with the callback before.
func (s *site) released(ctx context.Context, agent string) error {
	s.mu.Lock()
	free := s.dialing[agent]
	s.mu.Unlock()
	if free == nil {
		return nil
	}
	select {
	case <-free:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failureOf is the word of an event.
func failureOf(err error) string {
	var refused *sip.StatusError
	var no refusal
	switch {
	case errors.As(err, &no):
		return string(no)
	case errors.Is(err, errAgentGone):
		return "agent gone"
	case errors.As(err, &refused) && (refused.Code == 486 || refused.Code == 600):
		return "busy"
	case errors.As(err, &refused):
		return "refused"
	case errors.Is(err, acd.ErrStale), errors.Is(err, acd.ErrClosed):
		return "no answer"
	default:
		return "unreachable"
	}
}

// reachBack calls the caller of a work: nobody but whom the work was promised for, and what is outside only if the guard allows it now.
func (s *site) reachBack(ctx context.Context, ses *session, work string) (*phone, *customer, error) {
	w, ok := s.center.Work(work)
	reach := w.Attributes[reachAttribute]
	if !ok || !w.Callback || reach == "" {
		return nil, nil, refusal("number not proved")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	defer func() { cancel(nil); <-watched }()
	go func() { // ends with the attempt, waited for above
		defer close(watched)
		select {
		case <-ses.call.Done():
			cancel(errAgentGone)
		case <-ses.leg.TimedOut():
			cancel(errAgentGone)
		case <-ctx.Done():
		}
	}()
	defer ses.leg.Loop(s.prompts.find("en", holdMusic))()
	if err := s.hungUp(ctx, work); err != nil {
		return nil, nil, err
	}
	var c *customer
	var err error
	from := arrival{caller: w.Attributes["caller"], called: w.Attributes["dialed"], carrier: w.Attributes[carrierAttribute], proved: w.Attributes["identity"]}
	if from.carrier == "" {
		c, err = s.callUser(ctx, reach, from.called)
	} else {
		from.number, from.asserted = reach, true
		c, err = s.callNumber(ctx, work, reach)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, nil, err
	}
	p := &phone{site: s, call: c.call, leg: c.leg, id: work, caller: from.caller, from: from, work: work, untold: true}
	p.joins("caller", c.call, c.leg)
	if err := p.notice(ctx, w.Queue); err != nil {
		c.end()
		return nil, nil, err
	}
	s.mu.Lock()
	s.callers[work] = p
	s.mu.Unlock()
	return p, c, nil
}

// hungUp waits until the caller's own call is over: they may still be hearing that they will be called.
func (s *site) hungUp(ctx context.Context, work string) error {
	s.mu.Lock()
	var left chan struct{}
	if p := s.callers[work]; p != nil {
		left = p.left
	}
	s.mu.Unlock()
	if left == nil {
		return nil
	}
	select {
	case <-left:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// notice says what the queue wants whoever answers to know.
func (p *phone) notice(ctx context.Context, queue string) error {
	cb := p.site.callbackOf(queue)
	if cb == nil || cb.Notice == "" {
		return nil
	}
	if err := p.leg.Play(ctx, p.site.prompts.find("en", cb.Notice)); err != nil {
		return err
	}
	p.untold = false
	return nil
}

func (c *customer) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.call.Hangup(ctx) // over for us either way
	c.close()
}

// callUser calls a user of the tenant back, on whatever phone they have now.
func (s *site) callUser(ctx context.Context, user, from string) (*customer, error) {
	if !s.isUser(ctx, user) {
		return nil, refusal("not a user")
	}
	release := s.occupy(user)
	ses, err := s.ring(ctx, user, from, nil)
	if err != nil {
		release()
		return nil, err
	}
	return &customer{call: ses.call, leg: ses.leg, spent: func() bool { return false }, close: func() { ses.leg.Close(); release() }}, nil
}

// callNumber calls a number outside back, and ends the call when what may be spent is spent.
func (s *site) callNumber(ctx context.Context, work, number string) (*customer, error) {
	n := s.node
	d, why := s.allowsCallback(work, number)
	if why != "" {
		return nil, refusal(why)
	}
	paid := func() {
		if _, err := n.toll.Ended(time.Now(), d.id); err != nil {
			s.log.Error("callback not charged", "call", work, "err", err)
		}
		n.keepToll()
	}
	if err := n.toll.Started(time.Now(), d.id); err != nil {
		paid()
		return nil, err
	}
	leg, call, err := s.dialOut(ctx, number, nil)
	if err != nil {
		paid()
		return nil, err
	}
	_ = n.toll.Answered(time.Now(), d.id) // started just now
	var spent atomic.Bool
	over, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with the call; waited for by close below
		defer close(ended)
		b := n.budgetOf(d.id, d.Decision, time.Now())
		defer b.stop()
		for {
			select {
			case <-b.due:
				if b.more() {
					continue
				}
				spent.Store(true)
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
				defer cancel()
				_ = call.Hangup(ctx) // over for us either way
				return
			case <-over:
				return
			}
		}
	}()
	return &customer{call: call, leg: leg, spent: spent.Load, close: func() {
		close(over)
		<-ended
		leg.Close()
		paid()
	}}, nil
}

// talkBack holds the conversation of a callback, as any other is held, and accounts for it. attempt ends when the distributor knows that the caller was reached.
func (s *site) talkBack(attempt context.Context, p *phone, c *customer, ses *session, work string) {
	defer c.close()
	defer s.node.inspect(work, c.leg)
	ctx, cancel := context.WithCancel(context.WithoutCancel(attempt))
	defer context.AfterFunc(ctx, func() { c.leg.Close() })() // a caller who is gone wakes whatever waits for their leg
	watched := make(chan struct{})
	defer func() { cancel(); <-watched }()
	go func() { // ends with the call, waited for above
		defer close(watched)
		select {
		case <-c.call.Done():
			cancel()
		case <-c.leg.TimedOut():
			_ = p.Hangup(ctx, "silent")
			cancel()
		case <-ctx.Done():
		}
	}()
	queue := ""
	if w, ok := s.center.Work(work); ok {
		queue = w.Queue
	}
	by := p.converse(ctx, ses, queue)
	if c.spent() {
		by = "limit"
	}
	<-attempt.Done()
	s.takeSession(work, ses.agent)
	if p.work != "" { // else it ended when the agent handed the caller over
		s.endCallback(work, by)
	}
	s.mu.Lock()
	if s.callers[work] == p { // else it came too late, and the next attempt has begun
		delete(s.callers, work)
	}
	s.mu.Unlock()
	s.follow(ctx, p)
}

// endCallback tells the distributor how the conversation ended, unless it came too late to be one: then the caller waits for the next attempt.
func (s *site) endCallback(work, by string) {
	if w, ok := s.center.Work(work); !ok || w.Waiting {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := s.center.End(ctx, work, by); err != nil && !errors.Is(err, acd.ErrClosed) {
		s.log.Error("callback not accounted for", "call", work, "err", err)
	}
}
