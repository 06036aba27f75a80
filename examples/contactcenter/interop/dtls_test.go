package interop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

// Phones that agree on keys by DTLS-SRTP, at either end and at both, talk to each other and to one that has SDES. The keys are in no description; the record of
// the call says how each leg was protected.
func TestBaresipKeysByDTLS(t *testing.T) {
	control.Proves(t, "ENC-11")
	need(t, "baresip", "socat", "ip")
	t.Parallel()
	l := newLAN(t)
	s := startServer(t, siteConfig{Namespace: l.server, IP: l.serverIP, SIP: 5061, Management: 8444})
	const agentSays, callerSays = 900, 600
	agent := newPhone(t, l, s, phoneConfig{user: "1001", index: 1, freq: agentSays, codec: "PCMU", auto: true, keys: "dtls_srtp"})
	for i, keys := range []string{"dtls_srtp", "srtp-mand"} {
		nth, want := i+1, map[string]string{"dtls_srtp": "DTLS-SRTP", "srtp-mand": "SDES"}[keys]
		t.Run(want, func(t *testing.T) {
			caller := newPhone(t, l, s, phoneConfig{user: []string{"1009", "1010"}[i], index: 2 + i, freq: callerSays, codec: "PCMU", keys: keys})
			caller.dial("9000")
			caller.await("CALL_ESTABLISHED", 1)
			caller.hears(1, 500*time.Millisecond) // the welcome
			caller.do("sndcode", "1")             // RFC 4733
			agent.await("CALL_ESTABLISHED", nth)
			s.await("answered", nth)
			agent.hears(nth, 2500*time.Millisecond)
			caller.hears(1, 200*time.Millisecond)
			caller.do("hangup", "")
			ended := s.await("ended", nth)
			requireTone(t, middle(t, readWAV(t, caller.file(1))[0]), agentSays, "what the caller heard")
			requireTone(t, middle(t, readWAV(t, agent.file(nth))[0]), callerSays, "what the agent heard")
			require.Len(t, ended.Legs, 2)
			require.Equal(t, want, ended.Legs[0].Keys)
			require.Equal(t, "DTLS-SRTP", ended.Legs[1].Keys)
			for _, leg := range ended.Legs {
				require.True(t, leg.Authentic)
				require.NotEmpty(t, leg.Media)
			}
		})
	}
}
