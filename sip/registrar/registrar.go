// Package registrar knows who is reachable where: the bindings between an address of record and the contacts that registered for it
// (RFC 3261 section 10), several flows of one device included (RFC 5626), and the addresses of single devices (GRUU, RFC 5627).
//
// # Security
//
// A binding belongs to a realm and a user that the caller has authenticated; this package believes it. A binding remembers the flow (RFC
// 5626) it came in on, and a user is reached over that flow, never by dialing what its Contact or Path claims. The number of bindings per user is
// bounded. A temporary GRUU is sealed with [Config.Key]: who holds one learns neither user nor device, two of one device have nothing in
// common, and one that was made up resolves to nothing.
//
// # Persistence
//
// A [Store] keeps what must outlive the process: lifetimes, Call-ID and CSeq, instances and reg-ids, and which temporary GRUUs are valid.
// A connection does not outlive it. After a restart bindings are known but not reachable, unless [Config.Survives] says otherwise of their flow, and
// a phone that sees its connection end registers again. [Registrar.Update] does not wait for the Store; changes are written by [Registrar.Flush], which
// an endpoint calls every second. A crash loses what came after the last one, and no promise with it: a refresh that is lost is a binding
// without a connection that would have ended later; a registration that is lost has lost its connection, so that the phone makes it again; a
// request that was overtaken cannot be played again, because its nonce ended with the process; and what was removed and comes back has no connection either.
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
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"
)

var (
	// ErrTooMany is returned by Update when the user would have more bindings than the limit.
	ErrTooMany = errors.New("registrar: too many bindings")
	// ErrOutOfOrder is returned by Update for a CSeq that is not higher than that of the same Call-ID before (RFC 3261 section 10.3 step 7).
	ErrOutOfOrder = errors.New("registrar: request out of order")
	// ErrTooBrief is returned by Grant for a lifetime below Config.MinExpires (RFC 3261 section 10.2.8).
	ErrTooBrief = errors.New("registrar: interval too brief")
)

// Binding is one contact of one user.
type Binding struct {
	Contact string // the URI as registered; it becomes the Request-URI of calls to the user
	Flow    string // the connection it registered over, an opaque key of the endpoint
	// Instance is the +sip.instance of the device (RFC 5626 section 4.1) without quotes and brackets, empty if it sent none. A device that
	// registers again with the same RegID replaces its binding.
	Instance string
	// RegID tells the flows of one device apart (RFC 5626 section 4.2). It is 0 for a device that has one flow only.
	RegID uint32
	// Q is the preference in thousandths, 0-1000; higher is rung first. A contact without q has 1000.
	Q int
	// Path are the URIs of the Route of requests to this contact, in order (RFC 3327 section 5.1). Requests go over Flow all the same. If empty, there are none.
	Path []string
	// Params are the other parameters of the Contact, as sent, each with its semicolon: features of RFC 3840.
	Params  string
	CallID  string
	CSeq    uint32
	Expires time.Time
	Agent   string // User-Agent, as sent

	// Set by Update.

	ID      string    // of this binding, unique and random; a refresh keeps it
	Since   time.Time // when it was registered first
	Updated time.Time // when it was registered last
	// Epoch names the series of temporary GRUUs that are valid for Instance. It changes with the Call-ID (RFC 5627 section 3.1).
	Epoch string
	// Gone says that the flow is gone: the device is known, and cannot be reached until it registers again.
	Gone bool
}

// Config describes a Registrar.
type Config struct {
	// MaxBindings bounds the reachable bindings of one user. If zero, 8.
	MaxBindings int
	// MinExpires is the shortest lifetime granted. If zero, a minute.
	MinExpires time.Duration
	// MaxExpires is the longest lifetime granted; who asks for more gets this. If zero, an hour.
	MaxExpires time.Duration
	// Key seals temporary GRUUs. If zero, a random one: they then end with the process, and phones get new ones when they register again.
	Key Key
	// Survives says of a flow that was loaded whether requests over it still arrive, as they do on a transport without connections. It is called
	// by Open only. If nil, no flow survives.
	Survives func(flow string) bool
	// OnChange is told when a user becomes reachable (true) and when its last reachable binding goes (false), in the order it happened. It must not call
	// the Registrar. If nil, nobody is told.
	OnChange func(realm, user string, reachable bool)
	// OnEvent is told of each change of a binding, in the order it happened and before OnChange. It must neither block nor call the Registrar. If nil,
	// nobody is told.
	OnEvent func(Event)
}

// Registrar holds bindings in memory. New and Open make one.
type Registrar struct {
	cfg   Config
	seal  sealer
	store Store // nil: nothing is kept

	mu     sync.Mutex
	users  map[key][]*Binding
	flows  map[string]map[key]struct{} // who registered over a flow
	epochs map[string]device           // by Binding.Epoch
	next   time.Time                   // no binding is over before; zero if that is not known
	dirty  map[string]Change           // by Binding.ID, not written yet
	flush  sync.Mutex                  // one Flush at a time; taken before mu
}

type key struct{ realm, user string }

// device is what a temporary GRUU stands for.
type device struct {
	key
	instance string
}

// New returns an empty Registrar that keeps nothing across a restart.
func New(cfg Config) *Registrar {
	if cfg.MaxBindings <= 0 {
		cfg.MaxBindings = 8
	}
	if cfg.MinExpires <= 0 {
		cfg.MinExpires = time.Minute
	}
	if cfg.MaxExpires <= 0 {
		cfg.MaxExpires = time.Hour
	}
	cfg.MaxExpires = max(cfg.MaxExpires, cfg.MinExpires)
	if cfg.OnChange == nil {
		cfg.OnChange = func(string, string, bool) {}
	}
	if cfg.OnEvent == nil {
		cfg.OnEvent = func(Event) {}
	}
	return &Registrar{
		cfg: cfg, seal: newSealer(cfg.Key), users: make(map[key][]*Binding), flows: make(map[string]map[key]struct{}), epochs: make(map[string]device),
		dirty: make(map[string]Change),
	}
}

// Grant returns the lifetime that a request for asked is given: asked, or the longest one allowed. It returns ErrTooBrief and the shortest one allowed for
// less than that; zero, which removes a binding, is always granted.
func (r *Registrar) Grant(asked time.Duration) (time.Duration, error) {
	switch {
	case asked <= 0:
		return 0, nil
	case asked < r.cfg.MinExpires:
		return r.cfg.MinExpires, ErrTooBrief
	}
	return min(asked, r.cfg.MaxExpires), nil
}

// Update adds or refreshes the bindings in add, and removes those whose Expires is not after now. It returns the reachable bindings of the user that
// remain, in the order of Lookup. Nothing changes when it fails.
func (r *Registrar) Update(realm, user string, add []Binding, now time.Time) ([]Binding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{realm, user}
	r.expire(k, now)
	old := r.users[k]
	next := make([]*Binding, len(old), len(old)+len(add))
	copy(next, old)
	var events []Event
	for _, b := range add {
		at := find(next, &b)
		// Before anything else of this user is touched, and for bindings without a flow too: a request that was overtaken must not win.
		if at >= 0 && next[at].CallID == b.CallID && b.CSeq <= next[at].CSeq {
			return nil, ErrOutOfOrder
		}
		switch {
		case !b.Expires.After(now) && at >= 0:
			if !next[at].Gone {
				events = append(events, Event{Kind: Unregistered, Binding: *next[at]})
			}
			next = append(next[:at:at], next[at+1:]...)
		case !b.Expires.After(now):
		case at >= 0:
			kind := Refreshed
			if next[at].Gone {
				kind = Registered
			}
			b.ID, b.Since = next[at].ID, next[at].Since
			next[at] = r.accept(next, b, now)
			events = append(events, Event{Kind: kind, Binding: *next[at]})
		default:
			b.ID, b.Since = randomID(), now
			next = append(next, r.accept(next, b, now))
			events = append(events, Event{Kind: Registered, Binding: *next[len(next)-1]})
		}
	}
	if reachable(next) > r.cfg.MaxBindings {
		return nil, ErrTooMany
	}
	next = trim(next, r.cfg.MaxBindings)
	r.put(k, next, events)
	return visible(next, now, false), nil
}

// accept completes a binding that is new or takes the place of another.
func (r *Registrar) accept(have []*Binding, b Binding, now time.Time) *Binding {
	b.Updated, b.Gone, b.Epoch = now, false, ""
	if b.Instance != "" {
		for _, h := range have { // every flow of a device that registers with one Call-ID has the same addresses
			if h.Instance == b.Instance && h.CallID == b.CallID {
				b.Epoch = h.Epoch
			}
		}
		if b.Epoch == "" {
			b.Epoch = randomID()
		}
	}
	return &b
}

// Clear removes every binding of the user, as Contact: * does.
func (r *Registrar) Clear(realm, user string) { r.remove(realm, user, Unregistered) }

// Deactivate removes every binding of a user who may not be reached any more, a leaver or a locked account.
func (r *Registrar) Deactivate(realm, user string) { r.remove(realm, user, Deactivated) }

func (r *Registrar) remove(realm, user string, why Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := key{realm, user}
	var events []Event
	for _, b := range r.users[k] {
		if !b.Gone {
			events = append(events, Event{Kind: why, Binding: *b})
		}
	}
	r.put(k, nil, events)
}

// Lookup returns the reachable bindings of the user: highest Q first, among equals the one that registered last. Several of them may be flows of
// one device: see Devices.
func (r *Registrar) Lookup(realm, user string, now time.Time) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return visible(r.users[key{realm, user}], now, false)
}

// Devices returns what Lookup returns, one list for each device: its flows, of which the second is for when the first fails. Never ring two flows
// of one device (RFC 5626 section 7).
func (r *Registrar) Devices(realm, user string, now time.Time) [][]Binding {
	var out [][]Binding
	at := make(map[string]int)
	for _, b := range r.Lookup(realm, user, now) {
		i, known := at[b.Instance]
		if b.Instance == "" || !known {
			i = len(out)
			at[b.Instance] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], b)
	}
	return out
}

// Known returns the bindings of the user, those whose flow is gone included, in the order of Lookup. After a restart it says who was registered.
func (r *Registrar) Known(realm, user string, now time.Time) []Binding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return visible(r.users[key{realm, user}], now, true)
}

// DropFlow makes the bindings that came over a connection that is gone unreachable (RFC 5626 section 5.3). They stay known until they expire.
func (r *Registrar) DropFlow(flow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.flows[flow] {
		var events []Event
		next := make([]*Binding, 0, len(r.users[k]))
		for _, b := range r.users[k] {
			if b.Flow == flow && !b.Gone {
				gone := *b
				gone.Gone = true
				events = append(events, Event{Kind: Deactivated, Binding: gone})
				b = &gone
			}
			next = append(next, b)
		}
		r.put(k, trim(next, r.cfg.MaxBindings), events)
	}
}

// Expire removes bindings that are over. Call it every second or so, so that OnChange is timely.
func (r *Registrar) Expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next.After(now) {
		return
	}
	r.next = now.Add(r.cfg.MaxExpires) // a later Update says if it knows of an earlier one
	for k := range r.users {
		r.expire(k, now)
		for _, b := range r.users[k] {
			r.soonest(b.Expires)
		}
	}
}

func (r *Registrar) soonest(t time.Time) {
	if t.Before(r.next) {
		r.next = t
	}
}

func (r *Registrar) expire(k key, now time.Time) {
	var next []*Binding
	var events []Event
	for _, b := range r.users[k] {
		if b.Expires.After(now) {
			next = append(next, b)
		} else if !b.Gone {
			events = append(events, Event{Kind: Expired, Binding: *b})
		}
	}
	if len(next) < len(r.users[k]) {
		r.put(k, next, events)
	}
}

// Len returns the number of users with at least one reachable binding that was not expired yet.
func (r *Registrar) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, bs := range r.users {
		if reachable(bs) > 0 {
			n++
		}
	}
	return n
}

// find returns the place of the binding that b replaces: the same flow of the same device (RFC 5626 section 6), or the same contact.
func find(bs []*Binding, b *Binding) int {
	return slices.IndexFunc(bs, func(have *Binding) bool {
		if b.Instance != "" {
			return have.Instance == b.Instance && have.RegID == b.RegID
		}
		return have.Instance == "" && have.Contact == b.Contact
	})
}

func reachable(bs []*Binding) int {
	n := 0
	for _, b := range bs {
		if !b.Gone {
			n++
		}
	}
	return n
}

// trim forgets the oldest of more than limit bindings without a flow, so that a device that changes its address with each connection does not
// fill the memory.
func trim(bs []*Binding, limit int) []*Binding {
	for len(bs)-reachable(bs) > limit {
		oldest := -1
		for i, b := range bs {
			if b.Gone && (oldest < 0 || b.Updated.Before(bs[oldest].Updated)) {
				oldest = i
			}
		}
		bs = slices.Delete(slices.Clone(bs), oldest, oldest+1)
	}
	return bs
}

// put is the one place where bindings change. It keeps the indexes and the list of what is to be written, and tells who wants to know.
func (r *Registrar) put(k key, next []*Binding, events []Event) {
	old := r.users[k]
	stay := make(map[string]*Binding, len(next))
	for _, b := range next {
		stay[b.ID] = b
	}
	for _, b := range old {
		if users := r.flows[b.Flow]; users != nil {
			if delete(users, k); len(users) == 0 {
				delete(r.flows, b.Flow)
			}
		}
		delete(r.epochs, b.Epoch)
		if stay[b.ID] == nil {
			r.write(Change{ID: b.ID, Record: Record{Realm: k.realm, User: k.user}})
		} else if now := stay[b.ID]; now == b || now.Gone && !b.Gone { // that a flow is gone is not written: after a restart all are
			delete(stay, b.ID)
		}
	}
	for _, b := range next {
		if !b.Gone {
			if r.flows[b.Flow] == nil {
				r.flows[b.Flow] = make(map[key]struct{})
			}
			r.flows[b.Flow][k] = struct{}{}
		}
		if b.Epoch != "" {
			r.epochs[b.Epoch] = device{k, b.Instance}
		}
		if stay[b.ID] != nil {
			r.write(Change{ID: b.ID, Put: true, Record: Record{Realm: k.realm, User: k.user, Binding: *b}})
		}
		r.soonest(b.Expires)
	}
	if len(next) == 0 {
		delete(r.users, k)
	} else {
		r.users[k] = next
	}
	for _, e := range events {
		e.Realm, e.User = k.realm, k.user
		r.cfg.OnEvent(e)
	}
	if was, is := reachable(old) > 0, reachable(next) > 0; was != is {
		r.cfg.OnChange(k.realm, k.user, is)
	}
}

// visible copies bindings for a caller, in order of preference.
func visible(bs []*Binding, now time.Time, gone bool) []Binding {
	var out []Binding
	for _, b := range bs {
		if b.Expires.After(now) && (gone || !b.Gone) {
			out = append(out, *b)
			out[len(out)-1].Path = slices.Clone(b.Path)
		}
	}
	slices.SortStableFunc(out, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(b.Q, a.Q), b.Updated.Compare(a.Updated), b.Expires.Compare(a.Expires))
	})
	return out
}

func randomID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	return hex.EncodeToString(b[:])
}
