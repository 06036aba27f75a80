package consent

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	// ErrNone is returned for what there is no consent to.
	ErrNone = errors.New("consent: there is none")
	// ErrInvalid is returned by Grant for a consent that names nobody, nothing or no end.
	ErrInvalid = errors.New("consent: invalid")
	// ErrFull is returned by Grant when MaxConsents are in force.
	ErrFull = errors.New("consent: too many")
)

// Purpose is what somebody consents to. The words are data and never change their meaning.
type Purpose string

// The purposes that this package knows. An application may have others.
const (
	Analytics    Purpose = "product-analytics" // events of a visitor, for the maker of the product
	ScreenReplay Purpose = "screen-replay"     // what an agent's desk showed
)

// MaxConsents bounds how many consents and withdrawals a Gate keeps.
const MaxConsents = 1_000_000

// MaxAge is the longest time for which one consent holds.
const MaxAge = 365 * 24 * time.Hour

// Consent is the record of one person's yes.
type Consent struct {
	User    string // required
	Session string // required: a consent never covers another session
	Purpose Purpose
	GivenAt time.Time
	Until   time.Time // required, after GivenAt, at most MaxAge after it; it does not hold at Until any more
}

type key struct {
	user, session string
	purpose       Purpose
}

// entry is a consent, and the last withdrawal, which older consents must not undo, not even after a newer one.
type entry struct {
	from, until time.Time // of the consent; zero after a withdrawal
	withdrawn   time.Time // zero: never
}

// forget is when nothing of an entry matters any more: a consent from before the withdrawal has expired by itself.
func (e entry) forget() time.Time {
	if end := e.withdrawn.Add(MaxAge); !e.withdrawn.IsZero() && end.After(e.until) {
		return end
	}
	return e.until
}

// Gate knows who consented to what. The zero Gate refuses everything and is ready; it is safe for concurrent use and must not be copied. It has
// no clock: time comes in as a parameter.
type Gate struct {
	mu      sync.RWMutex
	entries map[key]entry
	sweepAt int // number of entries at which the next Grant throws out what has expired
}

// Grant takes a consent. It replaces an earlier one of the same user, session and purpose; one that was given before the last withdrawal is
// refused with ErrNone. It has no effect before GivenAt.
func (g *Gate) Grant(c Consent) error {
	if c.User == "" || c.Session == "" || c.Purpose == "" || c.GivenAt.IsZero() || !c.Until.After(c.GivenAt) || c.Until.Sub(c.GivenAt) > MaxAge {
		return fmt.Errorf("%w: for %q from %v until %v", ErrInvalid, c.Purpose, c.GivenAt, c.Until)
	}
	k := key{c.User, c.Session, c.Purpose}
	g.mu.Lock()
	defer g.mu.Unlock()
	old, known := g.entries[k]
	if !old.withdrawn.IsZero() && !c.GivenAt.After(old.withdrawn) {
		return fmt.Errorf("%w: it was withdrawn after %v", ErrNone, c.GivenAt)
	}
	if !known {
		if err := g.room(c.GivenAt); err != nil {
			return err
		}
	}
	g.entries[k] = entry{from: c.GivenAt, until: c.Until, withdrawn: old.withdrawn}
	return nil
}

// room makes room for one more entry. What expired is thrown out once the number has doubled, so that a Grant costs little on average.
func (g *Gate) room(now time.Time) error {
	if g.entries == nil {
		g.entries, g.sweepAt = map[key]entry{}, 1024
	}
	if len(g.entries) < min(g.sweepAt, MaxConsents) {
		return nil
	}
	for k, e := range g.entries {
		if !now.Before(e.forget()) {
			delete(g.entries, k)
		}
	}
	g.sweepAt = max(1024, 2*len(g.entries))
	if len(g.entries) >= MaxConsents {
		return ErrFull
	}
	return nil
}

// Withdraw ends a consent and waits for what is just passing. Afterwards only a consent given after at opens the gate again; this holds also for
// one that the Gate did not know, unless it is full. It must not be called from within a sink, which it would wait for.
func (g *Gate) Withdraw(user, session string, p Purpose, at time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k := key{user, session, p}
	if old, known := g.entries[k]; known {
		for _, t := range []time.Time{old.from, old.withdrawn} {
			if at.Before(t) { // clocks differ: what was known until now must not come back
				at = t
			}
		}
	} else if g.room(at) != nil {
		return
	}
	g.entries[k] = entry{withdrawn: at}
}

// Allows reports whether there is a consent that holds at a time.
func (g *Gate) Allows(user, session string, p Purpose, at time.Time) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.allows(key{user, session, p}, at)
}

func (g *Gate) allows(k key, at time.Time) bool {
	e, ok := g.entries[k]
	return ok && !at.Before(e.from) && at.Before(e.until)
}

// pass runs f if there is a consent, and keeps Withdraw waiting meanwhile.
func (g *Gate) pass(k key, at time.Time, f func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if !g.allows(k, at) {
		return fmt.Errorf("%w to %s", ErrNone, k.purpose)
	}
	return f()
}
