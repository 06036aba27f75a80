package toll

import (
	"slices"
	"strings"
	"time"
)

// Stop refuses every call of a user from now on, or of a whole tenant if user is empty, but for emergencies. It returns the running calls of the
// user or tenant, sorted, for the caller to end; emergency calls are not among them. It never fails: control characters in reason are replaced, and what is
// longer than 200 bytes is cut.
func (g *Guard) Stop(now time.Time, tenantName, user, reason string) (running []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	a := g.subject(tenantName, user)
	a.Stopped = clean(reason)
	g.cfg.OnEvent(Event{At: now, Kind: Stop, Tenant: tenantName, User: user, Note: a.Stopped})
	for id, c := range g.calls {
		if c.Class != Emergency && c.Tenant == tenantName && (user == "" || c.User == user) {
			running = append(running, id)
		}
	}
	slices.Sort(running)
	return running
}

// Resume lifts a Stop, or one that an anomaly made. What is counted of the anomaly begins anew; counters of calls and money stay. A stop of the tenant and one of
// a user are lifted apart.
func (g *Guard) Resume(now time.Time, tenantName, user, reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	a := g.subject(tenantName, user)
	a.Stopped, a.Short = "", nil
	g.cfg.OnEvent(Event{At: now, Kind: Resume, Tenant: tenantName, User: user, Note: clean(reason)})
}

func (g *Guard) subject(tenantName, user string) *account {
	t := g.tenant(tenantName)
	if user == "" {
		return &t.account
	}
	return g.user(t, user)
}

// stopped returns whose stop holds for a user.
func (g *Guard) stopped(tenantName, user string) Scope {
	t := g.tenants[tenantName]
	switch {
	case t == nil:
		return ""
	case t.Stopped != "":
		return ScopeTenant
	case t.users[user] != nil && t.users[user].Stopped != "":
		return ScopeUser
	}
	return ""
}

// clean makes a reason one line of a log. It is never empty, because empty means not stopped.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, s)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "")
	}
	if s == "" {
		return "no reason given"
	}
	return s
}
