package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
)

func TestCallerReachesAgentThroughTheMenu(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	agent := w.agent("acme", "1001", 900, nil)
	caller := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(caller, "9000")
	eventually(t, "the welcome is heard", func() bool { n, _ := c.ears.heard(); return n > 4000 })
	require.NoError(t, c.leg.SendDigits(soon(t), "1"))
	eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
	a := w.taken(agent, 0)
	require.Len(t, agent.answered(), 1)
	eventually(t, "the agent hears the caller", func() bool { return a.ears.hears(600) })

	c.hangup()
	select {
	case <-a.call.Done():
		require.ErrorIs(t, a.call.Err(), sip.ErrRemoteBye, "one BYE ends both")
	case <-time.After(20 * time.Second): // before the 30 s after which silence would have ended it
		t.Fatal("the agent's side did not end")
	}
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 && len(w.find(named("recording"))) == 1 })
	rec := w.find(named("ended"))[0].Record
	require.Equal(t, acd.Answered, rec.Outcome)
	require.Equal(t, "1001", rec.Agent)
	require.Equal(t, "sales", rec.Queue)
	require.Equal(t, "caller", rec.Cause)
	legs := w.find(named("ended"))[0].Legs
	control.Proves(t, "ENC-11")
	require.Len(t, legs, 2, "no leg without a security record")
	for i, name := range []string{"caller", "agent"} {
		verified := []string{"password", "registration"}[i]
		require.Equal(t, protection{name, "TLS", "TLS 1.3", legs[i].Cipher, verified, "AEAD_AES_256_GCM", "SDES", true, legs[i].Sound}, legs[i])
		require.NotNil(t, legs[i].Sound)
		require.Greater(t, legs[i].Sound.MOS, 4.0)
		require.Contains(t, legs[i].Cipher, "TLS_")
	}
	eventually(t, "the agent is ready again", func() bool {
		for _, x := range w.node.sites[0].center.Snapshot().Agents {
			if x.ID == "1001" {
				return x.State == acd.Ready
			}
		}
		return false
	})
	out, code := w.command("recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.Contains(t, out, "ok ")
	require.Contains(t, out, "signed")
}

// state is what the distributor says of an agent.
func (w *world) state(site int, agent string) (acd.AgentState, string) {
	for _, x := range w.node.sites[site].center.Snapshot().Agents {
		if x.ID == agent {
			return x.State, x.Reason
		}
	}
	return 0, ""
}

// accounted checks that every call is in exactly one column, and returns the sums by outcome.
func (w *world) accounted() map[acd.Outcome]int {
	w.t.Helper()
	// A call that was hung up at once may arrive at the distributor after that. Then the sums agree later.
	eventually(w.t, "every call has ended", func() bool {
		total := 0
		for _, s := range w.node.sites {
			r := s.tally.Report(time.Now())
			total += r.Arrived - r.Open
		}
		n := len(w.find(named("ended")))
		return n == total && n == len(w.find(named("arrived")))
	})
	sum := map[acd.Outcome]int{}
	seen := map[string]bool{}
	for _, e := range w.find(named("ended")) {
		require.False(w.t, seen[e.Call], "one record a call")
		seen[e.Call] = true
		sum[e.Record.Outcome]++
	}
	total := 0
	for _, s := range w.node.sites {
		r := s.tally.Report(time.Now())
		require.Equal(w.t, r.Arrived, r.Answered+r.Abandoned+r.Overflowed+r.IVREnded+r.Open)
		total += r.Arrived
	}
	require.Equal(w.t, len(seen), total)
	return sum
}

// accountedFor waits until n calls have ended, and accounts for them.
func (w *world) accountedFor(n int) map[acd.Outcome]int {
	w.t.Helper()
	eventually(w.t, "the calls have ended", func() bool { return len(w.find(named("ended"))) == n })
	return w.accounted()
}

func TestAgentsReadyToTakeCalls(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Tenants[0].Queues[0].Ring = "5s" }) // one phone rings out; time enough for the next to answer
	ready := func(site int, agent string) func() bool {
		return func() bool { s, _ := w.state(site, agent); return s == acd.Ready }
	}
	t.Run("longest idle first, RONA sends the call on", func(t *testing.T) {
		silent := func(c *softphoneConfig) {
			c.answer = func(ctx context.Context, _ *sip.Call) error { <-ctx.Done(); return ctx.Err() }
		}
		first := w.agent("acme", "1001", 900, silent)
		eventually(t, "1001 ready", ready(0, "1001"))
		w.agent("acme", "1002", 700, nil)
		eventually(t, "1002 ready", ready(0, "1002"))
		c := w.dial(w.phone("acme", "1009", nil), "9001")
		eventually(t, "the second agent is heard", func() bool { return c.ears.hears(700) })
		offers := w.find(named("offered"))
		require.Len(t, offers, 2)
		require.Equal(t, "1001", offers[0].Agent)
		require.Equal(t, "1002", offers[1].Agent)
		st, why := w.state(0, "1001")
		require.Equal(t, acd.NotReady, st)
		require.Equal(t, acd.ReasonRONA, why)
		c.hangup()
		eventually(t, "1002 ready after wrap-up", ready(0, "1002"))
		_, err := first.dial(soon(t), codeReady) // the agent is back and says so
		require.Error(t, err)
		eventually(t, "1001 ready by code", ready(0, "1001"))
	})
	t.Run("an agent on a call of their own is not rung", func(t *testing.T) {
		own := w.agent("globex", "1001", 900, nil)
		eventually(t, "ready", ready(1, "1001"))
		c := w.dial(own, "9002")
		eventually(t, "out of distribution", func() bool { s, _ := w.state(1, "1001"); return s == acd.LoggedOut })
		c.hangup()
		eventually(t, "and back", ready(1, "1001"))
		own.close()
		eventually(t, "gone with the phone", func() bool { s, _ := w.state(1, "1001"); return s == acd.LoggedOut })
	})
	t.Run("same numbers, tenants apart", func(t *testing.T) {
		c, err := w.phone("globex", "1009", nil).dial(soon(t), "9001")
		require.NoError(t, err) // acme's agents are ready, globex's are not: nobody rings
		defer c.hangup()
		eventually(t, "nobody there", func() bool {
			return len(w.find(func(e event) bool { return e.Event == "overflowed" && e.Tenant == "globex" })) == 1
		})
		require.Empty(t, w.find(func(e event) bool { return e.Event == "offered" && e.Tenant == "globex" }))
		p := w.phone("acme", "1010", func(c *softphoneConfig) { c.domain = "globex.localhost" }) // acme's password at globex
		require.Error(t, p.register(soon(t)))
		control.Proves(t, "TEN-01")
	})
	t.Run("phones call each other", func(t *testing.T) {
		b := w.agent("acme", "1003", 500, nil)
		c := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 400) }), "1003")
		a := w.taken(b, 0)
		eventually(t, "heard", func() bool { return c.ears.hears(500) && a.ears.hears(400) })
	})
	w.accounted()
}

func TestCallsEndAsCallersExpect(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		q := &c.Tenants[0].Queues[0]
		q.MaxWaiting = 1
	})
	caller := w.phone("acme", "1009", nil)
	outcome := func(t *testing.T, _ *softcall, from int) *record {
		t.Helper()
		eventually(t, "record", func() bool { return len(w.find(named("ended"))) > from })
		return w.find(named("ended"))[from].Record
	}
	ended := func() int { return len(w.find(named("ended"))) }
	digits := func(t *testing.T, c *softcall, d string) {
		t.Helper()
		require.NoError(t, c.leg.SendDigits(soon(t), d))
	}
	t.Run("9002 echoes", func(t *testing.T) {
		p := w.phone("acme", "1010", func(c *softphoneConfig) { c.voice = tone(t, 800); c.codecs = []string{"PCMA"} })
		c := w.dial(p, "9002")
		eventually(t, "own voice", func() bool { return c.ears.hears(800) })
		_, name := c.ears.heard()
		require.Equal(t, "PCMA", name, "as negotiated")
		n := ended()
		c.hangup()
		require.Equal(t, acd.IVREnded, outcome(t, c, n).Outcome)
	})
	t.Run("9003 plays the reference tone and hangs up", func(t *testing.T) {
		n := ended()
		c := w.dial(caller, "9003")
		eventually(t, "1 kHz", func() bool { return c.ears.hears(1000) })
		select {
		case <-c.call.Done():
			require.ErrorIs(t, c.call.Err(), sip.ErrRemoteBye)
		case <-time.After(patience):
			t.Fatal("no hang-up")
		}
		require.Equal(t, acd.IVREnded, outcome(t, c, n).Outcome)
	})
	t.Run("hang-up in the menu", func(t *testing.T) {
		n := ended()
		c := w.dial(caller, "9000")
		c.hangup()
		require.Equal(t, acd.IVREnded, outcome(t, c, n).Outcome)
	})
	t.Run("secret digits are in no line and no log", func(t *testing.T) {
		n := ended()
		c := w.dial(caller, "9000")
		digits(t, c, "3")
		digits(t, c, "814725#")
		require.Equal(t, acd.IVREnded, outcome(t, c, n).Outcome)
		all, err := json.Marshal(w.find(func(event) bool { return true }))
		require.NoError(t, err)
		require.NotContains(t, string(all)+w.logged(), "814725")
	})
	t.Run("nobody there", func(t *testing.T) {
		n := ended()
		c := w.dial(caller, "9001")
		r := outcome(t, c, n)
		require.Equal(t, acd.Overflowed, r.Outcome)
		require.Equal(t, acd.ResultNoAgents, r.Overflow)
	})

	// From here on there is an agent, who lets the phone ring.
	ring := make(chan struct{}, 16)
	w.agent("acme", "1001", 900, func(c *softphoneConfig) {
		c.answer = func(ctx context.Context, _ *sip.Call) error { ring <- struct{}{}; <-ctx.Done(); return ctx.Err() }
	})
	eventually(t, "ready", func() bool { s, _ := w.state(0, "1001"); return s == acd.Ready })
	t.Run("abandoned while the agent's phone rings", func(t *testing.T) {
		n := ended()
		c := w.dial(caller, "9001")
		<-ring
		c.hangup()
		require.Equal(t, acd.Abandoned, outcome(t, c, n).Outcome)
		eventually(t, "the agent is free again", func() bool { s, _ := w.state(0, "1001"); return s == acd.Ready })
	})
	t.Run("queue full, and abandoned while waiting", func(t *testing.T) {
		n := ended()
		first := w.dial(caller, "9001")
		<-ring
		second := w.dial(w.phone("acme", "1010", nil), "9001")
		r := outcome(t, second, n)
		require.Equal(t, acd.Overflowed, r.Outcome)
		require.Equal(t, acd.ResultFull, r.Overflow)
		first.hangup()
		require.Equal(t, acd.Abandoned, outcome(t, first, n+1).Outcome)
		eventually(t, "free", func() bool { s, _ := w.state(0, "1001"); return s == acd.Ready })
	})
	t.Run("not offered to an agent on a break", func(t *testing.T) {
		_, err := w.phone("acme", "1001", nil).dial(soon(t), codeNotReady)
		require.Error(t, err)
		eventually(t, "break", func() bool { s, _ := w.state(0, "1001"); return s == acd.NotReady })
		n := ended()
		c := w.dial(caller, "9001")
		eventually(t, "music", func() bool { k, _ := c.ears.heard(); return k > 8000 })
		c.hangup()
		r := outcome(t, c, n)
		require.Equal(t, acd.Abandoned, r.Outcome)
		require.Empty(t, r.Offers)
	})
	sum := w.accounted()
	require.Equal(t, map[acd.Outcome]int{acd.IVREnded: 4, acd.Overflowed: 2, acd.Abandoned: 3}, sum)
	out, code := w.command("calls", "--tenant", "acme", "--as", "supervisor")
	require.Zero(t, code)
	require.Contains(t, out, "9 calls = 0 answered + 3 abandoned + 2 overflowed + 4 ended in the IVR")
}

func TestRefusedByTheAgentThenWaitedTooLong(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Tenants[0].Queues[0].MaxWait = "4s" }) // time enough for the refusal
	w.agent("acme", "1002", 900, func(c *softphoneConfig) {
		c.answer = func(context.Context, *sip.Call) error { return errors.New("busy") }
	})
	c := w.dial(w.phone("acme", "1009", nil), "9001")
	eventually(t, "music", func() bool { k, _ := c.ears.heard(); return k > 8000 })
	require.Equal(t, map[acd.Outcome]int{acd.Overflowed: 1}, w.accountedFor(1))
	r := w.find(named("ended"))[0].Record
	require.Equal(t, acd.ResultTimeout, r.Overflow)
	require.NotEmpty(t, r.Offers)
	require.Equal(t, acd.OfferRejected, r.Offers[0].Result)
}

func TestUnknownNumberAndPlainRTPAreRefused(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	p := w.phone("acme", "1009", nil)
	_, err := p.dial(soon(t), "7777")
	var refused *sip.StatusError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 404, refused.Code)

	ctx := soon(t)
	_, err = p.ep.Dial(ctx, sip.DialConfig{Target: "sip:9002@acme.localhost", Address: p.cfg.server, From: p.aor(), Password: p.cfg.password}, plainRTP{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 488, refused.Code)
	require.Empty(t, w.find(named("arrived")))
}

// plainRTP offers RTP without keys.
type plainRTP struct{}

func (plainRTP) Offer(context.Context) ([]byte, error) {
	return []byte("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\n"), nil
}
func (plainRTP) Answer(context.Context, []byte) ([]byte, error) { return nil, errors.New("unused") }
func (plainRTP) Accept(context.Context, []byte) error           { return errors.New("plain RTP was accepted") }

func TestTenantFollowsFromNamesOnly(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	for _, c := range []struct {
		domain, serverName, realm string
		err                       error
	}{
		{"acme.localhost", "", "acme.localhost", nil}, {"acme.localhost", "acme.localhost", "acme.localhost", nil}, {"acme", "acme.test", "acme.localhost", nil},
		{"globex.localhost", "localhost", "globex.localhost", nil}, {"127.0.0.1", "globex.localhost", "globex.localhost", nil},
		{"acme.localhost", "globex.localhost", "", sip.ErrRealmMismatch}, {"127.0.0.1", "", "", sip.ErrUnknownRealm}, {"127.0.0.1", "localhost", "", sip.ErrUnknownRealm},
		{"nowhere.example", "acme.localhost", "", sip.ErrUnknownRealm}, {"", "", "", sip.ErrUnknownRealm},
	} {
		r, err := w.node.realm(c.domain, c.serverName)
		require.ErrorIs(t, err, c.err, "%+v", c)
		require.Equal(t, c.realm, r.Name, "%+v", c)
	}
}
