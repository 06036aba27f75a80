package sip_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// RFC 3515: a transfer is accepted by its handler only, and its course is reported by NOTIFY.
func TestBlindTransfer(t *testing.T) {
	asked := make(chan *sip.Transfer, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		c.OnTransfer(func(ctx context.Context, tr *sip.Transfer) error {
			asked <- tr
			if tr.To == "1002" {
				return tr.Progress(ctx, 180)
			}
			return &sip.StatusError{Code: 486}
		})
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "refer"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		refer := func(want string, extra ...string) {
			t.Helper()
			s.seq++
			p.Send("", s.lines("REFER", "", extra...)...)
			p.Want(want)
		}
		notified := func(state, frag string) {
			n := p.Want("NOTIFY")
			require.Equal(t, fmt.Sprintf("refer;id=%d", s.seq), n.Header.Get("Event"))
			require.True(t, strings.HasPrefix(n.Header.Get("Subscription-State"), state), n.Header.Get("Subscription-State"))
			require.Equal(t, frag+"\r\n", n.Body)
			ok(p, n, "")
		}
		refer("202", "Refer-To: <sip:1002@acme.test>", "Referred-By: <sip:1001@acme.test>")
		notified("active", "SIP/2.0 100 Trying")
		notified("active", "SIP/2.0 180 Ringing")
		notified("terminated", "SIP/2.0 200 OK")
		tr := <-asked
		require.Equal(t, "sip:1002@acme.test", tr.Target)
		require.Equal(t, "acme.test", tr.Domain)
		require.Equal(t, "<sip:1001@acme.test>", tr.ReferredBy)
		require.Nil(t, tr.Replaces)
		refer("202", "Refer-To: <sip:1003@acme.test>")
		notified("active", "SIP/2.0 100 Trying")
		notified("terminated", "SIP/2.0 486 Busy Here")
		<-asked
		refer("202", "Refer-To: sip:1002@acme.test", "Refer-Sub: false") // RFC 4488: nobody wants to know
		<-asked
		synctest.Wait()

		refer("400")
		refer("400", "Refer-To: <sip:1002@acme.test>", "Refer-To: <sip:1003@acme.test>")
		refer("400", "Refer-To: <http://acme.test/>")
		refer("400", "Refer-To: <sip:1002@acme.test?Replaces=nonsense>")
		refer("481", "Refer-To: <sip:1002@acme.test?Replaces=unknown%3Bto-tag%3Da%3Bfrom-tag%3Db>")
		require.Empty(t, asked)
	})
}

func TestTransferWithoutHandlerIsDeclined(t *testing.T) {
	bubble(t, func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "declined"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		s.seq++
		p.Send("", s.lines("REFER", "", "Refer-To: <sip:1002@acme.test>")...)
		p.Want("603")
	})
}

// Attended transfer (RFC 5589 section 7): the phone's other call with us is what the target has in hand.
func TestAttendedTransferNamesTheOtherCall(t *testing.T) {
	calls := make(chan *sip.Call, 2)
	asked := make(chan *sip.Transfer, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		c.OnTransfer(func(_ context.Context, tr *sip.Transfer) error { asked <- tr; return nil })
		if c.Answer(ctx, &media{}) == nil {
			calls <- c
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		first := &script{p: p, callID: "attended-1"}
		first.invite(t, "OFFER", "200")
		p.Send("", first.lines("ACK", "")...)
		<-calls
		second := &script{p: p, callID: "attended-2"}
		second.invite(t, "OFFER", "200")
		p.Send("", second.lines("ACK", "")...)
		other := <-calls
		first.seq++
		p.Send("", first.lines("REFER", "", "Refer-Sub: false", "Refer-To: <sip:1002@acme.test?Replaces=attended-2%3Bto-tag%3D"+second.toTag+"%3Bfrom-tag%3Dcaller>")...)
		p.Want("202")
		require.Same(t, other, (<-asked).Replaces)
		first.seq++
		p.Send("", first.lines("REFER", "", "Refer-To: <sip:1002@acme.test?Replaces=attended-2%3Bto-tag%3Dguess%3Bfrom-tag%3Dcaller>")...)
		p.Want("481")
	})
}

// INVITE with Replaces (RFC 3891): found, refused across realms, and given to who decides.
func TestReplaces(t *testing.T) {
	reg := sipRegistrar()
	joined := make(chan [2]*sip.Call, 1)
	s := serve(t, sip.Config{Registrar: reg, OnCall: func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}, OnReplace: func(ctx context.Context, c, old *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			_ = old.Hangup(ctx)
			joined <- [2]*sip.Call{c, old}
		}
		<-ctx.Done()
	}})
	up := make(chan *sip.Call, 1)
	phone := s.phone(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			up <- c
		}
		<-ctx.Done()
	})
	require.NoError(t, s.register(t, phone, "sip:1001@acme.test", "acme.test"+password))
	b := reg.Lookup("acme.test", "1001", time.Now())[0]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	old, err := s.Dial(ctx, sip.DialConfig{Target: b.Contact, Flow: b.Flow, From: "sip:9000@acme.test", Realm: "acme.test", User: "1001"}, &media{})
	require.NoError(t, err)
	snap, err := old.Snapshot()
	require.NoError(t, err)
	<-up

	try := func(realm, replaces string) *siptest.Peer {
		p := s.raw(t, realm)
		target := "sip:9000@" + realm
		lines := func(seq int, auth string) []string {
			branch++
			out := []string{"INVITE " + target + " SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKrep%d;rport", branch), "Max-Forwards: 70",
				"From: <sip:1002@" + realm + ">;tag=new", "To: <" + target + ">", fmt.Sprintf("Call-ID: rep-%s-%d", realm, len(replaces)), fmt.Sprintf("CSeq: %d INVITE", seq),
				"Contact: <sip:1002@127.0.0.1:20002;transport=tls>", "Content-Type: application/sdp", "Require: replaces", "Replaces: " + replaces}
			if auth != "" {
				out = append(out, "Authorization: "+auth)
			}
			return out
		}
		p.Send("OFFER", lines(1, "")...)
		c := p.Want("401")
		p.Send("OFFER", lines(2, answer(challenges(c)[0], "SHA-256", "1002", realm+password, "INVITE", target, 1))...)
		return p
	}
	name := snap.CallID + ";to-tag=" + snap.LocalTag + ";from-tag=" + snap.RemoteTag
	try("globex.test", name).Want("481") // another tenant must not even learn that it exists
	try("acme.test", snap.CallID+";to-tag="+snap.LocalTag).Want("400")
	try("acme.test", "x"+name).Want("481")
	try("acme.test", name+";early-only").Want("486")
	require.NoError(t, old.Err())
	p := try("acme.test", name)
	tag := p.Want("200").Tag("To")
	branch++
	p.Send("", "ACK sip:9000@acme.test SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKrep%d;rport", branch), "Max-Forwards: 70",
		"From: <sip:1002@acme.test>;tag=new", "To: <sip:9000@acme.test>;tag="+tag, fmt.Sprintf("Call-ID: rep-acme.test-%d", len(name)), "CSeq: 2 ACK")
	pair := <-joined
	require.Same(t, old, pair[1])
	within(t, "old call over", old.Done())
	require.Equal(t, "1002", pair[0].User())
}

// Our side as transferor: REFER, then the peer's reports.
func TestReferReportsTheOutcome(t *testing.T) {
	outcome := make(chan error, 3)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			for range 3 {
				outcome <- c.Refer(ctx, "sip:1002@acme.test", nil)
			}
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "our-refer"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		notify := func(id, state, frag string) {
			s.seq++
			p.Send(frag, s.lines("NOTIFY", "", "Event: refer"+id, "Subscription-State: "+state, "Content-Type: message/sipfrag;version=2.0")...)
			p.Want("200")
		}
		refer := p.Want("REFER")
		require.Equal(t, "<sip:1002@acme.test>", refer.Header.Get("Refer-To"))
		reply(p, refer, "202 Accepted", "", "")
		notify("", "active;expires=60", "SIP/2.0 100 Trying\r\n")
		notify(";id="+strings.Fields(refer.Header.Get("Cseq"))[0], "terminated;reason=noresource", "SIP/2.0 200 OK\r\n")
		require.NoError(t, <-outcome)
		refer = p.Want("REFER")
		reply(p, refer, "202 Accepted", "", "")
		notify("", "terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n")
		require.Equal(t, 486, status(<-outcome))
		reply(p, p.Want("REFER"), "603 Decline", "", "")
		require.Equal(t, 603, status(<-outcome))
		s.seq++
		p.Send("", s.lines("NOTIFY", "", "Event: refer", "Subscription-State: active")...) // of none of ours
		p.Want("481")
		s.seq++
		p.Send("", s.lines("NOTIFY", "", "Event: presence", "Subscription-State: active")...)
		p.Want("489")
	})
}

// A call is taken over by another endpoint from plain values: same dialog, next CSeq, new media, and the old one's death is not noticed.
func TestResumeOnAnotherNode(t *testing.T) {
	ca := siptest.NewAuthority(t)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	node := func() *sip.Endpoint {
		ep, err := sip.New(sip.Config{Client: client})
		require.NoError(t, err)
		return ep
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	address, accepted := uas(t, ca)
	one := node()
	dialed := make(chan *sip.Call, 1)
	go func() { // ends with the answer below
		c, err := one.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, From: "sip:1001@acme.test"}, &media{})
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	p := <-accepted
	invite := p.Want("INVITE")
	reply(p, invite, "200 OK", "there", "ANSWER")
	p.Want("ACK")
	snap, err := (<-dialed).Snapshot()
	require.NoError(t, err)
	require.NoError(t, one.Close())

	address, accepted = uas(t, ca) // the node died; its peer is reached on another connection
	two := node()
	defer two.Close()
	m := &media{}
	resumed := make(chan *sip.Call, 1)
	go func() { // ends with the answer below
		c, err := two.Resume(ctx, snap, sip.ResumeConfig{Address: address, ServerName: "acme.test"}, m)
		if err != nil {
			t.Error(err)
		}
		resumed <- c
	}()
	p = <-accepted
	re := p.Want("INVITE")
	require.Equal(t, invite.Header.Get("Call-Id"), re.Header.Get("Call-Id"))
	require.Equal(t, invite.Tag("From"), re.Tag("From"))
	require.Equal(t, "there", re.Tag("To"))
	require.Greater(t, len(seqOf(re)), len(seqOf(invite)), "a gap for what the dead node may have sent")
	require.Equal(t, "OFFER", re.Body)
	reply(p, re, "200 OK", "there", "NEW")
	p.Want("ACK")
	c := <-resumed
	require.NotNil(t, c)
	require.Equal(t, snap.ID, c.ID())
	require.Equal(t, []string{"offer", "accept NEW"}, m.notes())
	p.Send("", "BYE sip:1001@127.0.0.1 SIP/2.0", "Via: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bKresumed;rport", "Max-Forwards: 70", "From: <sip:9000@acme.test>;tag=there",
		"To: <sip:1001@acme.test>;tag="+snap.LocalTag, "Call-ID: "+snap.CallID, "CSeq: 1 BYE")
	p.Want("200")
	within(t, "call over", c.Done())
	require.ErrorIs(t, c.Err(), sip.ErrRemoteBye)
}
