package main

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// newLeg opens a leg of this tenant's for a phone, or for a browser. Where the phone offers, it chooses how to agree on keys; where we do, propose says it.
// remote is where its signalling comes from, empty if that is not known.
func (s *site) newLeg(browser, secure bool, propose media.Proposal, remote string) (*media.Leg, error) {
	cfg := media.LegConfig{SignallingSecure: secure}
	if browser {
		return s.node.browsers.NewLeg(cfg)
	}
	cfg.DTLS, cfg.Propose = s.identity, propose
	if from, err := netip.ParseAddrPort(remote); err == nil {
		cfg.Near = from.Addr()
	}
	return s.node.engine.NewLeg(cfg)
}

// keying remembers how users' phones agree on keys, as far as this process has seen a call of theirs. A leg that proposes SDES alone shares a port with
// others, so it is worth knowing.
type keying struct {
	mu    sync.Mutex
	users map[string]media.Proposal
}

// of is what to propose to a user: both ways until one is known.
func (k *keying) of(user string) media.Proposal {
	k.mu.Lock()
	defer k.mu.Unlock()
	if p, ok := k.users[user]; ok {
		return p
	}
	return media.ProposeBoth
}

// learn notes what a leg of the user's has agreed on.
func (k *keying) learn(user string, leg *media.Leg) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users == nil {
		k.users = map[string]media.Proposal{}
	}
	if k.users[user] = media.ProposeSDES; leg.Security().KeyMethod == "DTLS-SRTP" {
		k.users[user] = media.ProposeDTLS
	}
}

func (k *keying) forget(user string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.users, user)
}

// notAcceptable reports that a phone refused what the description offered, before it rang.
func notAcceptable(err error) bool {
	var refused *sip.StatusError
	return errors.As(err, &refused) && (refused.Code == 488 || refused.Code == 606 || refused.Code == 415) && !refused.Rang
}

// keyKeeper gives calls new media keys before the old ones wear out, by a re-INVITE.
type keyKeeper struct {
	mu     sync.Mutex
	calls  map[*media.Leg]*sip.Call
	asking map[*sip.Call]bool // an offer of new keys is on its way
}

func (k *keyKeeper) watch(leg *media.Leg, c *sip.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.calls == nil {
		k.calls, k.asking = map[*media.Leg]*sip.Call{}, map[*sip.Call]bool{}
	}
	k.calls[leg] = c
}

// due returns the calls whose keys have to change, and forgets those that are over.
func (k *keyKeeper) due() (out []*sip.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for leg, c := range k.calls {
		select {
		case <-leg.Done():
			delete(k.calls, leg)
		case <-leg.RekeyDue():
			if !k.asking[c] {
				k.asking[c] = true
				out = append(out, c)
			}
		default:
		}
	}
	return out
}

func (k *keyKeeper) asked(c *sip.Call) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.asking, c)
}

// rekeyTime is how long a phone has to answer an offer of new keys.
const rekeyTime = 10 * time.Second

// keepKeys runs until quit is closed.
func (n *node) keepKeys(quit <-chan struct{}) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		for _, c := range n.keys.due() {
			wg.Add(1)
			go func() { // ends with the answer or its time; waited for above
				defer wg.Done()
				defer n.keys.asked(c)
				ctx, cancel := context.WithTimeout(context.Background(), rekeyTime)
				defer cancel()
				if err := c.Reoffer(ctx); err != nil && !errors.Is(err, sip.ErrCallEnded) {
					n.log.Warn("no new keys", "call", c.ID(), "err", err) // asked again while they last
				}
			}()
		}
	}
}
