package browsertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/siptest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	domain   = "acme.test"
	password = "correct horse"
)

// missing leaves a test out if a peer is not installed. Where the peers were promised it fails instead: a suite that skips everything is green too.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("RINGFENCE_PEERS") == "required" {
		t.Fatalf("left out: %s: %s", t.Name(), why)
	}
	t.Skipf("left out: %s: %s", t.Name(), why)
}

// bundle makes one script of page.js and the libraries.
func bundle(t *testing.T) []byte {
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
	dir := filepath.Join(cache, "ringfence", "browsertest")
	want, err := os.ReadFile("package-lock.json")
	require.NoError(t, err)
	if have, err := os.ReadFile(filepath.Join(dir, "done-package-lock.json")); err != nil || !bytes.Equal(have, want) {
		missing(t, "the npm packages are not in "+dir+": run .ci/peers")
	}
	cmd := exec.Command(filepath.Join(dir, "node_modules", ".bin", "esbuild"), "page.js", "--bundle", "--format=iife")
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	out, err := cmd.Output()
	if err != nil {
		missing(t, "the npm packages in "+dir+" are not whole: run .ci/peers: "+err.Error())
	}
	return out
}

// site is an endpoint that browsers may use from the pages of one origin, and a browser.
type site struct {
	*sip.Endpoint
	t         *testing.T
	registrar *registrar.Registrar
	url       string // of the WebSocket
	origin    string
	foreign   string // the same page at another name
	browser   context.Context
}

func newSite(t *testing.T) *site {
	script := bundle(t)
	s := &site{t: t, registrar: registrar.New(registrar.Config{})}
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, domain, "agent."+domain, "evil.test")}})
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
	wl, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	webDone := make(chan error, 1)
	go func() { webDone <- web.Serve(tls.NewListener(wl, tc.Config())) }()
	port := wl.Addr().(*net.TCPAddr).Port
	s.origin, s.foreign = fmt.Sprintf("https://agent.%s:%d", domain, port), fmt.Sprintf("https://evil.test:%d", port)

	s.Endpoint, err = sip.New(sip.Config{Realm: realm, Registrar: s.registrar, OnCall: s.onCall})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() {
		served <- s.ServeWSS(context.Background(), l, tc, sip.WebSocketConfig{
			Origins: []string{s.origin}, Path: "/sip", PingInterval: time.Second, Token: func(_ context.Context, _, _, token string) error {
				if token != "today" {
					return errors.New("not today's")
				}
				return nil
			},
		})
	}()
	s.url = fmt.Sprintf("wss://%s:%d/sip?token=today", domain, l.Addr().(*net.TCPAddr).Port)

	var opts []chromedp.ExecAllocatorOption
	for _, f := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
		"ignore-certificate-errors", "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream", "allow-loopback-in-peer-connection",
	} {
		opts = append(opts, chromedp.Flag(f, true))
	}
	opts = append(opts, chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"))
	alloc, kill := chromedp.NewExecAllocator(context.Background(), opts...)
	browser, closeBrowser := chromedp.NewContext(alloc)
	s.browser = browser
	t.Cleanup(func() {
		_ = chromedp.Cancel(browser) // waits for the process, which is killed with its context if it does not end by itself
		closeBrowser()
		kill()
		chromedp.FromContext(browser).Allocator.Wait()
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
		require.NoError(t, web.Close())
		require.ErrorIs(t, <-webDone, http.ErrServerClosed)
	})
	require.NoError(t, chromedp.Do(browser))
	return s
}

func realm(d, serverName string) (sip.Realm, error) {
	if d != domain {
		return sip.Realm{}, sip.ErrUnknownRealm
	}
	if serverName != "" && serverName != d {
		return sip.Realm{}, sip.ErrRealmMismatch
	}
	return sip.Realm{Name: domain, Algorithms: []string{sip.MD5}, Credentials: func(_ context.Context, user, algorithm string) ([]byte, error) {
		if user != "1001" && user != "1002" {
			return nil, sip.ErrUnknownUser
		}
		return sip.HA1(algorithm, user, domain, password)
	}}, nil
}

// onCall connects the caller with the browser of whom it dialed: the session descriptions go through, the sound goes from one to the other.
func (s *site) onCall(ctx context.Context, c *sip.Call) {
	b := &bridge{site: s, from: c.User(), to: c.To()}
	if err := c.Answer(ctx, b); err != nil {
		if b.leg != nil {
			_ = b.leg.Hangup(context.Background())
		}
		return
	}
	select {
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.leg.Hangup(end)
	case <-b.leg.Done():
	}
}

// bridge is the media of a caller: its offer goes to the other browser, whose answer comes back.
type bridge struct {
	site     *site
	from, to string
	leg      *sip.Call
	other    passOn
}

func (b *bridge) Offer(context.Context) ([]byte, error) { return nil, errors.New("an offer is needed") }
func (b *bridge) Accept(context.Context, []byte) error  { return errors.New("no offer was made") }

func (b *bridge) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	if b.leg != nil { // hold and resume are for the other browser too
		b.other.offer = offer
		err := b.leg.Reoffer(ctx)
		return []byte(b.other.answer), err
	}
	bs := b.site.registrar.Lookup(domain, b.to, time.Now())
	if len(bs) == 0 {
		return nil, errors.New("nobody is there")
	}
	b.other.offer = offer
	leg, err := b.site.Dial(ctx, sip.DialConfig{Target: bs[0].Contact, Flow: bs[0].Flow, From: "sip:" + b.from + "@" + domain}, &b.other)
	if err != nil {
		return nil, err
	}
	b.leg = leg
	return []byte(b.other.answer), nil
}

// passOn is the media of the one who is called.
type passOn struct {
	offer  []byte
	answer string
}

func (p *passOn) Offer(context.Context) ([]byte, error) { return p.offer, nil }
func (p *passOn) Answer(context.Context, []byte) ([]byte, error) {
	return nil, errors.New("no offer is expected")
}
func (p *passOn) Accept(_ context.Context, answer []byte) error {
	p.answer = string(answer)
	return nil
}

// phone is a page with a phone in it.
type phone struct {
	t   *testing.T
	tab context.Context
}

// open opens a page of an origin in a tab of its own.
func (s *site) open(t *testing.T, origin, library, user, pass string) *phone {
	t.Helper()
	tab, cancel := chromedp.NewContext(s.browser)
	t.Cleanup(cancel)
	p := &phone{t, tab}
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate(origin+"/")))
	p.eval(fmt.Sprintf("window.phone = new phones[%q]({ url: %q, user: %q, domain: %q, password: %q }), 'made'", library, s.url, user, domain, pass))
	return p
}

// eval evaluates an expression and waits for its promise.
func (p *phone) eval(js string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, 30*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](js, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, js)
	return out
}

func (p *phone) do(verb string) string {
	p.t.Helper()
	return p.eval("phone." + verb)
}

func (s *site) reachable(user string) bool {
	return len(s.registrar.Lookup(domain, user, time.Now())) > 0
}

func TestBrowsers(t *testing.T) {
	s := newSite(t)

	t.Run("foreign pages, wrong tokens and wrong passwords", func(t *testing.T) {
		for _, library := range []string{"jssip", "sipjs"} {
			evil := s.open(t, s.foreign, library, "1001", password)
			require.Equal(t, "refused", evil.do("connect()"), "%s: the password is right, the page is not", library)

			stale := s.open(t, s.origin, library, "1001", password)
			stale.eval("window.phone = new phones." + library + "({ url: '" + strings.Replace(s.url, "today", "yesterday", 1) + "', user: '1001', domain: '" + domain + "', password: '' }), 'made'")
			require.Equal(t, "refused", stale.do("connect()"), "%s: token", library)

			wrong := s.open(t, s.origin, library, "1001", "wrong")
			require.Equal(t, "connected", wrong.do("connect()"))
			require.Contains(t, wrong.do("register()"), "failed: ")
			require.False(t, s.reachable("1001"))
			require.Equal(t, "stopped", wrong.do("stop()"))
		}
		require.GreaterOrEqual(t, s.Stats().RefusedUpgrades, uint64(4))
		require.Zero(t, s.Stats().Bans)
	})

	t.Run("calls", func(t *testing.T) {
		j, k := s.open(t, s.origin, "jssip", "1001", password), s.open(t, s.origin, "sipjs", "1002", password)
		for _, p := range []*phone{j, k} {
			require.Equal(t, "connected", p.do("connect()"))
			require.Equal(t, "registered", p.do("register()"))
		}
		require.True(t, s.reachable("1001"))
		require.True(t, s.reachable("1002"))

		require.Equal(t, "answered", j.do("call('1002')"))
		require.Equal(t, "answered", k.do("called"))
		require.Equal(t, "heard", j.do("heard()"))
		require.Equal(t, "heard", k.do("heard()"))
		require.Equal(t, "held", j.do("hold()"))
		require.Equal(t, "sendonly", k.do("told()"))
		require.Equal(t, "resumed", j.do("resume()"))
		require.Equal(t, "sendrecv", k.do("told()"))
		require.Equal(t, "heard", k.do("heard()"))
		require.Equal(t, "ended", j.do("hangup()"))
		require.Equal(t, "ended", k.do("over"))

		require.Equal(t, "answered", k.do("call('1001')"))
		require.Equal(t, "answered", j.do("called"))
		require.Equal(t, "heard", k.do("heard()"))
		require.Equal(t, "heard", j.do("heard()"))
		require.Equal(t, "ended", j.do("hangup()"), "the one who was called")
		require.Equal(t, "ended", k.do("over"))

		require.Equal(t, "unregistered", j.do("unregister()"))
		require.False(t, s.reachable("1001"))
		require.Contains(t, k.do("call('1001')"), "failed: ")
		require.Equal(t, "stopped", k.do("stop()"))
		require.Eventually(t, func() bool { return !s.reachable("1002") }, 10*time.Second, 10*time.Millisecond)
	})
	require.Zero(t, s.Stats().Malformed, "what real browsers send is not malformed")
}
