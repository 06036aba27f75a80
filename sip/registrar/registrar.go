// Package registrar knows who is reachable where: the bindings between an address of record and the contacts that registered for it
// (RFC 3261 section 10).
//
// # Security
//
// A binding belongs to a realm and a user that the caller has authenticated; this package believes it. A binding remembers the flow (RFC
// 5626) it came in on, and a user is reached over that flow, never by dialing what its Contact claims. The number of bindings per user is bounded.
//
// # Goroutines
//
// None. Time comes in with each call. All methods are safe for concurrent use.
//
// # Importing alone
//
// Standard library only.
package registrar

import (
	"errors"
	"sort"
	"sync"
	"time"
)

var (
	// ErrTooMany is returned by Update when the user would have more bindings than the limit.
	ErrTooMany = errors.New("registrar: too many bindings")
	// ErrOutOfOrder is returned by Update for a CSeq that is not higher than that of the same Call-ID before (RFC 3261 section 10.3 step 7).
	ErrOutOfOrder = errors.New("registrar: request out of order")
)

// Binding is one contact of one user.
type Binding struct {
	Contact string // the URI as registered; it becomes the Request-URI of calls to the user
	Flow    string // the connection it registered over, an opaque key of the endpoint
	// Instance is the +sip.instance of the device (RFC 5626 section 4.1), empty if it sent none. A device that registers again replaces its binding.
	Instance string
	CallID   string
	CSeq     uint32
	Expires  time.Time
	Agent    string // User-Agent, as sent
}

// Config describes a Registrar.
type Config struct {
	// MaxBindings bounds the bindings of one user. If zero, 8.
	MaxBindings int
	// OnChange is told when a user becomes reachable (true) and when its last binding goes (false), in the order it happened. It must not call
	// the Registrar. If nil, nobody is told.
	OnChange func(realm, user string, reachable bool)
}

// Registrar holds bindings in memory.
type Registrar struct {
	max    int
	notify func(realm, user string, reachable bool)

	mu    sync.Mutex
	users map[key][]Binding
}

type key struct{ realm, user string }

// New returns an empty Registrar.
func New(cfg Config) *Registrar {
	if cfg.MaxBindings <= 0 {
		cfg.MaxBindings = 8
	}
	if cfg.OnChange == nil {
		cfg.OnChange = func(string, string, bool) {}
	}
	return &Registrar{max: cfg.MaxBindings, notify: cfg.OnChange, users: make(map[key][]Binding)}
}

// Update adds or refreshes the bindings in add, and removes those whose Expires is not after now. It returns the bindings of the user that
// remain, newest expiry first. Nothing changes when it fails.
func (r *Registrar) Update(realm, user string, add []Binding, now time.Time) ([]Binding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{realm, user}
	old := r.users[k]
	next := live(old, now)
	for _, b := range add {
		at := -1
		for i, have := range next {
			same := have.Contact == b.Contact
			if b.Instance != "" {
				same = have.Instance == b.Instance
			}
			if !same {
				continue
			}
			if have.CallID == b.CallID && b.CSeq <= have.CSeq {
				return nil, ErrOutOfOrder
			}
			at = i
			break
		}
		switch {
		case !b.Expires.After(now) && at >= 0:
			next = append(next[:at], next[at+1:]...)
		case !b.Expires.After(now):
		case at >= 0:
			next[at] = b
		default:
			next = append(next, b)
		}
	}
	if len(next) > r.max {
		return nil, ErrTooMany
	}
	r.store(k, len(old) > 0, next)
	return clone(next), nil
}

// Clear removes every binding of the user (Contact: *).
func (r *Registrar) Clear(realm, user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{realm, user}
	r.store(k, len(r.users[k]) > 0, nil)
}

// Lookup returns the live bindings of the user, latest to expire first.
func (r *Registrar) Lookup(realm, user string, now time.Time) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return clone(live(r.users[key{realm, user}], now))
}

// DropFlow removes the bindings that came over a connection that is gone (RFC 5626 section 5.3).
func (r *Registrar) DropFlow(flow string) {
	r.sweep(func(b Binding) bool { return b.Flow != flow })
}

// Expire removes bindings that are over. Call it every second or so, so that OnChange is timely.
func (r *Registrar) Expire(now time.Time) {
	r.sweep(func(b Binding) bool { return b.Expires.After(now) })
}

// Len returns the number of users with at least one binding that was not expired yet.
func (r *Registrar) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.users)
}

func (r *Registrar) sweep(keep func(Binding) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, bs := range r.users {
		var next []Binding
		for _, b := range bs {
			if keep(b) {
				next = append(next, b)
			}
		}
		if len(next) != len(bs) {
			r.store(k, true, next)
		}
	}
}

func (r *Registrar) store(k key, was bool, next []Binding) {
	if len(next) == 0 {
		delete(r.users, k)
	} else {
		r.users[k] = next
	}
	if was != (len(next) > 0) {
		r.notify(k.realm, k.user, len(next) > 0)
	}
}

func live(bs []Binding, now time.Time) []Binding {
	var out []Binding
	for _, b := range bs {
		if b.Expires.After(now) {
			out = append(out, b)
		}
	}
	return out
}

func clone(bs []Binding) []Binding {
	out := append([]Binding(nil), bs...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Expires.After(out[j].Expires) })
	return out
}
