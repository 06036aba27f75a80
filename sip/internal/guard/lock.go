package guard

import (
	"net/netip"
	"sync"
	"time"
)

// LockConfig are the thresholds of Locks.
type LockConfig struct {
	After       int           // failures of one user from one source before answers are refused
	SourceAfter int           // failures of one source, whatever the users, before that
	First, Max  time.Duration // the first refusal lasts First, each further failure doubles it up to Max
	Forget      time.Duration // a user without failures for so long starts anew; a source is forgiven one failure in each SourceAfter-th of it
	Size        int           // entries of each of the two tables
}

// Locks slows down who guesses passwords. The key is user and source together, so that a stranger who fails on purpose in the name of a
// user locks out itself, not the phone of that user elsewhere. A second count per source catches one password tried on many users.
//
// Failures while locked count for nothing: they were not verified, so they tell the attacker nothing, and a phone with an old password
// that repeats itself stays at the longest delay instead of locking out its whole office.
//
// An attacker with more sources than the table has entries pushes its own failures out. It needs as many addresses as it wants guesses.
type Locks struct {
	cfg     LockConfig
	mu      sync.Mutex
	users   table[lockKey, lock]
	sources table[netip.Addr, lock]
}

type lockKey struct {
	realm, user string
	src         netip.Addr
}

type lock struct {
	failures int
	last     time.Time // of the last failure
	until    time.Time
}

// NewLocks returns Locks without any.
func NewLocks(cfg LockConfig) *Locks {
	return &Locks{cfg: cfg, users: newTable[lockKey, lock](cfg.Size), sources: newTable[netip.Addr, lock](cfg.Size)}
}

// Locked reports whether an answer for user from src must be refused without verifying it. With ownOnly the count of the source does not
// matter: for a connection that has proved a password before, which must not suffer from its neighbours.
func (l *Locks) Locked(realm, user string, src netip.Addr, ownOnly bool, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.sources.peek(src); !ownOnly && s != nil && now.Before(s.until) {
		return true
	}
	u := l.users.peek(lockKey{realm, user, src})
	return u != nil && now.Before(u.until)
}

// Fail counts a wrong answer that was verified. It is the same for users that do not exist.
func (l *Locks) Fail(realm, user string, src netip.Addr, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	u, _ := l.users.get(lockKey{realm, user, src})
	if now.Sub(u.last) > l.cfg.Forget {
		u.failures = 0
	}
	u.fail(l.cfg.After, l.cfg, now)
	s, _ := l.sources.get(src)
	if forgive := l.cfg.Forget / time.Duration(l.cfg.SourceAfter); !s.last.IsZero() && forgive > 0 {
		s.failures = max(0, s.failures-int(now.Sub(s.last)/forgive))
	}
	s.fail(l.cfg.SourceAfter, l.cfg, now)
}

func (k *lock) fail(after int, cfg LockConfig, now time.Time) {
	k.failures++
	k.last = now
	if k.failures < after {
		return
	}
	d := cfg.Max
	if n := k.failures - after; n < 20 {
		d = min(cfg.First<<n, cfg.Max)
	}
	k.until = now.Add(d)
}

// Succeed clears the count of user from src, and pays off some of the count of src: where users prove passwords there is an office, not only
// a guesser. It touches no other source.
func (l *Locks) Succeed(realm, user string, src netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.users.drop(lockKey{realm, user, src})
	if s := l.sources.peek(src); s != nil {
		if s.failures -= payOff; s.failures <= 0 {
			l.sources.drop(src)
		}
	}
}

// payOff is how many failures of a source one success makes good. An attacker with one account of its own could pay with it: 5 guesses for
// each log-in, each of which is as slow as a guess; the count per user does not get paid off that way.
const payOff = 5

// Entries is how many users and sources are remembered.
func (l *Locks) Entries() (users, sources int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.users.items), len(l.sources.items)
}
