package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
)

func TestCallerReachesAgentThroughTheMenu(t *testing.T) {
	w := startWorld(t, nil)
	agent := w.agent("acme", "1001", 900, nil)
	caller := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(caller, "9000")
	eventually(t, "the welcome is heard", func() bool { n, _ := c.ears.heard(); return n > 4000 })
	require.NoError(t, c.leg.SendDigits(timeout(t, 5*time.Second), "1"))
	eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
	require.Len(t, agent.answered(), 1)
	a := agent.answered()[0]
	eventually(t, "the agent hears the caller", func() bool { return a.ears.hears(600) })

	hung := time.Now()
	c.hangup()
	select {
	case <-a.call.Done():
		require.Less(t, time.Since(hung), time.Second, "one BYE ends both")
	case <-time.After(5 * time.Second):
		t.Fatal("the agent's side did not end")
	}
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 && len(w.find(named("recording"))) == 1 })
	rec := w.find(named("ended"))[0].Record
	require.Equal(t, acd.Answered, rec.Outcome)
	require.Equal(t, "1001", rec.Agent)
	require.Equal(t, "sales", rec.Queue)
	require.Equal(t, "caller", rec.Cause)
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
