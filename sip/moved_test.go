package sip_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// Tags are seen by proxies and in traces. Somebody else with an account, of the same tenant or of another, ends no call and moves none with them; its own
// user does, from a new connection.
func TestADialogMovesWithItsUserOnly(t *testing.T) {
	calls := make(chan *sip.Call, 1)
	s := serve(t, sip.Config{OnCall: func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			calls <- c
		}
		<-ctx.Done()
	}})
	logged := func(realm, user string) *siptest.Peer {
		p := s.raw(t, realm)
		login(p, realm, user, realm+password)
		return p
	}
	p := logged("acme.test", "1001")
	d := &script{p: p, callID: "moved"}
	d.invite(t, "OFFER", "200")
	p.Send("", d.lines("ACK", "")...)
	c := <-calls

	d.seq++
	for _, other := range []struct{ realm, user, want string }{{"globex.test", "1001", "403"}, {"acme.test", "1002", "401"}} {
		thief := logged(other.realm, other.user)
		thief.Send("", d.lines("BYE", "")...)
		thief.Want(other.want)
		require.NoError(t, c.Err(), fmt.Sprint(other))
	}
	p.Send("Signal=1\r\n", d.lines("INFO", "", "Content-Type: application/dtmf-relay")...)
	p.Want("200") // the call is where it was

	again := logged("acme.test", "1001")
	d.seq++
	again.Send("", d.lines("BYE", "")...)
	again.Want("200")
	within(t, "call over", c.Done())
	require.ErrorIs(t, c.Err(), sip.ErrRemoteBye)
}
