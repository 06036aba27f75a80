package toll

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Usage is what a user or a tenant did, for people to look at.
type Usage struct {
	Running                         int   // calls
	CallsMinute, CallsHour          int   // allowed in this minute and hour
	CallsDay                        int   // allowed on this day
	Reserved                        Micro // for running calls
	SpentHour, SpentDay, SpentMonth Micro // by calls that ended
	Stopped                         string
}

// Usage returns what a user did, or all users of a tenant if user is empty.
func (g *Guard) Usage(now time.Time, tenantName, user string) Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	now = g.advance(now)
	t := g.tenants[tenantName]
	if t == nil {
		return Usage{}
	}
	a := &t.account
	if user != "" {
		if a = t.users[user]; a == nil {
			return Usage{}
		}
	}
	a.roll(g.cfg.Hours.keys(now))
	return Usage{
		Running: int(a.running), CallsMinute: int(a.Minute.N), CallsHour: int(a.Hour.N), CallsDay: int(a.Day.N), Reserved: a.reserved,
		SpentHour: Micro(a.PaidHour.N), SpentDay: Micro(a.PaidDay.N), SpentMonth: Micro(a.PaidMonth.N), Stopped: a.Stopped,
	}
}

// Running returns the calls that were allowed and have not ended, sorted by ID. After Restore the application ends those that it does not carry on.
func (g *Guard) Running() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]string, 0, len(g.calls))
	for id := range g.calls {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// document is the form of a snapshot.
type document struct {
	Version int                   `json:"version"`
	Last    time.Time             `json:"last"`
	Tenants map[string]tenantPart `json:"tenants"`
	Calls   map[string]*call      `json:"calls"`
}

type tenantPart struct {
	Account *account            `json:"account"`
	Users   map[string]*account `json:"users"`
}

// ErrState is returned by Restore for a snapshot that no Guard made.
var ErrState = errors.New("toll: state")

// Snapshot returns all that the Guard remembers, as JSON with users and prefixes and without numbers. Take one after each Ended, or as often as a loss may
// cost: what came after the last one is forgotten by a crash. Keep it where only the operator can write: whoever changes it changes the caps.
func (g *Guard) Snapshot() ([]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forget(g.last)
	doc := document{Version: 1, Last: g.last.UTC(), Tenants: make(map[string]tenantPart, len(g.tenants)), Calls: g.calls}
	for name, t := range g.tenants {
		doc.Tenants[name] = tenantPart{&t.account, t.users}
	}
	return json.Marshal(doc)
}

// Restore returns a Guard that continues where the one that made the snapshot was. An empty one is an error: New is for a Guard without a past.
func Restore(cfg Config, snapshot []byte) (*Guard, error) {
	g, err := New(cfg)
	if err != nil {
		return nil, err
	}
	var doc document
	if err := json.Unmarshal(snapshot, &doc); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrState, err)
	}
	if doc.Version != 1 {
		return nil, fmt.Errorf("%w: version %d", ErrState, doc.Version)
	}
	g.last = doc.Last
	for name, p := range doc.Tenants {
		if !p.Account.valid() {
			return nil, fmt.Errorf("%w: account of a tenant", ErrState)
		}
		t := &tenant{account: *p.Account, users: make(map[string]*account, len(p.Users))}
		for user, a := range p.Users {
			if user == "" || !a.valid() {
				return nil, fmt.Errorf("%w: account of a user", ErrState)
			}
			t.users[user] = a
			g.users++
		}
		g.tenants[name] = t
	}
	for id, c := range doc.Calls {
		if id == "" || c == nil || c.Price < 0 || c.Price > maxPrice || c.Minutes < 0 || c.Minutes > int64(longest/minute) || c.Limit < 0 || c.Limit > int64(longest/minute) {
			return nil, fmt.Errorf("%w: call", ErrState)
		}
		g.calls[id] = c
		if c.Class == Emergency {
			continue
		}
		t := g.tenant(c.Tenant)
		for _, a := range []*account{g.user(t, c.User), &t.account} {
			a.reserved += c.reserved()
			a.running++
		}
	}
	return g, nil
}

func (a *account) valid() bool {
	if a == nil || len(a.Short) > 1000 {
		return false
	}
	for _, p := range []period{a.Minute, a.Hour, a.Day, a.PaidHour, a.PaidDay, a.PaidMonth} {
		if p.N < 0 || p.N > 4*int64(maxCap) {
			return false
		}
	}
	return true
}

// forget drops accounts whose loss changes nothing.
func (g *Guard) forget(now time.Time) {
	k, after := g.cfg.Hours.keys(now), now.Add(-g.cfg.Anomaly.Within).Unix()
	for name, t := range g.tenants {
		for user, a := range t.users {
			if a.idle(k, after) {
				delete(t.users, user)
				g.users--
			}
		}
		if len(t.users) == 0 && t.idle(k, after) {
			delete(g.tenants, name)
		}
	}
	g.tidy = max(1024, 2*g.users)
}
