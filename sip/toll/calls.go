package toll

import (
	"slices"
	"time"
)

const minute = time.Minute

// Started says that an allowed call is being placed. ErrUnknownCall means that it must not be: its decision was void. An emergency call is placed whatever
// this returns.
func (g *Guard) Started(now time.Time, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	c := g.calls[id]
	if c == nil {
		return ErrUnknownCall
	}
	if !c.Started {
		c.Started = true
		g.tell(now, Started, id, c, 0)
	}
	return nil
}

// Answered says that a call was answered: from now on it costs. Only the first answer counts.
func (g *Guard) Answered(now time.Time, id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	c := g.calls[id]
	if c == nil {
		return ErrUnknownCall
	}
	c.Started = true
	if c.Answered.IsZero() {
		c.Answered = now
		g.tell(now, Answered, id, c, 0)
	}
	return nil
}

// Extend reserves further minutes for a running call, within the limits of now. The Decision has its new MaxDuration, still counted from the answer. If it
// does not Allow, MaxDuration is what the call had already, and the call ends then. Call it some seconds before MaxDuration is over.
func (g *Guard) Extend(now time.Time, id string) (Decision, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	c := g.calls[id]
	if c == nil {
		return Decision{}, ErrUnknownCall
	}
	d := Decision{Class: c.Class, Prefix: c.Prefix}
	if c.Class == Emergency {
		d.Allow = true
		return d, nil
	}
	d.Reason, d.Scope = g.extend(now, c)
	d.Allow, d.MaxDuration = d.Reason == "", g.granted(c)
	kind := Refused
	if d.Allow {
		kind = Extended
	}
	g.cfg.OnEvent(Event{
		At: now, Kind: kind, Tenant: c.Tenant, User: c.User, Call: id, Class: c.Class, Prefix: c.Prefix, Reason: d.Reason, Scope: d.Scope, MaxDuration: d.MaxDuration,
	})
	return d, nil
}

func (g *Guard) extend(now time.Time, c *call) (Reason, Scope) {
	if scope := g.stopped(c.Tenant, c.User); scope != "" {
		return Stopped, scope
	}
	subjects, scope := g.limits(now, c.Tenant, c.User)
	if scope != "" {
		return NoPolicy, scope
	}
	for _, s := range subjects {
		if !slices.Contains(s.limits.Classes, c.Class) {
			return ClassNotAllowed, s.scope
		}
	}
	g.accounts(&subjects, now, c.Tenant, c.User)
	return g.reserve(c, subjects)
}

// Ended says that a call is over, or that it was never placed, and returns what it cost: each started minute since its answer. What it did not need of its
// reservation is given back. ErrUnknownCall for one that ended before.
func (g *Guard) Ended(now time.Time, id string) (Micro, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	c := g.calls[id]
	if c == nil {
		return 0, ErrUnknownCall
	}
	g.release(id, c)
	if c.Class == Emergency || c.Answered.IsZero() {
		g.tell(now, Ended, id, c, 0)
		return 0, nil
	}
	spoken := max(0, now.Sub(c.Answered))
	used := max(1, int64((spoken+minute-1)/minute))
	cost := Micro(used) * c.Price
	var subjects [2]subject
	g.accounts(&subjects, now, c.Tenant, c.User)
	for _, s := range subjects {
		s.account.pay(cost)
	}
	g.tell(now, Ended, id, c, cost)
	if used > c.Minutes {
		g.tell(now, Overran, id, c, cost)
	}
	g.suspect(now, c, spoken)
	return cost, nil
}

func (g *Guard) tell(now time.Time, kind Kind, id string, c *call, cost Micro) {
	g.cfg.OnEvent(Event{At: now, Kind: kind, Tenant: c.Tenant, User: c.User, Call: id, Class: c.Class, Prefix: c.Prefix, Cost: cost})
}

// suspect counts short calls to places that are new for the tenant. A place is new for a day after the first call there, so that an attacker cannot make it known
// in the same night.
func (g *Guard) suspect(now time.Time, c *call, spoken time.Duration) {
	switch c.Class {
	case National, Mobile, Freephone, SharedCost:
		return
	}
	t := g.tenant(c.Tenant)
	first, called := t.Places[c.Prefix]
	if !called {
		if t.Places == nil {
			t.Places = make(map[string]int64)
		}
		t.Places[c.Prefix] = now.Unix() // bounded: prefixes are lines of the table
	}
	if called && now.Unix()-first >= int64(longest/time.Second) || spoken >= g.cfg.Anomaly.Short {
		return
	}
	after := now.Add(-g.cfg.Anomaly.Within).Unix()
	for _, s := range []struct {
		account *account
		user    string
		bound   int
	}{{g.user(t, c.User), c.User, g.cfg.Anomaly.PerUser}, {&t.account, "", g.cfg.Anomaly.PerTenant}} {
		a := s.account
		a.Short = append(slices.DeleteFunc(a.Short, func(at int64) bool { return at <= after }), now.Unix())
		if len(a.Short) > s.bound { // those after a stop that was not resumed
			a.Short = a.Short[len(a.Short)-s.bound:]
		}
		if len(a.Short) == s.bound && a.Stopped == "" {
			a.Stopped = string(Anomalous)
			g.cfg.OnEvent(Event{At: now, Kind: Stop, Tenant: c.Tenant, User: s.user, Note: a.Stopped, Class: c.Class, Prefix: c.Prefix})
		}
	}
}
