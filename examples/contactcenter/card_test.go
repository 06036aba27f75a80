package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/media"
)

// spoken is a prompt whose octets on the wire are text, over and over for a second.
func spoken(t *testing.T, text string) (*media.Prompt, []byte) {
	t.Helper()
	octets := []byte(strings.Repeat(text, 8000/len(text)))
	pcm := make([]int16, len(octets))
	codec.DecodeMulaw(pcm, octets)
	p, err := media.NewPrompt(pcm)
	require.NoError(t, err)
	return p, []byte(text)
}

// A caller says a card number and types it while the agent has paused the recording. Every byte that the process hands to the system with a write, to files,
// terminals and connections alike, is kept by strace and searched; and what the recording holds is searched decrypted, too.
func TestACardNumberIsNowhere(t *testing.T) {
	t.Parallel()
	tracer, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal("strace is not installed; see .ci/peers")
		}
		t.Skip("strace is not installed; see .ci/peers")
	}
	control.Proves(t, "RDC-03")
	const pan = "4111111111111111"
	w := &world{t: t, cfg: testConfig(t, nil), passwords: map[string]string{}}
	trace := filepath.Join(t.TempDir(), "trace")
	// As a grandchild (-D), so that the process we started is the program; only writes stop for it.
	p := startProcess(t, w, siptest.FreePort(t), tracer, "-D", "-f", "-q", "--seccomp-bpf", "-e", "trace=write,pwrite64,writev", "-e", "signal=none", "-s", "100000", "-xx", "-o", trace)

	agent := w.agent("acme", "1001", 900, nil)
	caller := w.phone("acme", "1009", nil)
	c := w.dial(caller, "9001")
	eventually(t, "they talk", func() bool { return c.ears.hears(900) })
	a := w.taken(agent, 0)
	recordings := func(cause string) []event {
		return w.find(func(e event) bool { return e.Event == "recording" && e.Cause == cause })
	}
	before, beforeText := spoken(t, "SAID-BEFORE-THE-PAUSE-")
	card, cardText := spoken(t, "MY-CARD-IS-"+pan+"-")
	after, afterText := spoken(t, "SAID-AFTER-THE-PAUSE-")
	say := func(x *media.Prompt) { require.NoError(t, c.leg.Play(soon(t), x)) }

	say(before)
	require.NoError(t, a.leg.SendDigits(soon(t), "*0"))
	eventually(t, "the recording is paused", func() bool { return len(recordings("paused")) == 1 })
	say(card)
	require.NoError(t, c.leg.SendDigits(soon(t), pan))
	last, lastText := spoken(t, "THAT-WAS-MY-CARD-")
	say(last)
	eventually(t, "all of it has come through", func() bool { return a.ears.heardOctets(lastText) })
	require.NoError(t, a.leg.SendDigits(soon(t), "*0"))
	eventually(t, "the recording goes on", func() bool { return len(recordings("resumed")) == 1 })
	say(after)
	c.hangup()
	eventually(t, "the recording is closed", func() bool { return len(recordings("complete")) == 1 })
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	_ = p.cmd.Wait() // told by the trace
	var written []byte
	eventually(t, "the trace is complete", func() bool {
		b, err := os.ReadFile(trace)
		require.NoError(t, err)
		written = b
		return bytes.Contains(b, []byte("+++ exited with 0 +++"))
	})

	wav := filepath.Join(t.TempDir(), "call.wav")
	config := filepath.Join(filepath.Dir(w.cfg.Data), "crash.hcl")
	out, code := w.command("--config", config, "recordings", "export", recordings("complete")[0].Recording, "-o", wav, "--tenant", "acme", "--as", "admin", "--reason", "test")
	require.Zero(t, code, out)
	left, right := readStereo(t, wav)
	stored := append(mulaw(left), mulaw(right)...)
	require.True(t, bytes.Contains(stored, beforeText) && bytes.Contains(stored, afterText), "the search finds what was said")
	require.False(t, bytes.Contains(stored, cardText[:12]) || bytes.Contains(stored, lastText) || bytes.Contains(stored, []byte(pan)), "the card is in the recording")

	all := tracedBytes(t, written)
	require.True(t, bytes.Contains(all, []byte(`"cause":"resumed"`)), "the search finds what was written")
	require.Greater(t, len(all), 100_000)
	for _, secret := range [][]byte{[]byte(pan), cardText, lastText, beforeText, afterText} {
		require.False(t, bytes.Contains(all, secret), "%q was written", secret)
	}
}

var tracedString = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)

// tracedBytes returns what the calls of a trace wrote, in their order.
func tracedBytes(t *testing.T, trace []byte) []byte {
	t.Helper()
	var all []byte
	for _, m := range tracedString.FindAllSubmatch(trace, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(string(m[1]), `\x`, ""))
		require.NoError(t, err)
		all = append(all, b...)
	}
	require.NotContains(t, string(trace[max(0, len(trace)-200):]), "...", "cut")
	return all
}
