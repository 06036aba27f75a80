package browsertest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/browser"
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
	pages := browser.Site(t)
	s := &site{t: t, registrar: registrar.New(registrar.Config{})}
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, domain, "agent."+domain, "evil.test")}})
	require.NoError(t, err)

	web := &http.Server{Handler: pages}
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

	t.Cleanup(func() { // after the browser's end: what is registered last is cleaned up first
		require.NoError(t, s.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
		require.NoError(t, web.Close())
		require.ErrorIs(t, <-webDone, http.ErrServerClosed)
	})
	s.browser = browser.Start(t, chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"))
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

// open opens a page of an origin in a tab of its own, and makes a phone in it.
func (s *site) open(t *testing.T, origin, library, user, pass string) *browser.Tab {
	t.Helper()
	p := browser.Open(t, s.browser, origin+"/")
	p.Eval(fmt.Sprintf("window.phone = new phones[%q]({ url: %q, user: %q, domain: %q, password: %q }), 'made'", library, s.url, user, domain, pass))
	return p
}

func (s *site) reachable(user string) bool {
	return len(s.registrar.Lookup(domain, user, time.Now())) > 0
}

func TestBrowsers(t *testing.T) {
	s := newSite(t)

	t.Run("foreign pages, wrong tokens and wrong passwords", func(t *testing.T) {
		for _, library := range []string{"jssip", "sipjs"} {
			evil := s.open(t, s.foreign, library, "1001", password)
			require.Equal(t, "refused", evil.Do("connect()"), "%s: the password is right, the page is not", library)

			stale := s.open(t, s.origin, library, "1001", password)
			stale.Eval("window.phone = new phones." + library + "({ url: '" + strings.Replace(s.url, "today", "yesterday", 1) + "', user: '1001', domain: '" + domain + "', password: '' }), 'made'")
			require.Equal(t, "refused", stale.Do("connect()"), "%s: token", library)

			wrong := s.open(t, s.origin, library, "1001", "wrong")
			require.Equal(t, "connected", wrong.Do("connect()"))
			require.Contains(t, wrong.Do("register()"), "failed: ")
			require.False(t, s.reachable("1001"))
			require.Equal(t, "stopped", wrong.Do("stop()"))
		}
		require.GreaterOrEqual(t, s.Stats().RefusedUpgrades, uint64(4))
		require.Zero(t, s.Stats().Bans)
	})

	t.Run("calls", func(t *testing.T) {
		j, k := s.open(t, s.origin, "jssip", "1001", password), s.open(t, s.origin, "sipjs", "1002", password)
		for _, p := range []*browser.Tab{j, k} {
			require.Equal(t, "connected", p.Do("connect()"))
			require.Equal(t, "registered", p.Do("register()"))
		}
		require.True(t, s.reachable("1001"))
		require.True(t, s.reachable("1002"))

		require.Equal(t, "answered", j.Do("call('1002')"))
		require.Equal(t, "answered", k.Do("called"))
		require.Equal(t, "heard", j.Do("heard()"))
		require.Equal(t, "heard", k.Do("heard()"))
		require.Equal(t, "held", j.Do("hold()"))
		require.Equal(t, "sendonly", k.Do("told()"))
		require.Equal(t, "resumed", j.Do("resume()"))
		require.Equal(t, "sendrecv", k.Do("told()"))
		require.Equal(t, "heard", k.Do("heard()"))
		require.Equal(t, "ended", j.Do("hangup()"))
		require.Equal(t, "ended", k.Do("over"))

		require.Equal(t, "answered", k.Do("call('1001')"))
		require.Equal(t, "answered", j.Do("called"))
		require.Equal(t, "heard", k.Do("heard()"))
		require.Equal(t, "heard", j.Do("heard()"))
		require.Equal(t, "ended", j.Do("hangup()"), "the one who was called")
		require.Equal(t, "ended", k.Do("over"))

		require.Equal(t, "unregistered", j.Do("unregister()"))
		require.False(t, s.reachable("1001"))
		require.Contains(t, k.Do("call('1001')"), "failed: ")
		require.Equal(t, "stopped", k.Do("stop()"))
		require.Eventually(t, func() bool { return !s.reachable("1002") }, 10*time.Second, 10*time.Millisecond)
	})
	require.Zero(t, s.Stats().Malformed, "what real browsers send is not malformed")
}
