package sip_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// inviteWith is invite with more headers.
func (s *script) inviteWith(t *testing.T, body, want string, extra ...string) siptest.Message {
	t.Helper()
	extra = append([]string{"Content-Type: application/sdp"}, extra...)
	s.seq++
	s.p.Send(body, s.lines("INVITE", "", extra...)...)
	first := s.p.Want("401")
	branch--
	s.toTag = first.Tag("To")
	s.p.Send("", s.lines("ACK", "")...)
	s.toTag = ""
	s.seq++
	s.p.Send(body, s.lines("INVITE", answer(challenges(first)[0], "SHA-256", "1001", "acme.test"+password, "INVITE", "sip:9000@acme.test", 1), extra...)...)
	m := s.p.Want(want)
	s.toTag = m.Tag("To")
	return m
}

// RFC 3262: early media is answered reliably, repeated until its PRACK, and the 2xx waits for that.
func TestEarlyMediaIsReliable(t *testing.T) {
	m := &media{}
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if err := c.Progress(ctx, m); err != nil {
			t.Error(err)
		}
		if err := c.Answer(ctx, m); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "early"}
		invite := s.inviteWith(t, "OFFER", "183", "Supported: 100rel")
		inviteSeq := s.seq
		require.Equal(t, "ANSWER", invite.Body)
		require.Equal(t, "100rel", invite.Header.Get("Require"))
		rseq := invite.Header.Get("Rseq")
		require.NotEmpty(t, rseq)
		start := time.Now()
		again, err := p.Read(time.Minute)
		require.NoError(t, err)
		require.Equal(t, 183, again.Status(), "repeated, not answered yet")
		require.Equal(t, 500*time.Millisecond, time.Since(start).Round(10*time.Millisecond))

		s.seq++
		p.Send("", s.lines("PRACK", "", "RAck: "+rseq+" 999 INVITE")...) // of another INVITE
		p.Want("481")
		s.seq++
		p.Send("", s.lines("PRACK", "", "RAck: "+rseq+" 2 INVITE")...)
		p.Want("200")
		ok := p.Want("200")
		require.Contains(t, ok.Header.Get("Cseq"), "INVITE")
		require.Equal(t, "ANSWER", ok.Body)
		s.seq, inviteSeq = inviteSeq, s.seq
		p.Send("", s.lines("ACK", "")...)
		s.seq = inviteSeq
		synctest.Wait()
		require.Equal(t, []string{"answer OFFER"}, m.notes(), "one answer for one offer")

		s.seq++
		p.Send("", s.lines("PRACK", "", "RAck: "+rseq+" 2 INVITE")...) // a second time
		p.Want("481")
	})
}

func TestNoPrackEndsTheCall(t *testing.T) {
	var err error
	bubble(t, func(ctx context.Context, c *sip.Call) { err = c.Progress(ctx, &media{}) }, func(p *siptest.Peer) {
		s := &script{p: p, callID: "no-prack"}
		s.inviteWith(t, "OFFER", "183", "Supported: 100rel")
		start := time.Now()
		for status := 183; status == 183; {
			m, err := p.Read(time.Minute)
			require.NoError(t, err)
			if status = m.Status(); status != 183 {
				require.Equal(t, 504, status)
			}
		}
		require.InDelta(t, 32, time.Since(start).Seconds(), 0.5)
	})
	require.ErrorIs(t, err, sip.ErrNoPRACK)
}

func TestRingingIsReliableWhereTheCallerRequiresIt(t *testing.T) {
	bubble(t, func(ctx context.Context, c *sip.Call) {
		_ = c.Ring()
		_ = c.Answer(ctx, &media{})
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "ring-rel"}
		m := s.inviteWith(t, "OFFER", "180", "Require: 100rel")
		require.Equal(t, "100rel", m.Header.Get("Require"))
		s.seq++
		p.Send("", s.lines("PRACK", "", "RAck: "+m.Header.Get("Rseq")+" 2 INVITE")...)
		p.Want("200")
		require.Contains(t, p.Want("200").Header.Get("Cseq"), "INVITE")
	})
}

// An offer in a reliable response, the answer in its PRACK (RFC 3262 section 5), and an UPDATE before the answer (RFC 3311).
func TestLateOfferInProvisionalResponseAndUpdate(t *testing.T) {
	m := &media{}
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if err := c.Progress(ctx, m); err != nil {
			t.Error(err)
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "early-late"}
		r := s.inviteWith(t, "", "183", "Supported: 100rel")
		require.Equal(t, "OFFER", r.Body)
		s.seq++
		p.Send("NEW", s.lines("UPDATE", "", "Content-Type: application/sdp")...)
		p.Want("491") // ours has no answer yet
		s.seq++
		p.Send("ANSWER", s.lines("PRACK", "", "Content-Type: application/sdp", "RAck: "+r.Header.Get("Rseq")+" 2 INVITE")...)
		p.Want("200")
		synctest.Wait()
		require.Equal(t, []string{"offer", "accept ANSWER"}, m.notes())
		s.seq++
		p.Send("NEW", s.lines("UPDATE", "", "Content-Type: application/sdp")...)
		require.Equal(t, "ANSWER", p.Want("200").Body)
		s.seq++
		p.Send("", s.lines("BYE", "")...) // an early dialog may be ended so
		require.Contains(t, strings.Join([]string{p.Want("487").Header.Get("Cseq"), p.Want("200").Header.Get("Cseq")}, " "), "BYE")
	})
}

// As UAC: each reliable response is acknowledged once, in order, in the dialog of its fork; the answer that it carried counts.
func TestReliableResponsesAreAcknowledged(t *testing.T) {
	ca := siptest.NewAuthority(t)
	address, accepted := uas(t, ca)
	client, err := sip.ClientTLS(nil, ca.Pool())
	require.NoError(t, err)
	ep, err := sip.New(sip.Config{Client: client})
	require.NoError(t, err)
	defer ep.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	m := &media{}
	dialed := make(chan *sip.Call, 1)
	go func() { // ends with the answer below
		c, err := ep.Dial(ctx, sip.DialConfig{Target: "sip:9000@acme.test", Address: address, From: "sip:1001@acme.test", EarlyMedia: true}, m)
		if err != nil {
			t.Error(err)
		}
		dialed <- c
	}()
	p := <-accepted
	invite := p.Want("INVITE")
	require.Contains(t, invite.Header.Get("Supported"), "100rel")
	say := func(status, tag, body string, extra ...string) {
		lines := []string{"SIP/2.0 " + status}
		for _, v := range invite.Header.Values("Via") {
			lines = append(lines, "Via: "+v)
		}
		lines = append(lines, "From: "+invite.Header.Get("From"), "To: "+invite.Header.Get("To")+";tag="+tag, "Call-ID: "+invite.Header.Get("Call-Id"),
			"CSeq: "+invite.Header.Get("Cseq"), "Contact: <sip:"+tag+"@127.0.0.1:5061;transport=tls>", "Content-Type: application/sdp")
		p.Send(body, append(lines, extra...)...)
	}
	say("183 Session Progress", "one", "EARLY", "Require: 100rel", "RSeq: 7")
	prack := p.Want("PRACK")
	require.Equal(t, "one", prack.Tag("To"))
	require.Contains(t, prack.Start, "sip:one@")
	require.Equal(t, "7 "+strings.Fields(invite.Header.Get("Cseq"))[0]+" INVITE", prack.Header.Get("Rack"))
	say("183 Session Progress", "one", "EARLY", "Require: 100rel", "RSeq: 7") // lost PRACK: the transaction repeats it, not we
	reply(p, prack, "200 OK", "one", "")
	say("180 Ringing", "one", "", "Require: 100rel", "RSeq: 9") // out of order: not acknowledged
	say("180 Ringing", "two", "", "Require: 100rel", "RSeq: 1") // another fork, another number
	prack = p.Want("PRACK")
	require.Equal(t, "two", prack.Tag("To"))
	reply(p, prack, "200 OK", "two", "")
	say("180 Ringing", "one", "", "Require: 100rel", "RSeq: 8")
	prack = p.Want("PRACK")
	require.Equal(t, "8", strings.Fields(prack.Header.Get("Rack"))[0])
	reply(p, prack, "200 OK", "one", "")
	say("200 OK", "one", "EARLY")
	ack := p.Want("ACK")
	require.Equal(t, strings.Fields(invite.Header.Get("Cseq"))[0], strings.Fields(ack.Header.Get("Cseq"))[0], "the ACK has the number of its INVITE whatever came between")
	c := <-dialed
	require.Equal(t, []string{"offer", "accept EARLY"}, m.notes())
	go func() { _ = c.Hangup(ctx) }() // ends with the response below
	bye := p.Want("BYE")
	require.Greater(t, seqOf(bye), seqOf(prack)) // one digit each
	reply(p, bye, "200 OK", "one", "")
	within(t, "call over", c.Done())
}

func seqOf(m siptest.Message) string { return strings.Fields(m.Header.Get("Cseq"))[0] }
