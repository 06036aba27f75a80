package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/browser"
)

// openBrowser starts Chromium with a microphone that says a tone, and a site for its pages.
func openBrowser(t *testing.T, freq float64) (chrome context.Context, origin string) {
	t.Helper()
	pages := browser.Site(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	web := &http.Server{Handler: pages}
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }() // ended and waited for below
	t.Cleanup(func() {
		require.NoError(t, web.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	return browser.Start(t, chromedp.Flag("use-file-for-fake-audio-capture", microphone(t, freq))), fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

// microphone is a WAV file with a tone, for a browser to hear.
func microphone(t *testing.T, freq float64) string {
	t.Helper()
	const rate, seconds = 48000, 10
	pcm := make([]int16, rate*seconds)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*freq*float64(i)/rate))
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	for _, v := range []any{uint32(36 + 2*len(pcm)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16), []byte("data"), uint32(2 * len(pcm)), pcm} {
		require.NoError(t, binary.Write(&b, binary.LittleEndian, v))
	}
	path := filepath.Join(t.TempDir(), "microphone.wav")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// Browsers are phones: an agent answers a queue in one, a caller hears prompts and itself in another; what they say is recorded, and how it was protected is
// on record.
func TestBrowsersAsAgentAndCaller(t *testing.T) {
	t.Parallel()
	chrome, origin := openBrowser(t, 1700)
	w := startWorld(t, func(c *config) { c.Listen.WSS, c.Listen.Origins = "127.0.0.1:0", []string{"http://localhost:*"} })
	open := func(library, user string) *browser.Tab {
		t.Helper()
		p := browser.Open(t, chrome, origin+"/")
		p.Eval(fmt.Sprintf("window.phone = new phones[%q]({ url: %q, user: %q, domain: %q, password: %q }), 'made'", library, "wss://"+w.node.wssAddr, user, "acme.localhost", w.passwords["acme/"+user]))
		require.Equal(t, "connected", p.Do("connect()"))
		require.Equal(t, "registered", p.Do("register()"))
		return p
	}

	agent := open("jssip", "1001")
	eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(phone, "9001")
	require.Equal(t, "answered", agent.Do("called"))
	require.Equal(t, "heard", agent.Do("heard()"))
	eventually(t, "the caller hears the agent's microphone", func() bool { return c.ears.hears(1700) })
	require.Equal(t, "held", agent.Do("hold()"))
	require.Equal(t, "resumed", agent.Do("resume()"))
	eventually(t, "the caller hears the agent again", func() bool { return c.ears.hears(1700) })
	require.Equal(t, "ended", agent.Do("hangup()"))
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 && len(w.find(named("recording"))) == 1 })
	e := w.find(named("ended"))[0]
	require.Equal(t, "agent", e.Record.Cause)
	require.Equal(t, "WSS", e.Legs[1].Transport)
	require.Equal(t, "DTLS-SRTP", e.Legs[1].Keys)
	require.Equal(t, "AEAD_AES_256_GCM", e.Legs[1].Media)
	out, code := w.command("recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)

	caller := open("sipjs", "1010")
	require.Equal(t, "answered", caller.Do("call('9002')"))
	require.Equal(t, "heard", caller.Do("heard()"), "its own voice")
	require.Equal(t, "ended", caller.Do("hangup()"))
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 2 })
}
