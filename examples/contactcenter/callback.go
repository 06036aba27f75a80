package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip/stir"
	"github.com/ringfence/ringfence/sip/toll"
)

// A waiting caller presses a key, hangs up, and keeps the place in the queue. The promise is in the distributor's log before the caller hears of it, and
// nowhere else: a server that is killed finds it there. callback_dial.go keeps it.

// What the distributor keeps of a call for a callback.
const (
	reachAttribute   = "reach"   // whom a callback may call; absent: nobody
	carrierAttribute = "carrier" // how they came; absent: as a user of the tenant
)

const (
	callbackOffer     = "callback-offer" // followed by the key
	callbackConfirmed = "callback-confirmed"
	callbackRefused   = "callback-refused"
)

// callbackAgain is how often a wish is tried again while an agent's phone rings for the caller.
const callbackAgain = 200 * time.Millisecond

// reach is whom a callback may call: the user who proved who they are, or the number that a trusted carrier stands for. The attacker wants us to call a number that
// is expensive, foreign or somebody else's, and writes it where a caller's number is written. A number that is not to be shown is in no log, so it is not called.
func (a arrival) reach() string {
	if a.carrier == "" || a.asserted && strings.HasPrefix(a.caller, "+") && !strings.HasPrefix(a.proved, string(stir.Failed)) {
		return a.caller
	}
	return ""
}

// callbackUser is who places callbacks to the outside, for the guard: no user of a tenant has this name. A caller cannot use up what an agent may spend.
const callbackUser = "service:callback"

// refusesCallback says why a caller cannot be called back; empty if they can. What is promised here is asked again when it is kept.
func (s *site) refusesCallback(ctx context.Context, a arrival, work string) string {
	reach := a.reach()
	if reach == "" {
		return "number not proved"
	}
	for _, w := range s.center.Works() { // one promise for one phone: nobody is called a hundred times because somebody pressed a key as often
		if w.Callback && w.Attributes[reachAttribute] == reach && w.Attributes[carrierAttribute] == a.carrier {
			return "already waits for a callback"
		}
	}
	if a.carrier == "" {
		if !s.isUser(ctx, reach) {
			return "not a user"
		}
		return ""
	}
	d, why := s.allowsCallback(work, reach)
	if why == "" {
		_, _ = s.node.toll.Ended(time.Now(), d.id) // allowed just now; it was a question, and counts as a call that was not placed
	}
	return why
}

// permission is what the guard allowed.
type permission struct {
	id string
	toll.Decision
}

// allowsCallback asks the guard. Whatever it allows must be Ended.
func (s *site) allowsCallback(work, number string) (permission, string) {
	n := s.node
	if n.carriers == nil || n.carriers.IsEmergency(number) {
		return permission{}, "no way there"
	}
	for _, x := range n.sites { // a carrier that says we call ourselves would have us call ourselves
		if x.numbers[number] != nil {
			return permission{}, "our own number"
		}
	}
	number, err := n.plan.Normalize(number)
	if err != nil {
		return permission{}, "not a number"
	}
	p := permission{id: fmt.Sprintf("%s/%d", work, n.callbacks.Add(1))}
	p.Decision = n.toll.Decide(time.Now(), toll.Call{ID: p.id, Tenant: s.name, User: callbackUser, Number: number})
	if !p.Allow {
		return p, string(p.Reason)
	}
	return p, ""
}

// callbackOf is what a queue offers; nil: nothing.
func (s *site) callbackOf(queue string) *callbackConfig {
	for _, q := range s.cfg.Queues {
		if q.Name == queue {
			return q.Callback
		}
	}
	return nil
}

// callbacks counts who waits to be called back, by queue.
func (s *site) callbacks() map[string]int {
	out := map[string]int{}
	for _, w := range s.center.Works() {
		if w.Callback && w.Waiting {
			out[w.Queue]++
		}
	}
	return out
}

// wish is what a waiting caller can press, and whether they have. Used by one goroutine at a time.
type wish struct {
	key     byte
	keys    <-chan byte // nil: nothing is offered
	pressed bool
	again   <-chan time.Time // when the distributor is asked again
}

// wishes is what a caller can wish in a queue. What was pressed before they waited is not meant for it. An agent wishes nothing: it might be them who are to
// call themselves.
func (p *phone) wishes(queue string) *wish {
	cb, reach := p.site.callbackOf(queue), p.from.reach()
	if cb == nil || reach == "" || p.from.carrier == "" && p.site.agents[reach] {
		return &wish{}
	}
	p.leg.FlushDigits()
	return &wish{key: cb.Key[0], keys: p.leg.Digits()}
}

// offerCallback says what to press.
func (p *phone) offerCallback(ctx context.Context, ticket *acd.Ticket, lang string, w *wish) {
	if w.keys == nil || w.pressed {
		return
	}
	p.announce(ctx, ticket, lang, callbackOffer, w)
	p.announce(ctx, ticket, lang, "digit-"+string(w.key), w)
}

// wished carries out what the caller pressed, and reports whether they will be called back. While an agent's phone rings for them the agent decides: the
// wish is kept, and tried again.
func (p *phone) wished(ctx context.Context, ticket *acd.Ticket, lang string, w *wish) bool {
	s := p.site
	if why := s.refusesCallback(ctx, p.from, p.work); why != "" {
		s.emit(event{Event: "callback-refused", Call: p.work, Cause: why})
		w.pressed, w.again = false, nil
		p.announce(ctx, ticket, lang, callbackRefused, w)
		return false
	}
	// A caller who presses the key and hangs up at once has asked all the same.
	long, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := s.center.CallBack(long, p.work)
	select {
	case <-ticket.Done():
		if ticket.Result().Outcome != acd.ResultCallback {
			return false // answered in this moment, or over
		}
		if err == nil {
			return true
		}
		s.log.Error("callback not written yet", "call", p.work, "err", err)
		return true
	default:
	}
	if err != nil && !errors.Is(err, acd.ErrState) {
		s.log.Error("no callback", "call", p.work, "err", err)
		w.pressed, w.again = false, nil
		return false
	}
	w.again = time.After(callbackAgain)
	return false
}

// promised tells the caller that they will be called back, and ends the call. The work goes on without it.
func (p *phone) promised(ctx context.Context, lang string) {
	p.work = ""
	if x := p.site.prompts.find(lang, callbackConfirmed); x != nil {
		if err := p.leg.Play(ctx, x); err != nil && ctx.Err() == nil {
			p.site.log.Info("promise not heard", "call", p.id, "err", err)
		}
	}
	_ = p.Hangup(ctx, "callback")
}

// checkCallbacks refuses a configuration whose callers could not be told.
func (t tenantConfig) checkCallbacks(p *prompts) error {
	for _, q := range t.Queues {
		if q.Callback == nil {
			continue
		}
		need := []string{callbackOffer, callbackConfirmed, callbackRefused, "digit-" + q.Callback.Key}
		if q.Callback.Notice != "" {
			need = append(need, q.Callback.Notice)
		}
		for lang := range p.byLanguage {
			for _, name := range need {
				if p.find(lang, name) == nil {
					return fmt.Errorf("queue %q: callback: prompt %s/%s.wav is missing", q.Name, lang, name)
				}
			}
		}
	}
	return nil
}
