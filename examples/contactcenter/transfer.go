package main

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/sip"
)

// transferRing is how long the target of a blind transfer may ring before the agent has the caller back.
const transferRing = 30 * time.Second

// request is a transfer that an agent's phone asked for (REFER). The conversation carries it out and says how it went.
type request struct {
	transfer *sip.Transfer
	result   chan error
}

// requests lets the phone of s ask for transfers until over is closed.
func (s *session) requests(to chan<- request, over <-chan struct{}) {
	s.call.OnTransfer(func(ctx context.Context, t *sip.Transfer) error {
		r := request{t, make(chan error, 1)}
		select {
		case to <- r:
		case <-over:
			return &sip.StatusError{Code: 603, Method: "REFER"}
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case err := <-r.result:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// leave ends the side of an agent who has handed the caller over. Their phone hangs up by itself when it hears of the success; if not, we do.
func (s *session) leave() {
	select {
	case <-s.call.Done():
	case <-time.After(2 * time.Second):
	}
	s.end()
}

// target is where a transfer leads: to somebody who has answered, or into a flow of the tenant.
type target struct {
	session *session
	release func() // puts the target back into distribution
	flow    *ivr.Flow
}

// transfer finds the target that an agent asks for. The tenant is the conversation's own: a target is one of its users or numbers, or does not exist.
func (p *phone) transfer(ctx context.Context, from *session, t *sip.Transfer) (target, error) {
	s := p.site
	agent, err := s.tenant.Operator(ctx, from.agent)
	if err != nil {
		return target{}, &sip.StatusError{Code: 403, Method: "REFER"}
	}
	if err := agent.Allow(ctx, "call.transfer", t.To); err != nil {
		return target{}, &sip.StatusError{Code: 403, Method: "REFER"}
	}
	if !s.owns(t.Domain) {
		return target{}, &sip.StatusError{Code: 404, Method: "REFER"}
	}
	switch {
	case t.Replaces != nil:
		return s.takeConsultation(from.agent, t.Replaces)
	case s.numbers[t.To] != nil:
		return target{flow: s.numbers[t.To]}, nil
	case t.To == from.agent || !s.isUser(ctx, t.To):
		return target{}, &sip.StatusError{Code: 404, Method: "REFER"}
	}
	release := s.occupy(t.To)
	stop := p.leg.Loop(s.prompts.find("en", holdMusic))
	defer stop()
	ringCtx, cancel := context.WithTimeout(ctx, transferRing)
	defer cancel()
	ses, err := s.ring(ringCtx, t.To, p.caller, nil)
	if err != nil {
		release()
		var refused *sip.StatusError
		if errors.As(err, &refused) {
			return target{}, refused
		}
		return target{}, &sip.StatusError{Code: 480, Method: "REFER"}
	}
	return target{session: ses, release: release}, nil
}

// owns reports whether a domain is this tenant's. Phones that were told an address instead of a name write that.
func (s *site) owns(domain string) bool {
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil {
		return true
	}
	return s.node.byDomain[domain] == s
}

// consultation is a call between two phones of a tenant, as the one who may hand it over has it.
type consultation struct {
	caller string
	other  *session
	taken  chan struct{} // closed by who takes it over
	freed  chan struct{} // closed when the legs are apart
}

// takeConsultation takes the far end of a call that the agent has with somebody else (attended transfer).
func (s *site) takeConsultation(agent string, call *sip.Call) (target, error) {
	s.mu.Lock()
	x := s.consultations[call]
	if x != nil && x.caller == agent { // the call of another user is as good as none
		delete(s.consultations, call)
	} else {
		x = nil
	}
	s.mu.Unlock()
	if x == nil {
		return target{}, &sip.StatusError{Code: 481, Method: "REFER"}
	}
	release := s.occupy(x.other.agent)
	close(x.taken)
	<-x.freed
	return target{session: x.other, release: release}, nil
}
