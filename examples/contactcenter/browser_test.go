package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
)

// browserPage is the page of sip/browsertest, with JsSIP and SIP.js in it.
func browserPage(t *testing.T) []byte {
	t.Helper()
	missing := func(why string) {
		t.Helper()
		if os.Getenv("RINGFENCE_PEERS") == "required" {
			t.Fatal(why)
		}
		t.Skip("left out: " + why)
	}
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	for _, tool := range []string{"chromium", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(tool + " is not installed")
		}
	}
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "ringfence", "browsertest")
	want, err := os.ReadFile("../../sip/browsertest/package-lock.json")
	require.NoError(t, err)
	if have, err := os.ReadFile(filepath.Join(dir, "done-package-lock.json")); err != nil || !bytes.Equal(have, want) {
		missing("the npm packages are not in " + dir + ": run .ci/peers")
	}
	cmd := exec.Command(filepath.Join(dir, "node_modules", ".bin", "esbuild"), "../../sip/browsertest/page.js", "--bundle", "--format=iife")
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.Output()
	require.NoError(t, err)
	return out
}

// openBrowser starts Chromium and a site for its pages.
func openBrowser(t *testing.T) (browser context.Context, origin string) {
	t.Helper()
	script := browserPage(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(script)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><meta charset=utf-8><script src=/page.js></script>"))
	})}
	done := make(chan error, 1)
	go func() { done <- web.Serve(l) }() // ended and waited for below
	var opts []chromedp.ExecAllocatorOption
	for _, f := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
		"ignore-certificate-errors", "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "allow-loopback-in-peer-connection",
	} {
		opts = append(opts, chromedp.Flag(f, true))
	}
	opts = append(opts, chromedp.Flag("use-file-for-fake-audio-capture", microphone(t, 1700)), chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	alloc, kill := chromedp.NewExecAllocator(context.Background(), opts...)
	browser, closeBrowser := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(browser) // waits for the process, which is killed with its context if it does not end by itself
		closeBrowser()
		kill()
		chromedp.FromContext(browser).Allocator.Wait()
		require.NoError(t, web.Close())
		require.ErrorIs(t, <-done, http.ErrServerClosed)
	})
	require.NoError(t, chromedp.Do(browser))
	return browser, fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
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

// page is a browser phone.
type page struct {
	t   *testing.T
	tab context.Context
}

func (p *page) eval(js string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, 30*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](js, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, js)
	return out
}

func (p *page) do(verb string) string { p.t.Helper(); return p.eval("phone." + verb) }

// Browsers are phones: an agent answers a queue in one, a caller hears prompts and itself in another; what they say is recorded, and how it was protected is
// on record.
func TestBrowsersAsAgentAndCaller(t *testing.T) {
	browser, origin := openBrowser(t)
	w := startWorld(t, func(c *config) { c.Listen.WSS, c.Listen.Origins = "127.0.0.1:0", []string{"http://localhost:*"} })
	open := func(library, user string) *page {
		t.Helper()
		tab, cancel := chromedp.NewContext(browser)
		t.Cleanup(cancel)
		p := &page{t, tab}
		require.NoError(t, chromedp.Do(tab, chromedp.Navigate(origin+"/")))
		p.eval(fmt.Sprintf("window.phone = new phones[%q]({ url: %q, user: %q, domain: %q, password: %q }), 'made'", library, "wss://"+w.node.wssAddr, user, "acme.localhost", w.passwords["acme/"+user]))
		require.Equal(t, "connected", p.do("connect()"))
		require.Equal(t, "registered", p.do("register()"))
		return p
	}

	agent := open("jssip", "1001")
	eventually(t, "the agent is ready", func() bool { st, _ := w.state(0, "1001"); return st == acd.Ready })
	phone := w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) })
	c := w.dial(phone, "9001")
	require.Equal(t, "answered", agent.do("called"))
	require.Equal(t, "heard", agent.do("heard()"))
	eventually(t, "the caller hears the agent's microphone", func() bool { return c.ears.hears(1700) })
	require.Equal(t, "held", agent.do("hold()"))
	require.Equal(t, "resumed", agent.do("resume()"))
	eventually(t, "the caller hears the agent again", func() bool { return c.ears.hears(1700) })
	require.Equal(t, "ended", agent.do("hangup()"))
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 1 && len(w.find(named("recording"))) == 1 })
	e := w.find(named("ended"))[0]
	require.Equal(t, "agent", e.Record.Cause)
	require.Equal(t, "WSS", e.Legs[1].Transport)
	require.Equal(t, "DTLS-SRTP", e.Legs[1].Keys)
	require.Equal(t, "AEAD_AES_256_GCM", e.Legs[1].Media)
	out, code := w.command("recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)

	caller := open("sipjs", "1010")
	require.Equal(t, "answered", caller.do("call('9002')"))
	require.Equal(t, "heard", caller.do("heard()"), "its own voice")
	require.Equal(t, "ended", caller.do("hangup()"))
	eventually(t, "the record", func() bool { return len(w.find(named("ended"))) == 2 })
	require.False(t, errors.Is(browser.Err(), context.Canceled))
}
