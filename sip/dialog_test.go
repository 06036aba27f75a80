package sip_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/memnet"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/insecuretransport"
	"github.com/ringfence/ringfence/sip/siptest"
)

// bubble serves on an in-memory network in virtual time and connects a scripted caller, whose password is accepted on plaintext under the waiver.
func bubble(t *testing.T, onCall func(context.Context, *sip.Call), script func(p *siptest.Peer)) {
	synctest.Test(t, func(t *testing.T) {
		ep, err := sip.New(sip.Config{Realm: realms, OnCall: onCall})
		require.NoError(t, err)
		l := memnet.Listen(5060)
		served := make(chan error, 1)
		go func() {
			served <- insecuretransport.ServeTCP(context.Background(), ep, l, insecuretransport.Waiver{Name: "bubble", Until: time.Now().Add(time.Hour), Digest: true})
		}()
		c, err := l.Dial(context.Background())
		require.NoError(t, err)
		defer func() { // after a script that failed too: a bubble must be empty in the end
			c.Close()
			require.NoError(t, ep.Close())
			<-served
			synctest.Wait()
			time.Sleep(2 * time.Minute) // virtual: transaction timers of the library run out
		}()
		script(siptest.NewPeer(t, c))
	})
}

type script struct {
	p      *siptest.Peer
	seq    int
	toTag  string
	callID string
}

func (s *script) lines(method, auth string, extra ...string) []string {
	branch++
	to := "To: <sip:9000@acme.test>"
	if s.toTag != "" {
		to += ";tag=" + s.toTag
	}
	out := []string{
		method + " sip:9000@acme.test SIP/2.0", fmt.Sprintf("Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKd%d;rport", branch), "Max-Forwards: 70",
		"From: <sip:1001@acme.test>;tag=caller", to, "Call-ID: " + s.callID, fmt.Sprintf("CSeq: %d %s", s.seq, method),
		"Contact: <sip:1001@127.0.0.1:20001;transport=tcp>",
	}
	if auth != "" {
		out = append(out, "Authorization: "+auth)
	}
	return append(out, extra...)
}

// offer goes through the challenge, and leaves the answer to be read.
func (s *script) offer(body string) {
	ct := "Content-Type: application/sdp"
	s.seq++
	s.p.Send(body, s.lines("INVITE", "", ct)...)
	first := s.p.Want("401")
	branch-- // the ACK of a refusal belongs to the transaction of its INVITE
	s.toTag = first.Tag("To")
	s.p.Send("", s.lines("ACK", "")...)
	s.toTag = ""
	s.seq++
	s.p.Send(body, s.lines("INVITE", answer(challenges(first)[0], "SHA-256", "1001", "acme.test"+password, "INVITE", "sip:9000@acme.test", 1), ct)...)
}

// invite goes through the challenge and returns the final response.
func (s *script) invite(t *testing.T, body, want string) siptest.Message {
	t.Helper()
	s.offer(body)
	m := s.p.Want(want)
	s.toTag = m.Tag("To")
	return m
}

func TestUnacknowledged2xxIsRepeatedAndEndsInBye(t *testing.T) {
	var cause error
	bubble(t, func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, &media{})
		cause = c.Err()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "no-ack"}
		start := time.Now()
		s.invite(t, "OFFER", "200")
		var at []time.Duration
		for {
			m, err := p.Read(40 * time.Second)
			require.NoError(t, err)
			if m.Method() == "BYE" {
				require.InDelta(t, 32, time.Since(start).Seconds(), 0.5, "64*T1")
				break
			}
			require.Equal(t, 200, m.Status())
			at = append(at, time.Since(start).Round(100*time.Millisecond))
		}
		// T1, then doubling to T2 (RFC 3261 section 13.3.1.4).
		require.Equal(t, []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond, 7500 * time.Millisecond, 11500 * time.Millisecond,
			15500 * time.Millisecond, 19500 * time.Millisecond, 23500 * time.Millisecond, 27500 * time.Millisecond, 31500 * time.Millisecond}, at)
	})
	require.ErrorIs(t, cause, sip.ErrNoACK)
}

func TestOneToTagForAllResponses(t *testing.T) {
	bubble(t, func(ctx context.Context, c *sip.Call) {
		_ = c.Ring()
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "tags"}
		ringing := s.invite(t, "OFFER", "180")
		s.toTag = ""
		branch-- // a CANCEL has the branch of its INVITE
		p.Send("", s.lines("CANCEL", "")...)
		p.Want("200")
		end := p.Want("487")
		require.Equal(t, ringing.Tag("To"), end.Tag("To"))
	})
}

func TestReinviteInfoAndStrayRequests(t *testing.T) {
	digits := make(chan byte, 4)
	m := &media{}
	bubble(t, func(ctx context.Context, c *sip.Call) {
		c.OnDigit(func(d byte) { digits <- d })
		if c.Answer(ctx, m) == nil {
			<-ctx.Done()
		}
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "re"}
		s.invite(t, "OFFER", "200")
		ack := func() { p.Send("", s.lines("ACK", "")...) }
		ack()
		synctest.Wait()

		s.seq++
		p.Send("HOLD", s.lines("INVITE", "", "Content-Type: application/sdp")...)
		p.Want("200")
		s.seq++
		p.Send("AGAIN", s.lines("INVITE", "", "Content-Type: application/sdp")...) // before the ACK of the first
		p.Want("491")
		s.seq--
		ack()
		synctest.Wait()
		require.Equal(t, []string{"answer OFFER", "answer HOLD"}, m.notes())

		s.seq += 2
		p.Send("Signal=5\r\nDuration=160\r\n", s.lines("INFO", "", "Content-Type: application/dtmf-relay")...)
		p.Want("200")
		require.Equal(t, byte('5'), <-digits)
		s.seq++
		p.Send("junk", s.lines("INFO", "", "Content-Type: application/octet-stream")...)
		p.Want("415")

		// Somebody who knows the Call-ID but not our tag changes nothing.
		good := s.toTag
		s.toTag = "guess"
		s.seq++
		p.Send("", s.lines("BYE", "")...)
		p.Want("481")
		s.toTag = good
		s.seq = 1 // an old request
		p.Send("", s.lines("INFO", "", "Content-Type: application/dtmf-relay")...)
		p.Want("500")
		s.seq = 100
		p.Send("", s.lines("BYE", "")...)
		p.Want("200")
		s.seq++
		p.Send("", s.lines("BYE", "")...)
		p.Want("481")
	})
}

func TestLateOffer(t *testing.T) {
	m := &media{}
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, m) == nil {
			<-ctx.Done()
		}
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "late"}
		ok := s.invite(t, "", "200")
		require.Equal(t, "OFFER", ok.Body)
		p.Send("ANSWER", s.lines("ACK", "", "Content-Type: application/sdp")...)
		synctest.Wait()
		require.Equal(t, []string{"offer", "accept ANSWER"}, m.notes())
	})
}

func TestMalformedRequestsGetTheirStatus(t *testing.T) {
	bubble(t, func(ctx context.Context, c *sip.Call) { t.Error("must not ring") }, func(p *siptest.Peer) {
		base := func(start, method string, drop ...string) []string {
			branch++
			all := []string{start, fmt.Sprintf("Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKm%d", branch), "Max-Forwards: 70", "From: <sip:1001@acme.test>;tag=x",
				"To: <sip:9000@acme.test>", fmt.Sprintf("Call-ID: m%d", branch), "CSeq: 1 " + method, "Contact: <sip:a@127.0.0.1>"}
			return append(all, drop...)
		}
		p.Send("", base("OPTIONS sip:acme.test SIP/2.0", "OPTIONS")...)
		require.Contains(t, p.Want("200").Header.Get("Allow"), "INVITE")
		p.Send("", base("INVITE sip:9000@acme.test SIP/2.0", "INVITE", "Require: nonsense")...)
		require.Equal(t, "nonsense", p.Want("420").Header.Get("Unsupported"))
		p.Send("", base("INVITE nobody:9000@acme.test SIP/2.0", "INVITE")...)
		p.Want("416")
		p.Send("", base("INVITE sip:9000@acme.test SIP/2.0", "OPTIONS")...)
		p.Want("400")
		p.Send("", base("INVITE sip:9000@acme.test SIP/2.0", "INVITE", "From: <sip:b@acme.test>;tag=y")...)
		p.Want("400")
		p.Send("", base("NEWMETHOD sip:9000@acme.test SIP/2.0", "NEWMETHOD")...)
		p.Want("405")
		p.Send("", base("BYE sip:9000@acme.test SIP/2.0", "BYE")...)
		p.Want("481")
	})
}
