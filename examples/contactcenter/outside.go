package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/toll"
	"github.com/ringfence/ringfence/sip/trunk"
	"github.com/ringfence/ringfence/srtp/media"
)

// outside connects a phone with the telephone network: within what the tenant may spend and call, and to help always.
func (s *site) outside(ctx context.Context, c *sip.Call) {
	n := s.node
	emergency := n.carriers.IsEmergency(c.To())
	number := c.To()
	if !emergency {
		var err error
		if number, err = n.plan.Normalize(number); err != nil {
			_ = c.Reject(404)
			return
		}
	}
	bill := toll.Call{ID: c.ID(), Tenant: s.name, User: c.User(), Number: number}
	d := n.toll.Decide(time.Now(), bill)
	if !d.Allow && !emergency {
		s.emit(event{Event: "outbound-refused", Call: c.ID(), Agent: c.User(), Cause: string(d.Reason)})
		_ = c.Reject(403)
		return
	}
	defer func() {
		if _, err := n.toll.Ended(time.Now(), c.ID()); err != nil && !emergency {
			s.log.Error("call not charged", "call", c.ID(), "err", err)
		}
		n.keepToll()
	}()
	if err := n.toll.Started(time.Now(), c.ID()); err != nil && !emergency {
		_ = c.Reject(503)
		return
	}
	far, out, err := s.dialOut(ctx, number, func() { _ = c.Ring() })
	if err != nil {
		s.emit(event{Event: "outbound-ended", Call: c.ID(), Agent: c.User(), Cause: "not answered"})
		_ = c.Reject(outcomeOf(err))
		return
	}
	defer far.Close()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = out.Hangup(ctx) // over for us either way
	}()
	_ = n.toll.Answered(time.Now(), c.ID()) // unknown only for an emergency call that the guard never allowed, which costs nothing
	answered := time.Now()
	leg, err := s.answer(ctx, c)
	if err != nil {
		return
	}
	defer leg.Close()
	bridge, err := media.NewBridge(leg, far)
	if err != nil {
		s.log.Error("legs not joined", "call", c.ID(), "err", err)
		return
	}
	defer bridge.Close()
	s.emit(event{Event: "outbound", Call: c.ID(), Agent: c.User(), Cause: string(d.Class)})
	cause := s.talkOut(c, out, leg, far, d, answered)
	s.emit(event{Event: "outbound-ended", Call: c.ID(), Agent: c.User(), Cause: cause, Legs: []protection{protectionOf("caller", c, leg), protectionOf("carrier", out, far)}})
}

// dialOut places the call over the carriers. Each attempt has a leg of its own, with keys of its own.
func (s *site) dialOut(ctx context.Context, number string, ringing func()) (*media.Leg, *sip.Call, error) {
	var far *media.Leg
	call := trunk.Call{To: number, Owner: s.name, OnRinging: ringing, Location: s.cfg.Location.location()}
	if s.cfg.Outbound != nil {
		call.From, call.Callback = s.cfg.Outbound.From, s.cfg.Outbound.From
	}
	out, err := s.node.carriers.Dial(ctx, call, func(context.Context, string) (sip.Media, error) {
		var err error
		far, err = s.newLeg(false, true, media.ProposeSDES, "")
		return far, err
	})
	if err != nil {
		return nil, nil, err
	}
	s.node.keys.watch(far, out)
	out.OnDigit(func(d byte) { _ = far.InjectDigit(d) }) // INFO; a leg that is closed needs none
	return far, out, nil
}

// talkOut waits for the end of a call outside, and ends it when what may be spent is spent.
func (s *site) talkOut(c, out *sip.Call, near, far *media.Leg, d toll.Decision, answered time.Time) string {
	b := s.node.budgetOf(c.ID(), d, answered)
	defer b.stop()
	for {
		select {
		case <-c.Done():
			return "caller"
		case <-out.Done():
			return "called"
		case <-near.TimedOut():
			return "caller-silent"
		case <-far.TimedOut():
			return "called-silent"
		case <-b.due:
			if !b.more() {
				return "limit"
			}
		}
	}
}

// budget is what may be spent on one call outside. Used by one goroutine.
type budget struct {
	guard    *toll.Guard
	id       string
	answered time.Time
	timer    *time.Timer
	due      <-chan time.Time // more must be asked for; never for emergency calls
	last     bool
}

func (n *node) budgetOf(id string, d toll.Decision, answered time.Time) *budget {
	b := &budget{guard: n.toll, id: id, answered: answered}
	if d.Allow && d.MaxDuration > 0 {
		b.timer = time.NewTimer(time.Until(answered.Add(d.MaxDuration - extendAhead)))
		b.due = b.timer.C
	}
	return b
}

// more is for when it is due: false if the call must end now.
func (b *budget) more() bool {
	if b.last {
		return false
	}
	more, err := b.guard.Extend(time.Now(), b.id)
	ahead := extendAhead
	if err != nil || !more.Allow {
		b.last, ahead = true, 0
	}
	b.timer.Reset(max(0, time.Until(b.answered.Add(more.MaxDuration-ahead))))
	return true
}

func (b *budget) stop() {
	if b.timer != nil {
		b.timer.Stop()
	}
}

// extendAhead is how long before the end of the reserved time more is asked for.
const extendAhead = 10 * time.Second

// outcomeOf is the status that a phone gets for a call that did not go through.
func outcomeOf(err error) int {
	var refused *sip.StatusError
	switch {
	case errors.As(err, &refused):
		return refused.Code
	case errors.Is(err, trunk.ErrNumber):
		return 404
	case errors.Is(err, trunk.ErrCallerID):
		return 403
	default:
		return 503
	}
}

// emergencyCalled records every call for help, also one that nobody answered. The number that was called is no secret; who called is not in the log of the
// node, but in the tenant's audit log.
func (n *node) emergencyCalled(r trunk.EmergencyReport) {
	for _, s := range n.sites {
		if s.name != r.Owner {
			continue
		}
		log, err := n.dep.auditLog(s.name)
		if err == nil {
			err = log.As("service:router").Audit(context.Background(), "call.emergency", r.To, slog.Bool("located", r.Located), slog.Bool("answered", r.Err == nil),
				slog.Int("attempts", len(r.Attempts)), slog.String("callback", r.Callback))
		}
		if err != nil {
			n.log.Error("emergency call not recorded", "err", err)
		}
	}
	n.log.Warn("EMERGENCY CALL", "number", r.To, "located", r.Located, "answered", r.Err == nil)
}
