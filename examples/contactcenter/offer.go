package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/srtp/media"
)

// session is an agent who has answered: the second leg of a conversation.
type session struct {
	agent string
	call  *sip.Call
	leg   *media.Leg
}

func (s *session) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = s.call.Hangup(ctx) // over for us either way
	s.leg.Close()
}

var (
	_ acd.Offerer    = (*site)(nil)
	_ acd.Withdrawer = (*site)(nil)
	_ acd.Dialer     = (*site)(nil)
)

var errUnreachable = errors.New("no phone of the agent is registered")

// Offer rings the agent's phone, over the connection it registered on.
func (s *site) Offer(ctx context.Context, agent, work string) (bool, error) {
	w, ok := s.center.Work(work)
	if !ok {
		return false, nil // gone between decision and offer; the distributor learns of it by Abandon
	}
	if w.Callback && (s.node.draining.Load() || w.Attributes[carrierAttribute] == "" && w.Attributes[reachAttribute] == agent) {
		return false, nil // the next process calls them; and nobody is called back by themselves
	}
	if err := s.released(ctx, agent); err != nil {
		return false, err
	}
	ringing := func() {
		s.wg.Add(1)
		go func() { // ends at once; waited for by close
			defer s.wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = s.center.Ringing(ctx, agent, work) // an offer that is over is no news
		}()
	}
	ses, err := s.ring(ctx, agent, w.Attributes["caller"], ringing)
	var refused *sip.StatusError
	switch {
	case errors.As(err, &refused):
		s.log.Info("offer refused", "call", work, "agent", agent, "status", refused.Code)
		return false, nil
	case err != nil:
		return false, err
	}
	s.mu.Lock()
	s.sessions[seat{work, agent}] = ses
	s.mu.Unlock()
	return true, nil
}

// ring calls a user of this tenant and returns once they have answered. A device is tried on its next connection when one is gone, never on two at once.
func (s *site) ring(ctx context.Context, user, from string, ringing func()) (*session, error) {
	err := errUnreachable
	for _, device := range s.node.registrar.Devices(s.realm(), user, time.Now()) {
		for _, b := range device {
			var ses *session
			if ses, err = s.ringFlow(ctx, b, user, from, ringing); err == nil {
				return ses, nil
			}
			if !errors.Is(err, sip.ErrFlowGone) {
				return nil, err
			}
		}
	}
	return nil, err
}

// ringFlow calls one device. If its phone refuses before it rings what the user's phone spoke last, it is another phone: it is asked again, the other way.
func (s *site) ringFlow(ctx context.Context, b registrar.Binding, user, from string, ringing func()) (*session, error) {
	if behindWebSocket(b) {
		return s.ringKeyed(ctx, b, user, from, ringing, media.ProposeSDES)
	}
	propose := s.keying.of(user)
	ses, err := s.ringKeyed(ctx, b, user, from, ringing, propose)
	if notAcceptable(err) {
		s.keying.forget(user)
		if propose == media.ProposeBoth {
			propose = media.ProposeDTLS // a phone that takes no RTP/SAVP at all
		} else {
			propose = media.ProposeBoth
		}
		ses, err = s.ringKeyed(ctx, b, user, from, ringing, propose)
	}
	if err == nil {
		s.keying.learn(user, ses.leg)
	}
	return ses, err
}

func (s *site) ringKeyed(ctx context.Context, b registrar.Binding, user, from string, ringing func(), propose media.Proposal) (*session, error) {
	leg, err := s.newLeg(behindWebSocket(b), true, propose, "")
	if err != nil {
		return nil, err
	}
	light := s.newLamp(user, true)
	call, err := s.node.ep.Dial(ctx, sip.DialConfig{
		Target: b.Contact, Flow: b.Flow, Route: b.Path, From: "sip:" + from + "@" + s.tenant.Profile().Domain, FromName: from, Realm: s.realm(), User: user,
		OnRinging: func() {
			light.show("early")
			if ringing != nil {
				ringing()
			}
		},
	}, leg)
	if err == nil {
		light.show("confirmed")
		err = call.Detach(func(error) { light.out() })
	}
	if err != nil {
		light.out()
		leg.Close()
		return nil, err
	}
	s.node.keys.watch(leg, call)
	call.OnDigit(func(d byte) { _ = leg.InjectDigit(d) }) // INFO; a leg that is closed needs none
	return &session{agent: user, call: call, leg: leg}, nil
}

// behindWebSocket reports whether a device is a browser (RFC 7118 section 5.5): its Contact says so.
func behindWebSocket(b registrar.Binding) bool {
	return strings.Contains(strings.ToLower(b.Contact)+";", ";transport=ws;")
}

// Withdraw releases an agent who answered when the caller had just gone, or another agent was faster.
func (s *site) Withdraw(_ context.Context, agent, work string) {
	if ses := s.takeSession(work, agent); ses != nil {
		s.wg.Add(1)
		go func() { // ends with the BYE; waited for by close
			defer s.wg.Done()
			ses.end()
		}()
	}
}

// seat is one agent with one work.
type seat struct{ work, agent string }

func (s *site) takeSession(work, agent string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses := s.sessions[seat{work, agent}]
	delete(s.sessions, seat{work, agent})
	return ses
}

// takeSessions takes all agents who have answered for a work.
func (s *site) takeSessions(work string) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*session
	for k, ses := range s.sessions {
		if k.work == work {
			out = append(out, ses)
			delete(s.sessions, k)
		}
	}
	return out
}

// Where signalling and media meet: a leg is what a call needs.
var _ sip.Media = (*media.Leg)(nil)
