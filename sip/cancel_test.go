package sip_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
)

// A caller may change its mind in any instant, while its credentials are still being looked up too: the CANCEL is answered from the INVITE, by another goroutine
// than the one that serves that, so nothing of ours may change the INVITE by then. Run with -race, this fails when something does.
func TestACancelMayComeAtAnyTime(t *testing.T) {
	asked, begun, ended := make(chan chan struct{}), make(chan struct{}, 1), make(chan error, 1)
	s := serve(t, sip.Config{Realm: func(domain, _ string) (sip.Realm, error) {
		return sip.Realm{Name: domain, Credentials: func(ctx context.Context, user, algorithm string) ([]byte, error) {
			known := make(chan struct{})
			select {
			case asked <- known:
				<-known
			case <-ctx.Done():
			}
			return sip.HA1(algorithm, user, domain, domain+password)
		}}, nil
	}, OnCall: func(ctx context.Context, c *sip.Call) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- c.Err()
	}})
	p := s.raw(t, "acme.test")
	for round := range 60 {
		sc := &script{p: p, callID: fmt.Sprintf("cancel-%d", round)}
		sc.seq++
		sc.p.Send("OFFER", sc.lines("INVITE", "", "Content-Type: application/sdp")...)
		first := sc.p.Want("401")
		sc.seq++
		sc.p.Send("OFFER", sc.lines("INVITE", answer(challenges(first)[0], "SHA-256", "1001", "acme.test"+password, "INVITE", "sip:9000@acme.test", 1), "Content-Type: application/sdp")...)
		branch-- // a CANCEL has the branch of its INVITE
		cancel := sc.lines("CANCEL", "")
		known := <-asked
		switch {
		case round == 0: // a connection on which nobody was ever known is refused its CANCEL: this one proves whose it is
			close(known)
			<-begun
			sc.p.Send("", cancel...)
			sc.p.Want("200")
		case round%3 == 0: // the caller has heard the end before it is known who it was
			sc.p.Send("", cancel...)
			sc.p.Want("200")
			close(known)
			<-begun
		case round%3 == 1:
			sc.p.Send("", cancel...)
			close(known)
			sc.p.Want("200")
			<-begun
		default:
			close(known)
			sc.p.Send("", cancel...)
			sc.p.Want("200")
			<-begun
		}
		end := sc.p.Want("487")
		require.NotEmpty(t, end.Tag("To"))
		sc.toTag = end.Tag("To")
		branch-- // that of the INVITE again: the ACK of a refusal
		sc.p.Send("", sc.lines("ACK", "")...)
		select {
		case err := <-ended:
			require.ErrorIs(t, err, sip.ErrCanceled)
		case <-time.After(30 * time.Second):
			t.Fatal("the call goes on")
		}
	}
}
