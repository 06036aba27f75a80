package acd

import (
	"fmt"
	"strings"
	"time"
)

// fits reports whether the event is possible in the present state.
func (c *Core) fits(ev *Event) error {
	c.at = subject{}
	if ev.Work != "" {
		c.at.w = c.works[ev.Work]
	}
	if ev.Agent != "" {
		c.at.a = c.agents[ev.Agent]
	}
	switch ev.Kind {
	case KindTimer:
		return nil
	case KindArrived:
		if err := checkID("work", ev.Work); err != nil {
			return err
		}
		if c.at.w != nil {
			return fmt.Errorf("%w: %q", ErrExists, ev.Work)
		}
		return checkAttributes(ev.Attributes)
	case KindEnqueued:
		return c.fitsEnqueued(ev)
	case KindAbandoned, KindEnded:
		if c.at.w == nil {
			return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
		}
		return nil
	case KindExit, KindCallback:
		return c.fitsCaller(ev)
	case KindRinging, KindAccepted, KindRejected, KindReached, KindUnreached:
		a := c.at.a
		if a == nil {
			return fmt.Errorf("%w: agent %q", ErrUnknown, ev.Agent)
		}
		if s := a.pending; ev.Kind != KindReached && ev.Kind != KindUnreached && s != nil && s.number == ev.Offer && s.w.rec.Work == ev.Work {
			return nil
		}
		if (ev.Kind == KindReached || ev.Kind == KindUnreached) && a.dials(ev.Offer, ev.Work) != nil {
			return nil
		}
		return fmt.Errorf("%w: %q to %q", ErrStale, ev.Work, ev.Agent)
	case KindLogin, KindLogout, KindReady, KindNotReady, KindPicked, KindSkills, KindExtended:
		return c.fitsAgent(ev)
	case KindStarted:
	}
	return fmt.Errorf("%w: no event is called %q", ErrInvalid, ev.Kind)
}

// dials returns the agent's callback with an offer number.
func (a *agent) dials(offer uint64, work string) *seat {
	for _, s := range a.seats {
		if s.state == seatDialing && s.number == offer && s.w.rec.Work == work {
			return s
		}
	}
	return nil
}

func (c *Core) fitsEnqueued(ev *Event) error {
	w := c.at.w
	if w == nil {
		return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
	}
	if c.at.q = c.queues[ev.Queue]; c.at.q == nil {
		return fmt.Errorf("%w: queue %q", ErrUnknown, ev.Queue)
	}
	if w.state != selfService {
		return fmt.Errorf("%w: work %q is in queue %q", ErrState, ev.Work, w.queue.Name)
	}
	if ev.Priority < -maxPriority || ev.Priority > maxPriority {
		return fmt.Errorf("%w: priority is from %d to %d", ErrInvalid, -maxPriority, maxPriority)
	}
	t := ev.Terms
	if t == nil {
		return nil
	}
	if err := checkSkills(t.Needs, 0, maxNeeds); err != nil {
		return err
	}
	if len(t.Prefer) > maxPreferred || len(t.Customer) > maxIDBytes {
		return fmt.Errorf("%w: at most %d preferred agents, a customer of %d bytes", ErrInvalid, maxPreferred, maxIDBytes)
	}
	if t.PreferWait < 0 || t.PreferWait > maxDuration || t.HeadStart < 0 || t.HeadStart > maxHeadStart {
		return fmt.Errorf("%w: PreferWait is from 0 to %v, HeadStart to %v", ErrInvalid, maxDuration, maxHeadStart)
	}
	return nil
}

func (c *Core) fitsCaller(ev *Event) error {
	w := c.at.w
	switch {
	case w == nil:
		return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
	case w.state != waiting && (w.state != offered || ev.Kind == KindCallback) || w.callback:
		return fmt.Errorf("%w: work %q does not wait", ErrState, ev.Work)
	case ev.Kind == KindExit && (len(ev.Reason) != 1 || !strings.Contains(w.queue.ExitKeys, ev.Reason)):
		return fmt.Errorf("%w: key %q does not leave queue %q", ErrState, ev.Reason, w.queue.Name)
	case ev.Kind == KindCallback && w.queue.Callback.Expiry == 0:
		return fmt.Errorf("%w: queue %q offers no callbacks", ErrState, w.queue.Name)
	}
	return nil
}

func (c *Core) fitsAgent(ev *Event) error {
	a := c.at.a
	if a == nil {
		return fmt.Errorf("%w: agent %q", ErrUnknown, ev.Agent)
	}
	switch ev.Kind {
	case KindLogin:
		if len(ev.Device) > maxIDBytes || len(a.devices) >= maxDevices {
			return fmt.Errorf("%w: at most %d devices, with ids of at most %d bytes", ErrInvalid, maxDevices, maxIDBytes)
		}
	case KindReady, KindNotReady:
		if a.state == LoggedOut {
			return fmt.Errorf("%w: agent %q is logged out", ErrState, ev.Agent)
		}
	case KindSkills:
		return checkSkills(ev.Skills, 0, maxSkills)
	case KindExtended:
		if a.wrapUp() == nil {
			return fmt.Errorf("%w: agent %q is not in wrap-up", ErrState, ev.Agent)
		}
		if ev.For <= 0 || ev.For > 24*time.Hour {
			return fmt.Errorf("%w: wrap-up is extended by up to a day", ErrInvalid)
		}
	case KindPicked:
		w := c.at.w
		if w == nil {
			return fmt.Errorf("%w: work %q", ErrUnknown, ev.Work)
		}
		if w.state != waiting || w.parked > 0 || w.held {
			return fmt.Errorf("%w: work %q does not wait", ErrState, ev.Work)
		}
		if m := a.memberOf(w.queue); m == nil || !m.free || w.human && a.bot {
			return fmt.Errorf("%w: agent %q is not free for queue %q", ErrState, ev.Agent, w.queue.Name)
		}
	}
	return nil
}

func (a *agent) wrapUp() *seat {
	for _, s := range a.seats {
		if s.state == seatWrapUp {
			return s
		}
	}
	return nil
}

func (a *agent) memberOf(q *queue) *member {
	for _, m := range a.members {
		if m.q == q {
			return m
		}
	}
	return nil
}

func checkAttributes(attrs map[string]string) error {
	if len(attrs) > maxAttributes {
		return fmt.Errorf("%w: a work has at most %d attributes", ErrInvalid, maxAttributes)
	}
	for k, v := range attrs {
		if k == "" || len(k) > maxAttrBytes || len(v) > maxAttrBytes {
			return fmt.Errorf("%w: names and values of attributes have at most %d bytes", ErrInvalid, maxAttrBytes)
		}
	}
	return nil
}
