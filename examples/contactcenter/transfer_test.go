package main

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
)

func TestAgentTransfersTheCaller(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	agent := w.agent("acme", "1001", 900, nil)
	colleague := w.phone("acme", "1010", func(c *softphoneConfig) { c.voice = tone(t, 1500) })
	require.NoError(t, colleague.register(soon(t)))
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })

	// reach brings a caller to the agent; n conversations were there before.
	reach := func(n int) (caller, agentSide *softcall) {
		t.Helper()
		eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
		caller = w.dial(phone, "9001")
		eventually(t, "the caller hears the agent", func() bool { return caller.ears.hears(900) })
		agentSide = w.taken(agent, n)
		require.Len(t, agent.answered(), n+1)
		return caller, agentSide
	}
	ended := func(n int) *record {
		t.Helper()
		eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == n })
		return w.find(named("ended"))[n-1].Record
	}

	t.Run("blind, to a colleague", func(t *testing.T) {
		c, a := reach(0)
		require.NoError(t, a.call.Refer(soon(t), "sip:1010@acme.localhost", nil))
		eventually(t, "the caller hears the colleague", func() bool { return c.ears.hears(1500) })
		x := w.taken(colleague, 0)
		eventually(t, "the colleague hears the caller", func() bool { return x.ears.hears(600) })
		r := ended(1)
		require.Equal(t, "transferred", r.Cause)
		require.Equal(t, "1010", w.find(named("transferred"))[0].To)
		eventually(t, "the agent's side is over", func() bool { return a.call.Err() != nil })
		require.Empty(t, w.find(named("recording")), "the recording goes on with the call")
		c.hangup()
		eventually(t, "the colleague's side is over", func() bool { return x.call.Err() != nil })
		eventually(t, "the recording", func() bool { return len(w.find(named("recording"))) == 1 })
		require.Equal(t, "complete", w.find(named("recording"))[0].Cause)
	})
	t.Run("attended", func(t *testing.T) {
		c, a := reach(1)
		consult := w.dial(agent, "1010")
		eventually(t, "the agent hears the colleague", func() bool { return consult.ears.hears(1500) })
		require.NoError(t, a.call.Refer(soon(t), "sip:1010@acme.localhost", consult.call))
		eventually(t, "the caller hears the colleague", func() bool { return c.ears.hears(1500) })
		eventually(t, "the consultation is over", func() bool { return consult.call.Err() != nil })
		x := w.taken(colleague, 1)
		require.NoError(t, x.call.Err(), "the colleague's call went on")
		eventually(t, "the colleague hears the caller", func() bool { return x.ears.hears(600) })
		require.Equal(t, "transferred", ended(2).Cause)
		x.hangup()
		eventually(t, "the caller's side is over", func() bool { return c.call.Err() != nil })
	})
	t.Run("to another number of the tenant", func(t *testing.T) {
		c, a := reach(2)
		require.NoError(t, a.call.Refer(soon(t), "sip:9003@acme.localhost", nil))
		eventually(t, "the caller hears the reference tone", func() bool { return c.ears.hears(1000) })
		require.Equal(t, "transferred", ended(3).Cause)
		r := ended(4)
		require.Equal(t, acd.IVREnded, r.Outcome)
		require.Equal(t, w.find(named("transferred"))[2].Call+".2", r.Call, "work of its own, in the name of the call")
	})
	t.Run("refused, and the agent has the caller back", func(t *testing.T) {
		c, a := reach(3)
		for target, want := range map[string]int{
			"sip:4711@acme.localhost":   404, // nobody
			"sip:1001@acme.localhost":   404, // to oneself
			"sip:1002@acme.localhost":   480, // no phone
			"sip:1010@globex.localhost": 404, // another tenant's user of the same number is not a target
		} {
			err := a.call.Refer(soon(t), target, nil)
			var refused *sip.StatusError
			require.True(t, errors.As(err, &refused), "%s: %v", target, err)
			require.Equal(t, want, refused.Code, target)
		}
		eventually(t, "the caller hears the agent again", func() bool { return c.ears.hears(900) })
		c.hangup()
		require.Equal(t, "caller", ended(5).Cause)
	})
}
