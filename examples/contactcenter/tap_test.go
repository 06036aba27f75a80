package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

// What a caller says, whom they call and what agents hear is readable on no hop: not between phone and node, not between node and carrier, not inside. The
// words are ASCII in the octets of G.711, so that a packet without encryption would show them as they are.
func TestNoHopIsReadable(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("tcpdump"); err != nil || os.Getuid() != 0 {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("tcpdump and root are needed")
		}
		t.Skip("tcpdump and root are needed")
	}
	control.Proves(t, "ENC-05")
	const canary = "CANARY-OF-THE-CALLER-"
	octets := []byte(strings.Repeat(canary, 8000/len(canary)))
	pcm := make([]int16, len(octets))
	codec.DecodeMulaw(pcm, octets)
	voice, err := media.NewPrompt(pcm)
	require.NoError(t, err)

	ca := siptest.NewAuthority(t)
	net := startCarrier(t, ca, 1400, 0)
	certFile, keyFile, caFile := pemFiles(t, ca, ca.IssueClient(time.Time{}, "us.test"))
	w := startWorld(t, func(c *config) {
		c.Carriers = &carriersConfig{Domain: "voice.localhost", Country: "49", Carriers: []carrierConfig{{Name: "one", Domain: net.addr, Authorities: caFile, Certificate: certFile, Key: keyFile}}}
		c.Toll = &tollConfig{Prices: map[string]float64{"national": 0}}
		c.Tenants[0].Numbers = append(c.Tenants[0].Numbers, numberConfig{Number: "+4940987654", Flow: "reference"})
		limits := limitsConfig{Classes: []string{"national"}, MaxCalls: 2, PerMinute: 10, PerHour: 10, PerDay: 10}
		c.Tenants[0].Outbound = &outboundConfig{From: "+4940987654", Day: limits, Night: &limits}
	})
	file := filepath.Join(t.TempDir(), "tap.pcap")
	tap := exec.Command("tcpdump", "-i", "lo", "-U", "-s", "0", "-Z", "root", "-w", file)
	var said safeBuffer
	tap.Stderr = &said
	require.NoError(t, tap.Start())
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			_ = tap.Process.Signal(os.Interrupt)
			_ = tap.Wait()
		}
	}
	t.Cleanup(stop)
	eventually(t, "the tap listens", func() bool { return strings.Contains(said.String(), "listening on") })

	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice, c.codecs = voice, []string{"PCMU"} })
	agent := w.agent("acme", "1001", 900, nil)
	c := w.dial(phone, "030777123459") // outside
	eventually(t, "the carrier is heard", func() bool { return c.ears.hears(1400) })
	c.hangup()
	c = w.dial(phone, "9001") // and inside, recorded
	eventually(t, "the agent is heard", func() bool { return c.ears.hears(900) })
	a := w.taken(agent, 0)
	eventually(t, "the agent hears the words", func() bool { n, _ := a.ears.heard(); return n > 8000 })
	c.hangup()
	eventually(t, "the record", func() bool { return len(w.find(named("recording"))) == 1 })
	stop()

	seen, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Greater(t, len(seen), 50_000, "the tap saw the calls")
	for _, secret := range []string{canary, canary[8:] + canary[:8], "777123459"} { // words that no other test says: the tap hears them all
		require.False(t, bytes.Contains(seen, []byte(secret)), "%q was readable", secret)
	}
	for _, leg := range w.find(named("outbound-ended"))[0].Legs {
		require.Equal(t, "TLS 1.3", leg.TLS)
	}
}

// safeBuffer is a buffer that one goroutine writes and another reads.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
