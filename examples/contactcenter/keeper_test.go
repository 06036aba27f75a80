package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
)

// An agent pauses the recording for a card number and hands the call on: it stays paused with whoever has the call, until somebody goes on with it.
func TestAPauseFollowsTheCall(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	agent := w.agent("acme", "1001", 900, nil)
	colleague := w.phone("acme", "1010", func(c *softphoneConfig) { c.voice = tone(t, 1500) })
	require.NoError(t, colleague.register(soon(t)))
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	recordings := func(cause string) []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Cause == cause })
	}
	for n, goesOn := range []bool{false, true} {
		eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
		c := w.dial(phone, "9001")
		eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
		a := w.taken(agent, n)
		eventually(t, "the agent hears the caller", func() bool { return a.ears.hears(600) })
		hears(t, c, time.Second) // both are in the recording then: an agent who presses keys says nothing
		hears(t, a, time.Second)
		require.NoError(t, a.leg.SendDigits(soon(t), "*0"))
		eventually(t, "the recording is paused", func() bool { return len(recordings("paused")) == n+1 })
		require.NoError(t, a.call.Refer(soon(t), "sip:1010@acme.localhost", nil))
		eventually(t, "the caller hears the colleague", func() bool { return c.ears.hears(1500) })
		x := w.taken(colleague, n)
		if goesOn {
			require.NoError(t, x.leg.SendDigits(soon(t), "*0"))
			eventually(t, "the recording goes on", func() bool { return len(recordings("resumed")) == 1 })
			hears(t, c, 2*time.Second)
		}
		c.hangup()
		eventually(t, "the recording is closed", func() bool { return len(recordings("complete")) == n+1 })
		file := filepath.Join(t.TempDir(), "call.wav")
		out, code := w.command("recordings", "export", recordings("complete")[n].Recording, "-o", file, "--tenant", "acme", "--as", "admin", "--reason", "complaint-1")
		require.Zero(t, code, out)
		left, right := readStereo(t, file)
		require.True(t, toneIn(left, 600) && toneIn(right, 900), "before the pause")
		require.Equal(t, goesOn, toneIn(right, 1500), "the colleague is in the recording if it went on")
	}
}

// A caller withdraws consent: what was recorded is purged, and the conversation goes on.
func TestACallerWithdrawsConsent(t *testing.T) {
	t.Parallel()
	w := startWorld(t, nil)
	agent := w.agent("acme", "1001", 900, nil)
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
	c := w.dial(phone, "9001")
	eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
	require.NoError(t, c.leg.SendDigits(soon(t), "*9"))
	purged := func() []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Cause == "withdrawn" })
	}
	eventually(t, "the recording is purged", func() bool { return len(purged()) == 1 })
	id := purged()[0].Recording
	require.NotEmpty(t, id)
	out, code := w.command("recordings", "export", id, "-o", filepath.Join(t.TempDir(), "call.wav"), "--tenant", "acme", "--as", "admin", "--reason", "complaint-1")
	require.NotZero(t, code, out)
	require.Contains(t, out, "destroyed")
	hears(t, c, time.Second) // the conversation goes on
	a := w.taken(agent, 0)
	c.hangup()
	eventually(t, "it is over", func() bool { return a.call.Err() != nil })
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 })
	require.Len(t, w.find(named("recording")), 1, "nothing was kept after all")
}

// Who says nothing about where calls are gets no recordings, and a queue may do without.
func TestWhatIsNotRecorded(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*config){
		"no place":       func(c *config) { c.Tenants[0].Recording = nil },
		"a strict place": func(c *config) { c.Tenants[0].Recording = &recordingConfig{Place: "DE"} },
		"callers told, where everyone must agree": func(c *config) {
			c.Tenants[0].Recording = &recordingConfig{Place: "DE", CallersTold: true}
		},
		"callers not told": func(c *config) { c.Tenants[0].Recording = &recordingConfig{Place: "GB"} },
		"a queue without": func(c *config) {
			for i := range c.Tenants[0].Queues {
				c.Tenants[0].Queues[i].Unrecorded = true
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := startWorld(t, change)
			w.agent("acme", "1001", 900, nil)
			eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
			c := w.dial(w.phone("acme", "1009", nil), "9001")
			eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
			c.hangup()
			eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 })
			require.Empty(t, w.find(named("recording")))
			out, code := w.command("recordings", "list", "--tenant", "acme", "--as", "auditor")
			require.Zero(t, code, out)
			require.NotContains(t, out, "complete")
		})
	}
	t.Run("told where that is enough", func(t *testing.T) {
		t.Parallel()
		w := startWorld(t, func(c *config) { c.Tenants[0].Recording = &recordingConfig{Place: "GB", CallersTold: true} })
		w.agent("acme", "1001", 900, nil)
		eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
		c := w.dial(w.phone("acme", "1009", nil), "9001")
		eventually(t, "the caller hears the agent", func() bool { return c.ears.hears(900) })
		c.hangup()
		eventually(t, "the recording", func() bool { return len(w.find(named("recording"))) == 1 })
	})
	for text, bad := range map[string]recordingConfig{
		"place":     {Place: "Germany"},
		"pause":     {Place: "DE", PauseKeys: "x"},
		"one key":   {Place: "DE", PauseKeys: "*"},
		"same keys": {Place: "DE", PauseKeys: "*0", WithdrawKeys: "1*0"},
	} {
		require.Error(t, bad.check(), text)
	}
}
