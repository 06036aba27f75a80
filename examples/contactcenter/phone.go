package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/ivr"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// phone is a caller as a flow sees one: prompts and digits through its leg, queues through the distributor.
type phone struct {
	site   *site
	call   *sip.Call
	leg    *media.Leg
	id     string        // in events and recordings: of the call, or for a callback of the call that asked for it
	sides  []side        // the legs of the call so far; guarded by site.mu
	caller string        // a user, a number, or "anonymous"
	from   arrival       // how they came
	work   string        // what the distributor calls the call; empty once it is accounted for
	next   *ivr.Flow     // where an agent has transferred the caller to
	lang   string        // last spoken; a flow runs in one goroutine
	left   chan struct{} // closed when the flow has ended; guarded by site.mu
	// untold says that nobody told whoever is there now that conversations are recorded: somebody else may answer a callback.
	untold bool
	// endedBy says who ended a conversation with an agent: "caller" or "agent"; empty if there was none.
	endedBy string
}

// A phone can do all that flows may ask for.
var (
	_ ivr.Call        = (*phone)(nil)
	_ ivr.Enqueuer    = (*phone)(nil)
	_ ivr.Echoer      = (*phone)(nil)
	_ ivr.Masker      = (*phone)(nil)
	_ ivr.Voicemailer = (*phone)(nil)
)

func (p *phone) Play(ctx context.Context, prompt, lang string) error {
	p.lang = lang
	x := p.site.prompts.find(lang, prompt)
	if x == nil {
		return fmt.Errorf("no prompt %s in %s", prompt, lang)
	}
	return gone(p.leg.Play(ctx, x))
}

func (p *phone) ReadDigit(ctx context.Context) (byte, error) {
	select { // a key that waits is returned even if ctx is over: that is how type-ahead skips a prompt
	case d := <-p.leg.Digits():
		return d, nil
	default:
	}
	d, err := p.leg.ReadDigit(ctx)
	return d, gone(err)
}

func (p *phone) Hangup(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := p.call.Hangup(ctx); err != nil && !errors.Is(err, sip.ErrCallEnded) {
		p.site.log.Info("hang-up not confirmed", "call", p.call.ID(), "err", err)
	}
	return nil
}

func (p *phone) Echo(ctx context.Context) error {
	err := p.leg.Echo(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return gone(err)
}

// Mask keeps secret digits, as events and as tones, from everybody but the flow.
func (p *phone) Mask(context.Context) (func(), error) {
	p.leg.Secret(true)
	return func() { p.leg.Secret(false) }, nil
}

// gone turns the end of a leg into the word a flow knows.
func gone(err error) error {
	if errors.Is(err, media.ErrClosed) {
		return ivr.ErrHangup
	}
	return err
}
