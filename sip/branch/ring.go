package branch

import (
	"context"
	"errors"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
)

// leg is what became of ringing one device.
type leg struct {
	call *sip.Call
	far  *back
	err  error
}

// ring rings all devices of a user at once with one offer; the first that answers has the call.
func (b *Branch) ring(ctx context.Context, in *sip.Call, user, from string, offer []byte) (*sip.Call, *back, error) {
	devices := b.registrar.Devices(b.cfg.Domain, user, time.Now())
	if len(devices) == 0 {
		return nil, nil, refusal(480)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	legs := make(chan leg, len(devices))
	for _, flows := range devices {
		go func() { // ends with its answer or with ctx, waited for below
			legs <- b.device(ctx, in, user, from, flows, offer)
		}()
	}
	var won leg
	var refused error
	for range devices {
		l := <-legs
		switch {
		case l.err == nil && won.call == nil:
			won = l
			cancel() // the others stop ringing
		case l.err == nil: // two were lifted at once
			hangup(l.call)
		default:
			refused = worse(refused, l.err)
			if isDecline(l.err) {
				cancel()
			}
		}
	}
	if won.call != nil {
		return won.call, won.far, nil
	}
	return nil, nil, refused
}

// device rings one device, over its second connection if the first is gone.
func (b *Branch) device(ctx context.Context, in *sip.Call, user, from string, flows []registrar.Binding, offer []byte) leg {
	l := leg{err: sip.ErrFlowGone}
	for _, f := range flows {
		l.far = &back{offer: offer}
		l.call, l.err = b.phones.Dial(ctx, sip.DialConfig{
			Target: f.Contact, Flow: f.Flow, Route: f.Path, From: from, Realm: b.cfg.Domain, User: user, OnProgress: ringing(in, nil),
		}, l.far)
		if !errors.Is(l.err, sip.ErrFlowGone) {
			break
		}
	}
	return l
}

// worse is which of two refusals the caller is told: what a person said, 6xx before 486, before what a device or a connection did (RFC 3261 section 16.7 step 6).
func worse(a, b error) error {
	rank := func(err error) int {
		var said *sip.StatusError
		switch {
		case err == nil:
			return 0
		case errors.Is(err, context.Canceled):
			return 1
		case !errors.As(err, &said):
			return 2
		case said.Code >= 600:
			return 5
		case said.Code == 486:
			return 4
		}
		return 3
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// isDecline reports a refusal that counts for all devices of the user (RFC 3261 section 21.6).
func isDecline(err error) bool {
	var said *sip.StatusError
	return errors.As(err, &said) && said.Code >= 600
}
