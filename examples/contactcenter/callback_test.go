package main

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

// withCallbacks lets the callers of both tenants' sales queues press 5. Who is called and does not answer is called again soon.
func withCallbacks(c *config) {
	for i := range c.Tenants {
		c.Tenants[i].Queues[0].Callback = &callbackConfig{Key: "5", Retry: "200ms"}
	}
}

// onBreak makes an agent who is there and takes no calls, so that callers wait in a queue that somebody serves.
func (w *world) onBreak(tenant, user string) *softphone {
	w.t.Helper()
	p := w.agent(tenant, user, 900, nil)
	_, err := p.dial(soon(w.t), codeNotReady)
	require.Error(w.t, err)
	for i, s := range w.node.sites {
		if s.name == tenant {
			eventually(w.t, "on a break", func() bool { st, _ := w.state(i, user); return st == acd.NotReady })
		}
	}
	return p
}

// asksForCallback calls 9001, presses the key, hears the promise and is hung up on.
func (w *world) asksForCallback(p *softphone) {
	w.t.Helper()
	n, m := len(w.find(named("callback-requested"))), len(w.find(named("enqueued")))
	c := w.dial(p, "9001")
	eventually(w.t, "in the queue", func() bool { return len(w.find(named("enqueued"))) > m })
	require.NoError(w.t, c.leg.SendDigits(soon(w.t), "5"))
	select {
	case <-c.call.Done():
		require.ErrorIs(w.t, c.call.Err(), sip.ErrRemoteBye)
	case <-time.After(patience):
		w.t.Fatal("the call did not end")
	}
	require.Len(w.t, w.find(named("callback-requested")), n+1, "promised before they were hung up on")
	c.hangup()
}

// comes makes the phone of an agent, or of a user, who is called at once.
func (w *world) comes(tenant, user string, freq float64, change func(*softphoneConfig)) *softphone {
	w.t.Helper()
	p := w.phone(tenant, user, func(c *softphoneConfig) {
		c.voice = tone(w.t, freq)
		if change != nil {
			change(c)
		}
	})
	require.NoError(w.t, p.register(soon(w.t)))
	return p
}

func (w *world) back(p *softphone) {
	w.t.Helper()
	_, err := p.dial(soon(w.t), codeReady)
	require.Error(w.t, err, "480 means done")
}

func TestCallerIsCalledBackAndBothHearEachOther(t *testing.T) {
	t.Parallel()
	w := startWorld(t, withCallbacks)
	agent := w.onBreak("acme", "1001")
	other := w.agent("globex", "1001", 700, nil)
	caller := w.agent("acme", "1009", 600, nil)
	same := w.agent("globex", "1009", 500, nil) // the same number of another tenant
	w.asksForCallback(caller)
	out, code := w.command("calls", "--tenant", "acme", "--as", "supervisor")
	require.Zero(t, code, out)
	require.Contains(t, out, "1 to be called back")
	out, code = w.command("calls", "--tenant", "globex", "--as", "supervisor")
	require.Zero(t, code, out)
	require.NotContains(t, out, "called back")
	require.Equal(t, map[string]int{"sales": 1}, w.node.sites[0].callbacks())
	require.Contains(t, w.get(t, "/metrics"), `contactcenter_queue_callbacks{queue="sales",tenant="acme"} 1`)

	// Somebody who calls later does not overtake.
	require.Nil(t, (&phone{site: w.node.sites[0], from: arrival{caller: "1002"}}).wishes("sales").keys, "an agent is offered none")
	late := w.dial(w.phone("acme", "1010", nil), "9001")
	eventually(t, "in line", func() bool { return len(w.find(named("enqueued"))) == 2 })
	w.back(agent)
	b, a := w.taken(caller, 0), w.taken(agent, 0)
	eventually(t, "the caller hears the agent", func() bool { return b.ears.hears(900) })
	eventually(t, "the agent hears the caller", func() bool { return a.ears.hears(600) })
	require.Empty(t, append(other.answered(), same.answered()...), "another tenant's phones were not called")
	late.hangup()
	b.hangup()
	select {
	case <-a.call.Done():
	case <-time.After(patience):
		t.Fatal("the agent's side did not end")
	}
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 2 && len(w.find(named("recording"))) == 1 })
	asked := w.find(named("callback-requested"))[0]
	rec := w.find(func(e event) bool { return e.Event == "ended" && e.Call == asked.Call })[0]
	require.Equal(t, acd.Answered, rec.Record.Outcome)
	require.Equal(t, "caller", rec.Record.Cause)
	require.Equal(t, 1, rec.Record.Attempts)
	require.Less(t, rec.Record.Enqueued, rec.Record.Callback, "the clock goes on from the queue")
	require.Len(t, rec.Legs, 2)
	for _, l := range rec.Legs {
		require.Equal(t, "TLS 1.3", l.TLS)
		require.Equal(t, "AEAD_AES_256_GCM", l.Media)
	}
	require.Equal(t, asked.Call, w.find(named("recording"))[0].Call)
	for _, name := range []string{"callback-attempt", "callback-reached", "answered"} {
		require.Len(t, w.find(named(name)), 1, name)
		require.Equal(t, asked.Call, w.find(named(name))[0].Call)
	}
	eventually(t, "wrap-up as usual", func() bool { s, _ := w.state(0, "1001"); return s == acd.Ready })
	out, code = w.command("calls", "--tenant", "acme", "--as", "supervisor")
	require.Zero(t, code, out)
	require.Contains(t, out, "1 attempt")
	require.NotContains(t, out, "to be called back")
	w.leftNothing()
	w.accounted()
}

// The caller's line is busy: the agent is free again, and the second attempt reaches them.
func TestBusyThenReachedAtTheSecondAttempt(t *testing.T) {
	t.Parallel()
	w := startWorld(t, withCallbacks)
	agent := w.onBreak("acme", "1001")
	var calls atomic.Int32
	caller := w.agent("acme", "1009", 600, func(c *softphoneConfig) {
		c.answer = func(context.Context, *sip.Call) error {
			if calls.Add(1) == 1 {
				return errors.New("busy")
			}
			return nil
		}
	})
	w.asksForCallback(caller)
	w.back(agent)
	first := w.taken(agent, 0)
	select {
	case <-first.call.Done():
	case <-time.After(patience):
		t.Fatal("the agent is left hanging")
	}
	b, a := w.taken(caller, 0), w.taken(agent, 1)
	eventually(t, "they hear each other", func() bool { return b.ears.hears(900) && a.ears.hears(600) })
	require.Equal(t, "busy", w.find(named("callback-failed"))[0].Cause)
	a.hangup()
	require.Equal(t, map[acd.Outcome]int{acd.Answered: 1}, w.accountedFor(1))
	rec := w.find(named("ended"))[0].Record
	require.Equal(t, 2, rec.Attempts)
	require.Equal(t, "agent", rec.Cause)
	require.Equal(t, acd.OfferUnreached, rec.Offers[0].Result)
}

// Attempts used up: nobody calls any more, and the agent is free.
func TestCallbackThatReachesNobodyEnds(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		withCallbacks(c)
		c.Tenants[0].Queues[0].Callback.Attempts = 1
		c.Tenants[0].Queues[0].Callback.DialTimeout = "1s"
	})
	agent := w.onBreak("acme", "1001")
	caller := w.agent("acme", "1009", 600, func(c *softphoneConfig) {
		c.answer = func(ctx context.Context, _ *sip.Call) error { <-ctx.Done(); return ctx.Err() }
	})
	w.asksForCallback(caller)
	w.back(agent)
	require.Equal(t, map[acd.Outcome]int{acd.Abandoned: 1}, w.accountedFor(1))
	require.Equal(t, acd.CauseUnreached, w.find(named("callback-expired"))[0].Cause)
	eventually(t, "no answer", func() bool {
		f := w.find(named("callback-failed"))
		return len(f) == 1 && f[0].Cause == "no answer"
	})
	select {
	case <-w.taken(agent, 0).call.Done():
	case <-time.After(patience):
		t.Fatal("the agent is left hanging")
	}
	eventually(t, "the agent is free", func() bool { s, _ := w.state(0, "1001"); return s == acd.Ready })
}

// Somebody else may answer a callback: who was told at the first call does not count, who hears the queue's notice does.
func TestCallbackIsRecordedOnlyIfWhoAnswersIsTold(t *testing.T) {
	t.Parallel()
	for notice, recorded := range map[string]int{"": 0, "thanks": 1} {
		w := startWorld(t, func(c *config) {
			withCallbacks(c)
			c.Tenants[0].Recording.Place, c.Tenants[0].Recording.CallersTold = "GB", true
			c.Tenants[0].Queues[0].Callback.Notice = notice
		})
		agent := w.onBreak("acme", "1001")
		caller := w.agent("acme", "1009", 600, nil)
		w.asksForCallback(caller)
		w.back(agent)
		b, a := w.taken(caller, 0), w.taken(agent, 0)
		eventually(t, "they hear each other", func() bool { return b.ears.hears(900) && a.ears.hears(600) })
		a.hangup()
		w.accountedFor(1)
		w.leftNothing()
		w.close() // whatever is to be recorded is
		require.Len(t, w.find(named("recording")), recorded, "notice %q", notice)
	}
}

// An agent who lets a callback ring (RONA) loses it to the next one.
func TestCallbackNotTakenGoesToTheNextAgent(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		withCallbacks(c)
		c.Tenants[0].Queues[0].Ring = "5s" // one phone rings out; time enough for the next to answer
	})
	second := w.onBreak("acme", "1002")
	caller := w.agent("acme", "1009", 600, nil)
	w.asksForCallback(caller)
	w.comes("acme", "1001", 700, func(c *softphoneConfig) {
		c.answer = func(ctx context.Context, _ *sip.Call) error { <-ctx.Done(); return ctx.Err() }
	})
	eventually(t, "offered to the first", func() bool { return len(w.find(named("offered"))) == 1 })
	w.back(second)
	b := w.taken(caller, 0)
	eventually(t, "the second agent is heard", func() bool { return b.ears.hears(900) })
	offers := w.find(named("offered"))
	require.Len(t, offers, 2)
	require.Equal(t, []string{"1001", "1002"}, []string{offers[0].Agent, offers[1].Agent})
	st, why := w.state(0, "1001")
	require.Equal(t, acd.NotReady, st)
	require.Equal(t, acd.ReasonRONA, why)
	require.Len(t, w.find(named("callback-attempt")), 1, "nobody was called before an agent was there")
	w.taken(second, 0).hangup()
	w.accountedFor(1)
}

func TestRestartKeepsTheCallersPlace(t *testing.T) {
	t.Parallel()
	w := startWorld(t, withCallbacks)
	w.onBreak("acme", "1001")
	caller := w.agent("acme", "1009", 600, nil)
	w.asksForCallback(caller)
	before := w.node.sites[0].center.Works()[0]
	w.close()
	w.start()
	after := w.node.sites[0].center.Works()
	require.Len(t, after, 1)
	require.Equal(t, before.EnqueuedAt, after[0].EnqueuedAt)

	caller = w.comes("acme", "1009", 600, nil)
	agent := w.comes("acme", "1001", 900, nil)
	b, a := w.taken(caller, 0), w.taken(agent, 0)
	eventually(t, "they hear each other", func() bool { return b.ears.hears(900) && a.ears.hears(600) })
	b.hangup()
	require.Equal(t, map[acd.Outcome]int{acd.Answered: 1}, w.accountedFor(1))
}

// kill -9 after the key was pressed: the promise is kept by the next process.
func TestKilledBetweenKeyAndCallback(t *testing.T) {
	t.Parallel()
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}, queue: `callback { key = "5" }`}
	port := siptest.FreePort(t)
	p := startProcess(t, w, port)
	agent := w.agent("acme", "1001", 900, nil)
	_, err := agent.dial(soon(t), codeNotReady)
	require.Error(t, err)
	w.asksForCallback(w.phone("acme", "1009", nil))
	p.kill()
	p = startProcess(t, w, port)
	out, code := w.command("--config", filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl"), "calls", "--tenant", "acme", "--as", "supervisor")
	require.Zero(t, code, out)
	require.Contains(t, out, "1 to be called back")
	caller := w.comes("acme", "1009", 600, nil)
	next := w.comes("acme", "1001", 900, nil)
	b, a := w.taken(caller, 0), w.taken(next, 0)
	eventually(t, "they hear each other", func() bool { return b.ears.hears(900) && a.ears.hears(600) })
	b.hangup()
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 })
	require.Equal(t, acd.Answered, w.find(named("ended"))[0].Record.Outcome)
	p.kill()
}
