package interop

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Two real phones talk through the menu and the queue; each hears the other's tone, whatever codec it has; either may hang up.
func TestBaresipCallsBaresip(t *testing.T) {
	need(t, "baresip", "socat", "ip")
	t.Parallel()
	l := newLAN(t)
	s := startServer(t, siteConfig{Namespace: l.server, IP: l.serverIP, SIP: 5061, Management: 8444})
	const agentSays = 900
	agent := newPhone(t, l, s, phoneConfig{user: "1001", index: 1, freq: agentSays, codec: "PCMU", auto: true})
	for i, c := range []struct {
		caller, codec string
		says          float64
		agentHangsUp  bool
	}{
		{"1009", "PCMU", 600, true},
		{"1010", "PCMA", 440, false}, // the agent has µ-law: the server is in between
	} {
		nth := i + 1
		t.Run(c.codec, func(t *testing.T) {
			caller := newPhone(t, l, s, phoneConfig{user: c.caller, index: 2 + i, freq: c.says, codec: c.codec})
			caller.dial("9000")
			caller.await("CALL_ESTABLISHED", 1)
			require.Contains(t, caller.answered(), c.codec+"/8000", "as offered")
			require.Contains(t, caller.answered(), "RTP/SAVP ")
			caller.hears(1, 500*time.Millisecond) // the welcome
			caller.do("sndcode", "1")             // RFC 4733
			agent.await("CALL_ESTABLISHED", nth)
			e := s.await("answered", nth)
			require.Equal(t, "sales", e.Queue)
			require.Equal(t, "1001", e.Agent)
			agent.hears(nth, 2500*time.Millisecond)
			caller.hears(1, 200*time.Millisecond)

			first, other, closed, by := caller, agent, nth, "caller"
			if c.agentHangsUp {
				first, other, closed, by = agent, caller, 1, "agent"
			}
			first.do("hangup", "")
			other.await("CALL_CLOSED", closed) // by whom is below: neither side fell silent

			ended := s.await("ended", nth)
			require.NotNil(t, ended.Record)
			require.Equal(t, "answered", ended.Record.Outcome)
			require.Equal(t, by, ended.Record.Cause)
			requireTone(t, middle(t, readWAV(t, caller.file(1))[0]), agentSays, "what the caller heard")
			requireTone(t, middle(t, readWAV(t, agent.file(nth))[0]), c.says, "what the agent heard")

			rec := s.await("recording", nth)
			require.Equal(t, "complete", rec.Cause)
			verdict := s.command("recordings", "verify", "--tenant", "acme", "--as", "auditor", rec.Recording)
			require.True(t, strings.HasPrefix(verdict, "ok "), verdict)
			wav := filepath.Join(t.TempDir(), "call.wav")
			s.command("recordings", "export", "--tenant", "acme", "--as", "admin", "--reason", "test", "-o", wav, rec.Recording)
			channels := readWAV(t, wav)
			require.Len(t, channels, 2)
			requireTone(t, middle(t, channels[0]), c.says, "left is the caller")
			requireTone(t, middle(t, channels[1]), agentSays, "right is the agent")
		})
	}
	require.Contains(t, s.command("calls", "--tenant", "acme", "--as", "supervisor"), "2 calls = 2 answered")
}
