package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// Codes an agent dials to set their own state; the call ends with 480 at once.
const (
	codeReady    = "*1"
	codeNotReady = "*0"
)

// onCall is the life of an incoming call. It returns when the call is over.
func (n *node) onCall(ctx context.Context, c *sip.Call) {
	s := n.byRealm[c.Realm()]
	a, err := n.arrivalOf(c)
	if s == nil || err != nil {
		_ = c.Reject(404)
		return
	}
	if a.carrier != "" { // of the telephone network: public numbers only
		found, refuse := n.vouched(ctx, c, a)
		if refuse != 0 {
			s.emit(event{Event: "refused", Call: c.ID(), Cause: found})
			_ = c.Reject(refuse)
			return
		}
		a.proved = found
		if flow := s.numbers[a.called]; flow != nil && strings.HasPrefix(a.called, "+") {
			s.serve(ctx, c, flow, a)
			return
		}
		_ = c.Reject(404)
		return
	}
	if to := c.To(); to == codeReady || to == codeNotReady {
		if s.agents[c.User()] {
			s.setReady(c.User(), to == codeReady)
		}
		_ = c.Reject(480)
		return
	}
	defer s.occupy(c.User())()
	defer s.lightUp(c)()
	flow := s.numbers[c.To()]
	if flow == nil {
		flow, a.box = s.direct(ctx, c.To())
	}
	switch {
	case flow != nil:
		s.serve(ctx, c, flow, a)
	case s.isUser(ctx, c.To()):
		s.extension(ctx, c)
	case n.carriers != nil:
		s.outside(ctx, c)
	default:
		_ = c.Reject(404)
	}
}

// answer opens the caller's leg and accepts the call.
func (s *site) answer(ctx context.Context, c *sip.Call) (*media.Leg, error) {
	leg, err := s.newLeg(c.Transport() == "WSS", c.Secure(), media.ProposeSDES, c.RemoteAddr())
	if err != nil {
		_ = c.Reject(503)
		return nil, err
	}
	c.OnDigit(func(d byte) { _ = leg.InjectDigit(d) }) // INFO; a leg that is closed needs none
	if err := c.Answer(ctx, leg); err != nil {
		leg.Close()
		return nil, err
	}
	s.node.keys.watch(leg, c)
	if user := c.User(); user != "" && c.Transport() != "WSS" {
		s.keying.learn(user, leg)
	}
	s.mu.Lock()
	l := s.lamps[c]
	s.mu.Unlock()
	if l != nil {
		l.show("confirmed")
	}
	return leg, nil
}

// serve leads a caller through a flow and accounts for the call: it arrives once and ends once, whatever happens.
func (s *site) serve(ctx context.Context, c *sip.Call, flow *ivr.Flow, a arrival) {
	leg, err := s.answer(ctx, c)
	var refused *sip.StatusError
	if errors.As(c.Err(), &refused) { // by us: no common media, no port. It never was a call
		s.log.Info("call not answered", "call", c.ID(), "err", err)
		return
	}
	if err := s.center.Arrive(context.WithoutCancel(ctx), acd.Work{ID: c.ID(), Attributes: a.attributes()}); err != nil {
		s.log.Warn("call not taken", "call", c.ID(), "err", err)
		if leg != nil {
			leg.Close()
		}
		return
	}
	if err != nil { // the caller hung up within the three-way handshake: a call, and over
		s.account(c, nil, ivr.Outcome{})
		return
	}
	defer leg.Close()
	defer s.node.inspect(c.ID(), leg)
	p := &phone{site: s, call: c, leg: leg, id: c.ID(), caller: a.caller, from: a}
	p.joins("caller", c, leg)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { leg.Close() })() // a caller who is gone wakes whatever waits for their leg
	watched := make(chan struct{})
	go func() { // ends with the call, waited for below
		defer close(watched)
		select {
		case <-leg.TimedOut():
			_ = p.Hangup(ctx, "silent")
		case <-ctx.Done():
		}
	}()
	s.lead(ctx, p, flow, c.ID())
	s.follow(ctx, p)
	cancel()
	<-watched
}

// follow leads a caller whom an agent has sent on to another number of the tenant: work of its own each time.
func (s *site) follow(ctx context.Context, p *phone) {
	for n := 2; p.next != nil && ctx.Err() == nil; n++ {
		flow := p.next
		p.next = nil
		work := fmt.Sprintf("%s.%d", p.call.ID(), n)
		attributes := p.from.attributes()
		attributes["dialed"], attributes["transfer"] = flow.Name(), p.id
		if err := s.center.Arrive(context.WithoutCancel(ctx), acd.Work{ID: work, Attributes: attributes}); err != nil {
			s.log.Warn("transferred call not taken", "call", p.id, "err", err)
			return
		}
		s.lead(ctx, p, flow, work)
	}
}

// lead runs one flow with the caller, as one piece of work.
func (s *site) lead(ctx context.Context, p *phone, flow *ivr.Flow, work string) {
	left := make(chan struct{})
	s.mu.Lock()
	p.work, p.endedBy, p.left = work, "", left
	s.callers[work] = p
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.callers, work)
		s.mu.Unlock()
		close(left)
	}()
	out, err := flow.Run(ctx, p)
	if err != nil {
		s.log.Warn("flow failed", "call", work, "flow", flow.Name(), "step", out.Node, "err", err)
	}
	for _, f := range out.Faults {
		s.log.Warn("flow went around a fault", "call", work, "flow", flow.Name(), "err", f)
	}
	for _, secret := range out.Secrets {
		secret.Wipe()
	}
	s.account(p.call, p, out)
}

// account tells the distributor how the call ended.
func (s *site) account(c *sip.Call, p *phone, out ivr.Outcome) {
	work := c.ID()
	if p != nil {
		if work = p.work; work == "" { // it ended for the distributor when an agent handed the caller over, or it waits for a callback
			return
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	switch out.Result {
	case ivr.ResultAnswered:
		err = s.center.End(ctx, work, p.endedBy)
	case ivr.ResultHungUp, ivr.ResultStepLimit, ivr.ResultFailed:
		err = s.center.End(ctx, work, out.Reason)
	default:
		err = s.center.Abandon(ctx, work)
	}
	if err != nil && !errors.Is(err, acd.ErrClosed) {
		s.log.Error("call not accounted for", "call", work, "err", err)
	}
	for _, ses := range s.takeSessions(work) { // agents who answered in the very moment
		ses.end()
	}
}

func (s *site) isUser(ctx context.Context, name string) bool {
	_, err := s.tenant.User(ctx, s.router, name)
	return err == nil
}

// extension connects two phones of a tenant. It is no queue call: it is neither recorded nor reported.
func (s *site) extension(ctx context.Context, c *sip.Call) {
	if c.To() == c.User() || len(s.node.registrar.Lookup(s.realm(), c.To(), time.Now())) == 0 {
		_ = c.Reject(480)
		return
	}
	defer s.occupy(c.To())()
	ringCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ses, err := s.ring(ringCtx, c.To(), c.User(), func() { _ = c.Ring() })
	if err != nil {
		var refused *sip.StatusError
		if errors.As(err, &refused) {
			_ = c.Reject(refused.Code)
			return
		}
		s.log.Info("phone not reached", "call", c.ID(), "user", c.To(), "err", err)
		_ = c.Reject(480)
		return
	}
	leg, err := s.answer(ctx, c)
	if err != nil {
		ses.end()
		return
	}
	defer leg.Close()
	bridge, err := media.NewBridge(leg, ses.leg)
	if err != nil {
		s.log.Error("legs not joined", "call", c.ID(), "err", err)
		ses.end()
		return
	}
	x := &consultation{caller: c.User(), other: ses, taken: make(chan struct{}), freed: make(chan struct{})}
	s.mu.Lock()
	s.consultations[c] = x
	s.mu.Unlock()
	select {
	case <-c.Done():
	case <-ses.call.Done():
	case <-leg.TimedOut():
	case <-ses.leg.TimedOut():
	case <-x.taken:
	}
	bridge.Close()
	s.mu.Lock()
	mine := s.consultations[c] == x
	delete(s.consultations, c)
	s.mu.Unlock()
	close(x.freed)
	if mine {
		ses.end()
	}
}
