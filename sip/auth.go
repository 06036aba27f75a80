package sip

import (
	"context"
	"errors"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

var errRefused = digest.ErrRefused

// verify checks the Authorization headers of req. stale asks the peer to try again with the new nonce instead of asking its user.
func (ep *Endpoint) verify(req *msg.Request, src source, realm Realm) (user string, stale bool, err error) {
	var values []string
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for h := range headers(req, name) {
			values = append(values, h.Value())
		}
	}
	r := digest.Request{Method: string(req.Method), URI: uriText(&req.Recipient), Headers: values, Realm: realm.Name, Source: src.host, Algorithms: realm.algorithms()}
	now := time.Now()
	tried, locked, counts := "", false, true
	user, err = ep.auth.Verify(r, now, func(user, algorithm string) ([]byte, error) {
		tried = user
		// Inside the lookup, so that a locked answer takes the work and gets the look of a wrong one, but learns nothing about the password.
		if locked = ep.guards.locks.Locked(realm.Name, user, src.origin, ep.proved(src) || ep.allowed(src.ip), now); locked {
			return nil, ErrUnknownUser
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		ha1, err := realm.Credentials(ctx, user, algorithm)
		// A store that is down must not leave every phone locked out when it comes back.
		counts = err == nil || errors.Is(err, ErrUnknownUser)
		return ha1, err
	})
	switch {
	case locked:
		ep.stats.lockedAuth.Add(1)
		ep.notice(src, SecurityLocked, "answer refused unseen")
	case tried != "" && counts && errors.Is(err, errRefused):
		ep.guards.locks.Fail(realm.Name, tried, src.origin, now)
	}
	return user, errors.Is(err, digest.ErrStale), err
}
