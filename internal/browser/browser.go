// Package browser starts Chromium with a page of phones in it, for tests: JsSIP and SIP.js, as browsers run them.
//
// It imports no room. The libraries of the page are installed by .ci/peers, exactly as locked, outside the tree.
package browser

import (
	"bytes"
	"context"
	_ "embed"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a browser may take for one step, on a machine that is busy with other tests.
const patience = 90 * time.Second

//go:embed page.js
var page []byte

//go:embed package-lock.json
var lock []byte

// missing leaves a test out if a peer is not installed. Where the peers were promised it fails instead: a suite that skips everything is green too.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("RINGFENCE_PEERS") == "required" {
		t.Fatalf("left out: %s: %s", t.Name(), why)
	}
	t.Skipf("left out: %s: %s", t.Name(), why)
}

// Site serves the page of phones: window.phones.jssip and window.phones.sipjs, see page.js. It skips the test where the libraries or Chromium are not
// installed, and fails it if RINGFENCE_PEERS=required.
func Site(t testing.TB) http.Handler {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	for _, tool := range []string{"chromium", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool+" is not installed")
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		missing(t, err.Error())
	}
	dir := filepath.Join(cache, "ringfence", "browser")
	if have, err := os.ReadFile(filepath.Join(dir, "done-package-lock.json")); err != nil || !bytes.Equal(have, lock) {
		missing(t, "the npm packages are not in "+dir+": run .ci/peers")
	}
	cmd := exec.Command(filepath.Join(dir, "node_modules", ".bin", "esbuild"), "--bundle", "--format=iife")
	cmd.Stdin = bytes.NewReader(page)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	script, err := cmd.Output()
	if err != nil {
		missing(t, "the npm packages in "+dir+" are not whole: run .ci/peers: "+err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, body := "text/html", []byte("<!doctype html><meta charset=utf-8><script src=/page.js></script>")
		if r.URL.Path == "/page.js" {
			kind, body = "text/javascript", script
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body) // a browser that is gone needs none
	})
}

// Start starts Chromium without a window, with a microphone that is always allowed. It ends with the test.
func Start(t testing.TB, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	var opts []chromedp.ExecAllocatorOption
	for _, f := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
		"ignore-certificate-errors", "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "allow-loopback-in-peer-connection",
	} {
		opts = append(opts, chromedp.Flag(f, true))
	}
	opts = append(opts, chromedp.ExecPath("chromium"), chromedp.WSURLReadTimeout(patience), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	alloc, kill := chromedp.NewExecAllocator(context.Background(), append(opts, more...)...)
	ctx, end := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the process, which is killed with its context if it does not end by itself
		end()
		kill()
		chromedp.FromContext(ctx).Allocator.Wait()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// Tab is a page of a browser.
type Tab struct {
	t   testing.TB
	ctx context.Context
}

// Open opens the page of a site in a tab of its own, which is closed with the test.
func Open(t testing.TB, browser context.Context, url string) *Tab {
	t.Helper()
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	return &Tab{t, ctx}
}

// Eval evaluates an expression, waits for its promise, and returns the string it comes to.
func (p *Tab) Eval(js string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", js, err)
	}
	return out
}

// Do calls a verb of the tab's phone.
func (p *Tab) Do(verb string) string { p.t.Helper(); return p.Eval("phone." + verb) }
