package branch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// refusedAgain is how long a user whom the upstream refused is left alone: a wrong password must not lock the user there.
const refusedAgain = time.Minute

// kept is what stands for a user at the upstream.
type kept struct {
	reg   *sip.Registration
	again time.Time // not before; after a refusal
}

// onReachable notes who is to be registered upstream.
func (b *Branch) onReachable(_, user string, reachable bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if reachable {
		b.wanted[user] = true
	} else {
		delete(b.wanted, user)
	}
	signal(b.reconcile)
}

// keepRegistered makes registrations upstream what phones are registered here. A registration repairs itself, at intervals that grow to half an hour (RFC
// 5626 section 4.5). That is right for a phone that guesses, and wrong here, where signs of life are watched: one that is lost is given up,
// and made anew as soon as the upstream is back.
func (b *Branch) keepRegistered() {
	defer b.wg.Done()
	have := make(map[string]*kept)
	defer func() {
		for _, k := range have {
			b.leave(canceled(), k) // the connection ends with us, and says it for all of them at once
		}
	}()
	for {
		select {
		case <-b.reconcile:
		case <-b.ctx.Done():
			return
		}
		b.mu.Lock()
		up := b.link.Up()
		wanted := make([]string, 0, len(b.wanted))
		for user := range b.wanted {
			wanted = append(wanted, user)
		}
		var left []*kept
		for user, k := range have {
			if !b.wanted[user] {
				delete(have, user)
				left = append(left, k)
			}
		}
		b.mu.Unlock()
		for _, k := range left {
			b.leave(b.ctx, k)
		}
		for _, user := range wanted {
			if b.ctx.Err() != nil {
				break
			}
			k := have[user]
			if k == nil {
				k = &kept{}
				have[user] = k
			}
			if k.reg != nil && k.reg.State() != sip.Registered {
				b.leave(canceled(), k)
			}
			if up && k.reg == nil && !time.Now().Before(k.again) {
				up = b.enter(user, k)
			}
		}
	}
}

// enter registers a user. It reports whether the upstream was there.
func (b *Branch) enter(user string, k *kept) (alive bool) {
	ctx, cancel := context.WithTimeout(b.ctx, b.cfg.Patience)
	defer cancel()
	password, err := b.cfg.Credentials.Upstream(ctx, user)
	if err != nil {
		k.again = time.Now().Add(refusedAgain)
		b.cfg.OnError(fmt.Errorf("branch: no password for a user who has a phone here: %w", err))
		return true
	}
	k.reg, err = b.outer.Register(ctx, sip.RegisterConfig{
		AOR: "sip:" + user + "@" + b.cfg.Domain, Address: b.cfg.Upstream, Password: password.ExportSecret(), Instance: b.cfg.Instance,
		OnState: func(s sip.RegistrationState, _ error) {
			if s == sip.Lost {
				signal(b.reconcile)
			}
		},
	})
	var refused *sip.StatusError
	switch {
	case err == nil:
		return true
	case b.ctx.Err() != nil:
		return false
	case errors.As(err, &refused):
		k.again = time.Now().Add(max(refusedAgain, min(refused.RetryAfter, time.Hour)))
		b.cfg.OnError(fmt.Errorf("branch: the upstream refuses a user who has a phone here: %w", err))
		return true
	}
	b.observe(false)
	return false
}

// leave ends a registration. With a context that is over, the upstream is not told.
func (b *Branch) leave(ctx context.Context, k *kept) {
	if k.reg == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, b.cfg.Patience)
	defer cancel()
	_ = k.reg.Close(ctx) // if the upstream did not hear it, the connection says it, or the time
	k.reg = nil
}

// canceled is a context that is over.
func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
