package toll

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// ErrUnknownCall is returned for a call that Decide did not allow, that has ended, or whose decision was not used within a minute.
var ErrUnknownCall = errors.New("toll: unknown call")

// Call is a call somebody wants to place.
type Call struct {
	ID     string // unique among running calls; required
	Tenant string // required
	User   string // who is authenticated to place it; required
	Number string // E.164 with +, or an emergency number as it is dialed
}

// Decision says whether a call may be placed.
type Decision struct {
	Allow  bool
	Reason Reason // why not; empty if allowed
	Scope  Scope  // whose limit it was; empty if it was none
	Class  Class  // empty if the number has none
	Prefix string // the line of the table that decided
	// MaxDuration is when the call must end, counted from its answer. It is zero if the call is not allowed, and for an emergency call, which has no limit.
	MaxDuration time.Duration
}

// Guard decides about calls. New and Restore make one. All methods are safe for concurrent use.
type Guard struct {
	cfg Config

	mu      sync.Mutex
	tenants map[string]*tenant
	calls   map[string]*call
	last    time.Time // the latest time that was heard of
	users   int       // accounts of users
	tidy    int       // forget idle accounts when there are more
}

type tenant struct {
	account
	users map[string]*account
}

// call is an allowed call. Exported fields are written to a snapshot.
type call struct {
	Tenant   string    `json:"tenant"`
	User     string    `json:"user"`
	Class    Class     `json:"class"`
	Prefix   string    `json:"prefix,omitempty"`
	Price    Micro     `json:"price"`
	Minutes  int64     `json:"minutes"` // reserved
	Limit    int64     `json:"limit"`   // of minutes, when it was allowed
	Decided  time.Time `json:"decided"`
	Started  bool      `json:"started,omitempty"`
	Answered time.Time `json:"answered,omitzero"`
}

func (c *call) reserved() Micro { return Micro(c.Minutes) * c.Price }

// New returns a Guard without a past. Use Restore when there is one.
func New(cfg Config) (*Guard, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Guard{cfg: cfg, tenants: make(map[string]*tenant), calls: make(map[string]*call), tidy: 1024}, nil
}

// Decide says whether a call may be placed, and reserves its first minutes if so. Ended must be called for every call that is allowed, whatever becomes of
// it; an allowed call that is not Started within a minute, or up to a second more, is void.
func (g *Guard) Decide(now time.Time, c Call) Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	// Before everything else: no stop, no cap and no mistake of the caller may stand between a person and help.
	if slices.Contains(g.cfg.Emergency, c.Number) {
		if c.ID != "" && g.calls[c.ID] == nil {
			g.calls[c.ID] = &call{Tenant: c.Tenant, User: c.User, Class: Emergency, Decided: now}
		}
		d := Decision{Allow: true, Class: Emergency}
		g.cfg.OnEvent(Event{At: now, Kind: Allowed, Tenant: c.Tenant, User: c.User, Call: c.ID, Class: Emergency})
		return d
	}
	d := g.decide(now, c)
	kind := Refused
	if d.Allow {
		kind = Allowed
	}
	g.cfg.OnEvent(Event{
		At: now, Kind: kind, Tenant: c.Tenant, User: c.User, Call: c.ID, Class: d.Class, Prefix: d.Prefix, Reason: d.Reason, Scope: d.Scope, MaxDuration: d.MaxDuration,
	})
	return d
}

func (g *Guard) decide(now time.Time, c Call) Decision {
	if c.ID == "" || c.Tenant == "" || c.User == "" || g.calls[c.ID] != nil {
		return Decision{Reason: BadCall}
	}
	if scope := g.stopped(c.Tenant, c.User); scope != "" {
		return Decision{Reason: Stopped, Scope: scope}
	}
	dest, known := g.cfg.Table.Lookup(c.Number, g.cfg.Home)
	if !known {
		return Decision{Reason: BadNumber}
	}
	d := Decision{Class: dest.Class, Prefix: dest.Prefix}
	subjects, scope := g.limits(now, c.Tenant, c.User)
	if scope != "" {
		d.Reason, d.Scope = NoPolicy, scope
		return d
	}
	for _, s := range subjects {
		if !slices.Contains(s.limits.Classes, dest.Class) {
			d.Reason, d.Scope = ClassNotAllowed, s.scope
			return d
		}
	}
	price, known := g.cfg.Prices[dest.Class]
	if !known {
		d.Reason = NoPrice
		return d
	}
	// An account is made only now: whoever is refused for what they are costs no memory.
	g.accounts(&subjects, now, c.Tenant, c.User)
	limit := int64(longest / time.Minute)
	for _, s := range subjects {
		if r := s.account.rate(s.limits); r != "" {
			d.Reason, d.Scope = r, s.scope
			return d
		}
		limit = min(limit, s.limits.minutes())
	}
	made := &call{Tenant: c.Tenant, User: c.User, Class: dest.Class, Prefix: dest.Prefix, Price: price, Limit: limit, Decided: now}
	if d.Reason, d.Scope = g.reserve(made, subjects); d.Reason != "" {
		return d
	}
	for _, s := range subjects {
		s.account.count()
		s.account.running++
	}
	g.calls[c.ID] = made
	d.Allow, d.MaxDuration = true, g.granted(made)
	return d
}

// subject is one of the two whose limits a call must be within.
type subject struct {
	scope   Scope
	limits  Limits
	account *account
}

// limits returns what the user and the tenant may do now, or the scope that has no policy.
func (g *Guard) limits(now time.Time, tenantName, user string) (out [2]subject, missing Scope) {
	open := g.cfg.Hours.OpenAt(now)
	for i, s := range []struct {
		scope Scope
		user  string
	}{{ScopeUser, user}, {ScopeTenant, ""}} {
		p, ok := g.cfg.Policy(tenantName, s.user)
		if !ok {
			return out, s.scope
		}
		out[i] = subject{scope: s.scope, limits: p.Night}
		if open {
			out[i].limits = p.Day
		}
	}
	return out, ""
}

// accounts finds or makes the accounts of a user and its tenant and begins their periods.
func (g *Guard) accounts(out *[2]subject, now time.Time, tenantName, user string) {
	if g.users > g.tidy {
		g.forget(now)
	}
	t := g.tenant(tenantName)
	k := g.cfg.Hours.keys(now)
	out[0].account, out[1].account = g.user(t, user), &t.account
	for _, s := range out {
		s.account.roll(k)
	}
}

func (g *Guard) tenant(name string) *tenant {
	t := g.tenants[name]
	if t == nil {
		t = &tenant{users: make(map[string]*account)}
		g.tenants[name] = t
	}
	return t
}

func (g *Guard) user(t *tenant, name string) *account {
	a := t.users[name]
	if a == nil {
		a = &account{}
		t.users[name] = a
		g.users++
	}
	return a
}

// reserve takes the next minutes of a call from both accounts, or none and says why.
func (g *Guard) reserve(c *call, subjects [2]subject) (Reason, Scope) {
	n := min(int64(g.cfg.Ahead), c.Limit-c.Minutes)
	if n < 1 {
		return TooLong, ""
	}
	if c.Price > 0 {
		for _, s := range subjects {
			var why Reason
			if n, why = s.account.afford(s.limits, c.Price, n); why != "" {
				return why, s.scope
			}
		}
	} else {
		n = c.Limit - c.Minutes // what costs nothing needs no Extend
	}
	c.Minutes += n
	for _, s := range subjects {
		s.account.reserved += Micro(n) * c.Price
	}
	return "", ""
}

// granted is how long a call may be with the minutes it has. The margin is for the BYE, which must not begin one more minute.
func (g *Guard) granted(c *call) time.Duration {
	if c.Class == Emergency {
		return 0
	}
	return time.Duration(c.Minutes)*time.Minute - g.cfg.Margin
}

// advance hears a time and returns the one that counts: never before an earlier one.
func (g *Guard) advance(now time.Time) time.Time {
	if !now.After(g.last) {
		return g.last
	}
	sweep := now.Unix() > g.last.Unix() // once a second at most
	if g.last = now; !sweep {
		return now
	}
	for id, c := range g.calls {
		age := now.Sub(c.Decided)
		if !c.Started && c.Class != Emergency && age > unused || c.Class == Emergency && age > longest {
			g.release(id, c)
			g.cfg.OnEvent(Event{At: now, Kind: Void, Tenant: c.Tenant, User: c.User, Call: id, Class: c.Class, Prefix: c.Prefix})
		}
	}
	return now
}

// release forgets a call and gives back its reservation.
func (g *Guard) release(id string, c *call) {
	delete(g.calls, id)
	if c.Class == Emergency {
		return
	}
	t := g.tenant(c.Tenant)
	for _, a := range []*account{g.user(t, c.User), &t.account} {
		a.reserved -= c.reserved()
		a.running--
	}
}
