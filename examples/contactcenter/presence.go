package main

import (
	"context"
	"errors"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// An agent is present while a phone of theirs is registered and they are on no call of their own.

// registered is told by the registrar, in order.
func (s *site) registered(user string, reachable bool) {
	if !s.agents[user] {
		return
	}
	s.mu.Lock()
	busy := s.busy[user] > 0
	s.mu.Unlock()
	if !reachable {
		s.agentVerb(user, s.center.Logout)
		return
	}
	if !busy {
		s.present(user)
	}
}

func (s *site) present(user string) {
	s.agentVerb(user, s.center.Login)
	s.agentVerb(user, s.center.Ready)
}

// occupy takes a user out of distribution while they are on a call that no queue gave them; the result puts them back.
func (s *site) occupy(user string) (release func()) {
	if !s.agents[user] {
		return func() {}
	}
	s.mu.Lock()
	s.busy[user]++
	s.mu.Unlock()
	s.agentVerb(user, s.center.Logout)
	return func() {
		s.mu.Lock()
		s.busy[user]--
		free := s.busy[user] == 0
		if free {
			delete(s.busy, user)
		}
		s.mu.Unlock()
		if free && len(s.node.registrar.Lookup(s.realm(), user, time.Now())) > 0 {
			s.present(user)
		}
	}
}

// setReady serves the feature codes: an agent who missed a call says so that they are back.
func (s *site) setReady(user string, ready bool) {
	if ready {
		s.present(user)
		return
	}
	s.agentVerb(user, func(ctx context.Context, agent string) error { return s.center.NotReady(ctx, agent, "break") })
}

func (s *site) agentVerb(user string, verb func(context.Context, string) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := verb(ctx, user); err != nil && !errors.Is(err, acd.ErrState) && !errors.Is(err, acd.ErrClosed) {
		s.log.Warn("agent state not changed", "agent", user, "err", err)
	}
}

func (s *site) realm() string {
	p := s.tenant.Profile()
	if p.Realm != "" {
		return p.Realm
	}
	return p.Domain
}
