package branch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// errSilent cancels a call to an upstream of which nothing is heard.
var errSilent = errors.New("branch: upstream is silent")

// refusal is a call that the branch itself refuses.
type refusal int

func (r refusal) Error() string { return fmt.Sprintf("branch: refused with %d", int(r)) }

// handled is one call of a phone, and its entry if the branch handles it by itself.
type handled struct {
	b   *Branch
	in  *sip.Call
	cdr CDR
	own bool // the upstream does not see it
}

// fromPhone serves a call of a phone.
func (b *Branch) fromPhone(ctx context.Context, in *sip.Call) {
	ctx, leave, ok := b.join(ctx)
	if !ok {
		_ = in.Reject(503) // a caller who is gone needs no answer
		return
	}
	defer leave()
	h := &handled{b: b, in: in, cdr: CDR{ID: newID(), From: party(in.User()), To: party(in.To()), Start: time.Now().UTC(), Outcome: Refused}}
	br := &bridge{in: in, place: h.place, answered: h.answered}
	br.place = func(ctx context.Context, offer []byte) (*sip.Call, *back, error) {
		out, far, err := h.place(ctx, offer)
		if err != nil && in.Err() == nil {
			h.refuse(err)
		}
		return out, far, err
	}
	if err := br.run(ctx); err != nil {
		b.cfg.Logger.Debug("branch: call of a phone not connected", "call", in.ID(), "err", err)
	}
	h.finish()
	br.end()
}

// place calls whom the caller wants: by the upstream while it is there, else by whatever there is here.
func (h *handled) place(ctx context.Context, offer []byte) (*sip.Call, *back, error) {
	b := h.b
	help := b.cfg.Emergency(h.in.To())
	if b.Up() {
		out, far, err := h.upstream(ctx, offer)
		switch {
		case err == nil || ctx.Err() != nil:
			return out, far, err
		case isGone(err):
			b.observe(false)
		case !help || rang(err):
			return nil, nil, err
		}
	}
	route, to := b.cfg.plan(h.in.To(), b.known(ctx))
	h.own, h.cdr.Route = true, route
	switch route {
	case Internal, Fallback:
		return b.ring(ctx, h.in, to, "sip:"+h.in.User()+"@"+b.cfg.Domain, offer)
	case Emergency:
		out, far, err := h.outside(ctx, offer, true)
		if err == nil || ctx.Err() != nil || rang(err) {
			return out, far, err
		}
		if out, far, last := h.upstream(ctx, offer); last == nil { // believed to be gone, but there is nothing to lose
			h.own = false
			return out, far, nil
		}
		return nil, nil, err
	case Public:
		return h.outside(ctx, offer, false)
	}
	return nil, nil, refusal(503)
}

// isGone tells an upstream that is not there from one that refuses, and from a number that cannot be dialed: no phone can have the upstream given up by what
// it dials.
func isGone(err error) bool {
	return errors.Is(err, sip.ErrTransport) || errors.Is(err, sip.ErrTimeout) || errors.Is(err, sip.ErrFlowGone) || errors.Is(err, errSilent)
}

// rang reports whether somebody's phone has rung before the refusal.
func rang(err error) bool {
	var said *sip.StatusError
	return errors.As(err, &said) && said.Rang
}

// known tells the users of the site.
func (b *Branch) known(ctx context.Context) func(user string) bool {
	alg := sip.SHA256
	if len(b.cfg.Algorithms) > 0 {
		alg = b.cfg.Algorithms[0]
	}
	return func(user string) bool {
		if len(b.registrar.Lookup(b.cfg.Domain, user, time.Now())) > 0 {
			return true
		}
		_, err := b.cfg.Credentials.HA1(ctx, user, alg)
		return err == nil
	}
}

// upstream calls the upstream as the user. It is given up when nothing is heard of it within Patience.
func (h *handled) upstream(ctx context.Context, offer []byte) (*sip.Call, *back, error) {
	b, user := h.b, h.in.User()
	password, err := b.cfg.Credentials.Upstream(ctx, user)
	if err != nil {
		return nil, nil, refusal(403)
	}
	far := &back{offer: offer}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(b.cfg.Patience, func() { cancel(errSilent) })
	defer silent.Stop()
	out, err := b.outer.Dial(ctx, sip.DialConfig{
		Target: "sip:" + h.in.To() + "@" + b.cfg.Domain, Address: b.cfg.Upstream, From: "sip:" + user + "@" + b.cfg.Domain, Password: password.ExportSecret(),
		OnProgress: ringing(h.in, silent),
	}, far)
	return out, far, err
}

// ringing passes ringing on. The first response of any kind stops the timer, if there is one.
func ringing(in *sip.Call, silent *time.Timer) func(status int) {
	return func(status int) {
		if silent != nil {
			silent.Stop()
		}
		if status > 100 { // a gateway that says 183 means ringing too, and its sound does not come through before the answer
			_ = in.Ring() // a caller who is gone is noticed where the call is placed
		}
	}
}

// outside calls the local trunk.
func (h *handled) outside(ctx context.Context, offer []byte, help bool) (*sip.Call, *back, error) {
	if h.b.cfg.Outside == nil {
		return nil, nil, refusal(503)
	}
	far := &back{offer: offer}
	out, err := h.b.cfg.Outside(ctx, Outgoing{From: h.in.User(), To: h.in.To(), Emergency: help, OnRinging: func() { ringing(h.in, nil)(180) }}, far)
	if err == nil && out == nil {
		err = errors.New("branch: Config.Outside returned no call")
	}
	return out, far, err
}

// answered writes down that the other side has answered, before the caller is told. A call that costs money and cannot be written down is refused;
// others go on, because the people of the site need them more than we need the entry.
func (h *handled) answered() error {
	if !h.own {
		return nil
	}
	h.cdr.Answered, h.cdr.Outcome = time.Now().UTC(), Answered
	if err := h.b.cfg.Journal.Begin(h.cdr); err != nil {
		h.b.cfg.OnError(err)
		if h.cdr.Route == Public {
			h.cdr.Outcome, h.cdr.Answered = Refused, time.Time{}
			h.refuse(refusal(503))
			return err
		}
	}
	return nil
}

// refuse tells the caller why the call could not be placed.
func (h *handled) refuse(err error) {
	if status := statusOf(err); h.in.Reject(status) == nil {
		h.cdr.Status = status
	}
}

// statusOf is the status with which a caller is refused.
func statusOf(err error) int {
	var said *sip.StatusError
	var ours refusal
	switch {
	case errors.As(err, &ours):
		return int(ours)
	case errors.Is(err, sip.ErrFlowGone):
		return 480
	case errors.Is(err, sip.ErrMalformed):
		return 404
	case errors.Is(err, sip.ErrTimeout):
		return 408
	case !errors.As(err, &said):
		return 503
	}
	switch {
	case said.Code == 401 || said.Code == 407: // it is us whom the far side did not believe; the phone has proved itself
		return 403
	case said.Code < 400 || said.Code > 699: // where to go instead does not get through
		return 480
	}
	return said.Code
}

// finish writes the entry of a call that the branch handled by itself.
func (h *handled) finish() {
	if !h.own {
		return
	}
	h.cdr.End = time.Now().UTC()
	if cause := h.in.Err(); h.cdr.Outcome == Refused && h.cdr.Status == 0 {
		if h.cdr.Outcome = Canceled; cause == nil || statusOf(cause) == 488 { // refused by package sip: what the call needs does not pass here
			h.cdr.Outcome, h.cdr.Status = Refused, 488
		}
	}
	if err := h.b.cfg.Journal.End(h.cdr); err != nil {
		h.b.cfg.OnError(err)
	}
	signal(h.b.flush)
}

// fromUpstream serves a call to a phone of the site.
func (b *Branch) fromUpstream(ctx context.Context, in *sip.Call) {
	ctx, leave, ok := b.join(ctx)
	if !ok {
		_ = in.Reject(503) // a caller who is gone needs no answer
		return
	}
	defer leave()
	br := &bridge{in: in, answered: func() error { return nil }}
	br.place = func(ctx context.Context, offer []byte) (*sip.Call, *back, error) {
		out, far, err := b.ring(ctx, in, in.To(), "sip:"+claimed(in.ClaimedFrom())+"@"+b.cfg.Domain, offer)
		if err != nil {
			_ = in.Reject(statusOf(err)) // a caller who is gone needs no answer
		}
		return out, far, err
	}
	if err := br.run(ctx); err != nil {
		b.cfg.Logger.Debug("branch: call from upstream not connected", "call", in.ID(), "err", err)
	}
	br.end()
}

// claimed is a name that the upstream claims for a caller, as it can be shown on a phone.
func claimed(from string) string {
	if from == "" || len(from) > maxParty || strings.Trim(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._*") != "" {
		return "anonymous"
	}
	return from
}

// hangup ends a call. It does not wait longer than a person would.
func hangup(c *sip.Call) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Hangup(ctx) // it is over for us in any case
}
