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
		for _, h := range req.GetHeaders(name) {
			values = append(values, h.Value())
		}
	}
	r := digest.Request{Method: string(req.Method), URI: req.Recipient.String(), Headers: values, Realm: realm.Name, Source: src.host, Algorithms: realm.algorithms()}
	user, err = ep.auth.Verify(r, time.Now(), func(user, algorithm string) ([]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return realm.Credentials(ctx, user, algorithm)
	})
	return user, errors.Is(err, digest.ErrStale), err
}
