package sip

import (
	"context"
	"sync"
	"time"
)

// watched is what a subscription is to.
type watched struct{ realm, pkg, target string }

// subscriptions are those that live. Nobody waits for any of them: expire is called every second.
type subscriptions struct {
	mu       sync.Mutex
	byDialog map[dialogID]*Subscription
	byTarget map[watched]map[*Subscription]struct{}
	perUser  map[[2]string]int // by realm and user, those that wait for a decision included
	closed   bool
}

// room takes a place of the user of s, which leave or remove gives back.
func (t *subscriptions) room(s *Subscription, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	who := [2]string{s.realm, s.user}
	if t.closed || t.perUser[who] >= limit {
		return false
	}
	if t.perUser == nil {
		t.byDialog, t.byTarget = make(map[dialogID]*Subscription), make(map[watched]map[*Subscription]struct{})
		t.perUser = make(map[[2]string]int)
	}
	t.perUser[who]++
	return true
}

func (t *subscriptions) leave(s *Subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.free(s)
}

func (t *subscriptions) free(s *Subscription) {
	who := [2]string{s.realm, s.user}
	if t.perUser[who]--; t.perUser[who] <= 0 {
		delete(t.perUser, who)
	}
}

func (t *subscriptions) add(s *Subscription) {
	w := watched{s.realm, s.pkg, s.target}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.byDialog[s.d.id] = s
	if t.byTarget[w] == nil {
		t.byTarget[w] = make(map[*Subscription]struct{})
	}
	t.byTarget[w][s] = struct{}{}
}

func (t *subscriptions) remove(s *Subscription) {
	w := watched{s.realm, s.pkg, s.target}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byDialog[s.d.id] != s {
		return
	}
	delete(t.byDialog, s.d.id)
	if delete(t.byTarget[w], s); len(t.byTarget[w]) == 0 {
		delete(t.byTarget, w)
	}
	t.free(s)
}

func (t *subscriptions) find(id dialogID) *Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byDialog[id]
}

func (t *subscriptions) of(w watched) []*Subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*Subscription
	for s := range t.byTarget[w] {
		out = append(out, s)
	}
	return out
}

// all returns every subscription that keep wants.
func (t *subscriptions) all(want func(*Subscription) bool) []*Subscription {
	t.mu.Lock()
	all := make([]*Subscription, 0, len(t.byDialog))
	for _, s := range t.byDialog {
		all = append(all, s)
	}
	t.mu.Unlock()
	var out []*Subscription
	for _, s := range all { // not under the lock: s.mu comes first where both are held
		if want(s) {
			out = append(out, s)
		}
	}
	return out
}

// expire ends subscriptions that were not refreshed and tells their watchers (RFC 6665 section 4.2.2).
func (t *subscriptions) expire(now time.Time) {
	for _, s := range t.all(func(s *Subscription) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lapsing || s.until.After(now) {
			return false
		}
		s.lapsing = true
		return true
	}) {
		s.ep.spawn(func() { // ends with its transaction
			ctx, cancel := context.WithTimeout(s.ep.life, 5*time.Second)
			defer cancel()
			_ = s.notify(ctx, nil, "timeout") // the watcher knows the hour as well as we do
			s.end(errLapsed)
		})
	}
}

// close ends all without a word, for Endpoint.Close.
func (t *subscriptions) close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	for _, s := range t.all(func(*Subscription) bool { return true }) {
		s.end(ErrClosed)
	}
}
