package sip_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// answering answers and waits for the end; its error goes to cause.
func answering(m *media, cause *error) func(context.Context, *sip.Call) {
	return func(ctx context.Context, c *sip.Call) {
		_ = c.Answer(ctx, m)
		<-ctx.Done()
		*cause = c.Err()
	}
}

func ok(p *siptest.Peer, req siptest.Message, body string, extra ...string) {
	lines := []string{"SIP/2.0 200 OK"}
	for _, v := range req.Header.Values("Via") {
		lines = append(lines, "Via: "+v)
	}
	lines = append(lines, "From: "+req.Header.Get("From"), "To: "+req.Header.Get("To"), "Call-ID: "+req.Header.Get("Call-Id"), "CSeq: "+req.Header.Get("Cseq"),
		"Contact: <sip:1001@127.0.0.1:20001;transport=tcp>")
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	p.Send(body, append(lines, extra...)...)
}

// RFC 4028, we refresh: by UPDATE at half of the interval, and again by what the peer granted.
func TestSessionIsRefreshedByUpdate(t *testing.T) {
	var cause error
	m := &media{}
	bubble(t, answering(m, &cause), func(p *siptest.Peer) {
		s := &script{p: p, callID: "refresh"}
		r := s.inviteWith(t, "OFFER", "200", "Allow: INVITE, ACK, BYE, UPDATE", "Supported: timer", "Session-Expires: 600")
		require.Equal(t, "600;refresher=uas", r.Header.Get("Session-Expires"))
		p.Send("", s.lines("ACK", "")...)
		for range 3 {
			start := time.Now()
			u, err := p.Read(time.Hour)
			require.NoError(t, err)
			require.Equal(t, "UPDATE", u.Method())
			require.Equal(t, 300*time.Second, time.Since(start).Round(time.Second))
			require.Equal(t, "600;refresher=uac", u.Header.Get("Session-Expires"))
			require.Empty(t, u.Body)
			ok(p, u, "", "Session-Expires: 600;refresher=uac", "Require: timer")
		}
		u, err := p.Read(time.Hour)
		require.NoError(t, err)
		reply(p, u, "481 Gone", "", "") // the peer has lost the dialog
		p.Want("BYE")
	})
	require.ErrorIs(t, cause, sip.ErrNoRefresh)
	require.Equal(t, []string{"answer OFFER"}, m.notes(), "a refresh changes no media")
}

// A peer without UPDATE gets a re-INVITE, and one that says nothing at all is gone.
func TestSessionIsRefreshedByReinvite(t *testing.T) {
	var cause error
	m := &media{}
	bubble(t, answering(m, &cause), func(p *siptest.Peer) {
		s := &script{p: p, callID: "refresh-re"}
		r := s.inviteWith(t, "OFFER", "200", "Allow: INVITE, ACK, BYE")
		require.Equal(t, "1800;refresher=uas", r.Header.Get("Session-Expires"), "a peer without the extension is watched all the same (RFC 4028 section 9)")
		require.Empty(t, r.Header.Get("Require"))
		p.Send("", s.lines("ACK", "")...)
		re, err := p.Read(time.Hour)
		require.NoError(t, err)
		require.Equal(t, "INVITE", re.Method())
		require.Equal(t, "OFFER", re.Body)
		ok(p, re, "ANSWER")
		require.Equal(t, re.Header.Get("Cseq")[:1], p.Want("ACK").Header.Get("Cseq")[:1])
		re, err = p.Read(time.Hour)
		require.NoError(t, err)
		require.Equal(t, "INVITE", re.Method())
		for { // silence
			m, err := p.Read(2 * time.Minute)
			require.NoError(t, err)
			if m.Method() == "BYE" {
				break
			}
		}
	})
	require.ErrorIs(t, cause, sip.ErrNoRefresh)
	require.Equal(t, []string{"answer OFFER", "offer", "accept ANSWER", "offer"}, m.notes())
}

// The peer refreshes, until it does not: the call ends a little before the interval is over (RFC 4028 section 10).
func TestSessionThatThePeerDoesNotRefreshEnds(t *testing.T) {
	var cause error
	bubble(t, answering(&media{}, &cause), func(p *siptest.Peer) {
		s := &script{p: p, callID: "expire"}
		r := s.inviteWith(t, "OFFER", "200", "Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90")
		require.Equal(t, "90;refresher=uac", r.Header.Get("Session-Expires"))
		require.Equal(t, "timer", r.Header.Get("Require"))
		p.Send("", s.lines("ACK", "")...)
		time.Sleep(45 * time.Second) // virtual
		s.seq++
		p.Send("", s.lines("UPDATE", "", "Supported: timer", "Session-Expires: 90;refresher=uac")...)
		require.Equal(t, "90;refresher=uac", p.Want("200").Header.Get("Session-Expires"))
		start := time.Now()
		m, err := p.Read(5 * time.Minute)
		require.NoError(t, err)
		require.Equal(t, "BYE", m.Method())
		require.Equal(t, 60*time.Second, time.Since(start).Round(time.Second))
	})
	require.ErrorIs(t, cause, sip.ErrNoRefresh)
}

func TestTooShortASessionIsRefused(t *testing.T) {
	bubble(t, func(context.Context, *sip.Call) { t.Error("must not ring") }, func(p *siptest.Peer) {
		s := &script{p: p, callID: "short"}
		m := s.inviteWith(t, "OFFER", "422", "Supported: timer", "Session-Expires: 30")
		require.Equal(t, "90", m.Header.Get("Min-Se"))
	})
}

// RFC 3261 section 14.1: whoever made the Call-ID waits longer, and during the wait the peer's offer is served.
func TestGlareBacksOff(t *testing.T) {
	m := &media{}
	offered := make(chan error, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, m) == nil {
			offered <- c.Reoffer(ctx)
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "glare"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		re := p.Want("INVITE")
		s.seq++
		p.Send("THEIRS", s.lines("INVITE", "", "Content-Type: application/sdp")...)
		p.Want("491")
		p.Send("", s.lines("ACK", "")...)
		reply(p, re, "491 Request Pending", "", "")
		p.Want("ACK")
		start := time.Now()
		s.seq++
		p.Send("THEIRS", s.lines("INVITE", "", "Content-Type: application/sdp")...) // served during the wait, unless that is none at all
		for answered, acked := false, false; !answered || !acked; {
			m, err := p.Read(10 * time.Second)
			require.NoError(t, err)
			switch {
			case m.Method() == "INVITE":
				require.LessOrEqual(t, time.Since(start), 2*time.Second, "the Call-ID is the peer's: 0 to 2 s")
				ok(p, m, "ANSWER")
			case m.Method() == "ACK":
				acked = true
			case m.Status() == 200 || m.Status() == 491:
				answered = true
				p.Send("", s.lines("ACK", "")...)
			}
		}
		require.NoError(t, <-offered)
	})
	require.Contains(t, m.notes(), "accept ANSWER")
}

// A refused offer leaves the call as it was and is rolled back.
func TestRefusedReofferIsRolledBack(t *testing.T) {
	m := &rolling{}
	offered := make(chan error, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, m) == nil {
			offered <- c.Reoffer(ctx)
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "refused"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		reply(p, p.Want("INVITE"), "488 Not Acceptable Here", "", "")
		p.Want("ACK")
		require.Equal(t, 488, status(<-offered))
		s.seq++
		p.Send("HOLD", s.lines("INVITE", "", "Content-Type: application/sdp")...) // the turn is free again
		p.Want("200")
	})
	require.Equal(t, []string{"answer OFFER", "offer", "rollback", "answer HOLD"}, m.notes())
}

type rolling struct{ media }

func (r *rolling) Rollback() { r.note("rollback") }

// Target refresh and frozen route set (RFC 3261 sections 12.2.1.2 and 12.1.1); a strict router gets itself as Request-URI (section 12.2.1.1).
func TestRoutesOfADialog(t *testing.T) {
	for _, c := range []struct {
		name, recordRoute, start string
		routes                   []string
	}{
		{"loose", "<sip:edge.acme.test;lr>, <sip:core.acme.test;lr>", "BYE sip:moved@127.0.0.1:20009;transport=tcp SIP/2.0",
			[]string{"<sip:edge.acme.test;lr>", "<sip:core.acme.test;lr>"}},
		{"strict", "<sip:old.acme.test>, <sip:core.acme.test;lr>", "BYE sip:old.acme.test SIP/2.0",
			[]string{"<sip:core.acme.test;lr>", "<sip:moved@127.0.0.1:20009;transport=tcp>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls := make(chan *sip.Call, 1)
			bubble(t, func(ctx context.Context, call *sip.Call) {
				if call.Answer(ctx, &media{}) == nil {
					calls <- call
				}
				<-ctx.Done()
			}, func(p *siptest.Peer) {
				s := &script{p: p, callID: "route-" + c.name}
				r := s.inviteWith(t, "OFFER", "200", "Record-Route: "+c.recordRoute)
				require.Equal(t, c.recordRoute, joined(r.Header.Values("Record-Route")))
				p.Send("", s.lines("ACK", "", "Record-Route: <sip:evil.test;lr>")...)
				synctest.Wait()
				s.seq++
				lines := s.lines("INVITE", "", "Content-Type: application/sdp", "Record-Route: <sip:evil.test;lr>")
				for i, l := range lines {
					if l == "Contact: <sip:1001@127.0.0.1:20001;transport=tcp>" {
						lines[i] = "Contact: <sip:moved@127.0.0.1:20009;transport=tcp>"
					}
				}
				p.Send("HOLD", lines...)
				p.Want("200")
				p.Send("", s.lines("ACK", "")...)
				call := <-calls
				go func() { _ = call.Hangup(context.Background()) }() // ends with the response below
				bye := p.Want("BYE")
				require.Equal(t, c.start, bye.Start)
				require.Equal(t, c.routes, bye.Header.Values("Route"))
				ok(p, bye, "")
			})
		})
	}
}

func joined(vs []string) string {
	out := ""
	for i, v := range vs {
		if i > 0 {
			out += ", "
		}
		out += v
	}
	return out
}

func TestDigitByInfo(t *testing.T) {
	sent := make(chan error, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			sent <- c.SendDigit(ctx, '#')
		}
		<-ctx.Done()
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "digit"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		info := p.Want("INFO")
		require.Equal(t, "Signal=#\r\nDuration=160\r\n", info.Body)
		ok(p, info, "")
		require.NoError(t, <-sent)
	})
}

// A detached call is memory, not goroutines, until it ends.
func TestDetachedCallOutlivesItsHandler(t *testing.T) {
	ended := make(chan error, 1)
	bubble(t, func(ctx context.Context, c *sip.Call) {
		if c.Answer(ctx, &media{}) == nil {
			if err := c.Detach(func(cause error) { ended <- cause }); err != nil {
				t.Error(err)
			}
		}
	}, func(p *siptest.Peer) {
		s := &script{p: p, callID: "detached"}
		s.invite(t, "OFFER", "200")
		p.Send("", s.lines("ACK", "")...)
		synctest.Wait()
		require.Empty(t, ended)
		s.seq++
		p.Send("", s.lines("BYE", "")...)
		p.Want("200")
		require.ErrorIs(t, <-ended, sip.ErrRemoteBye)
	})
}

func TestSessionDescriptionInMultipartIsFound(t *testing.T) {
	m := &media{}
	var cause error
	bubble(t, answering(m, &cause), func(p *siptest.Peer) {
		s := &script{p: p, callID: "multipart"}
		body := "--x\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--x\r\nContent-Type: application/sdp\r\n\r\nOFFER\r\n--x--\r\n"
		s.seq++
		ct := "Content-Type: multipart/mixed;boundary=x"
		p.Send(body, s.lines("INVITE", "", ct)...)
		first := p.Want("401")
		s.seq++
		p.Send(body, s.lines("INVITE", answer(challenges(first)[0], "SHA-256", "1001", "acme.test"+password, "INVITE", "sip:9000@acme.test", 1), ct)...)
		require.Equal(t, "ANSWER", p.Want("200").Body)
	})
	require.Equal(t, "answer OFFER", m.notes()[0])
	require.ErrorIs(t, cause, sip.ErrClosed)
}
