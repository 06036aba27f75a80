package trunk_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
	"github.com/ringfence/ringfence/sip/trunk"
)

func TestFailover(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed.Close()
	rang := make(chan struct{}) // a final response that follows at once may overtake a provisional one inside the endpoint
	for _, c := range []struct {
		name   string
		script func(siptest.Message, func(int, ...string))
		want   []string // attempts
		status int      // of the error; 0: answered
	}{
		{"503", refuseWith(503), []string{"a 503", "b 200"}, 0},
		{"500", refuseWith(500), []string{"a 500", "b 200"}, 0},
		{"488", refuseWith(488), []string{"a 488", "b 200"}, 0},
		{"redirection is not followed", refuseWith(302, "Contact: <sip:+1900@evil.test>"), []string{"a 302", "b 200"}, 0},
		{"silence", func(siptest.Message, func(int, ...string)) {}, []string{"a 0", "b 200"}, 0},
		{"no ringing", refuseWith(100), []string{"a 0", "b 200"}, 0},
		{"busy", refuseWith(486), []string{"a 486"}, 486},
		{"not found", refuseWith(404), []string{"a 404"}, 404},
		{"declined everywhere", refuseWith(603), []string{"a 603"}, 603},
		{"503 after ringing", func(_ siptest.Message, reply func(int, ...string)) { reply(180); <-rang; reply(503) }, []string{"a 503"}, 503},
		{"503 after early media", func(_ siptest.Message, reply func(int, ...string)) { reply(183); <-rang; reply(503) }, []string{"a 503"}, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t, func(cfg *trunk.Config, _ *bench) {
				cfg.Silence, cfg.RingTime = 300*time.Millisecond, 600*time.Millisecond
			})
			b.a.set(func() { b.a.script = c.script })
			ring := func() { // not waited for where nobody asks
				select {
				case rang <- struct{}{}:
				case <-time.After(time.Second):
				}
			}
			if !strings.Contains(c.name, "after") {
				ring = nil
			}
			call, err := b.call(t, trunk.Call{OnRinging: ring})
			require.Equal(t, c.want, b.notes.text())
			require.Equal(t, c.status, status(err))
			require.Equal(t, len(c.want)-1, b.b.count("INVITE"))
			if c.status == 0 {
				require.NoError(t, err)
				hangup(t, call)
			}
		})
	}
	t.Run("refused connection", func(t *testing.T) {
		b := setup(t, func(cfg *trunk.Config, b *bench) {
			cfg.Resolver = static{"a.test": {closed.Addr().String()}, "b.test": {b.b.addr}}
		})
		call, err := b.call(t, trunk.Call{})
		require.NoError(t, err)
		require.Equal(t, []string{"a 0", "b 200"}, b.notes.text())
		hangup(t, call)
	})
	t.Run("next server first", func(t *testing.T) {
		b := setup(t, func(cfg *trunk.Config, b *bench) {
			second := serve(t, &tls.Config{Certificates: []tls.Certificate{b.ca.Issue(time.Time{}, "a.test")}})
			cfg.Resolver = static{"a.test": {closed.Addr().String(), b.a.addr, second.addr}, "b.test": {b.b.addr}}
			b.a.script = refuseWith(503, "Retry-After: 60 (busy)")
		})
		call, err := b.call(t, trunk.Call{})
		require.NoError(t, err)
		require.Equal(t, []string{"a 0", "a 503", "a 200"}, b.notes.text())
		hangup(t, call)
		call, err = b.call(t, trunk.Call{})
		require.NoError(t, err)
		require.Equal(t, []string{"a 0", "a 200"}, b.notes.text(), "a server that asked for a minute gets it")
		hangup(t, call)
	})
}

// AVA-06: carrier A fails, calls go out over B; the breaker opens and recovers; a group with one carrier is flagged.
func TestBreakerOpensAndRecovers(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.TripAfter, cfg.Cooldown = 2, 300*time.Millisecond })
	b.a.set(func() { b.a.script = refuseWith(503) })
	for range 2 {
		c, err := b.call(t, trunk.Call{})
		require.NoError(t, err)
		require.Equal(t, []string{"a 503", "b 200"}, b.notes.text())
		hangup(t, c)
	}
	require.Equal(t, trunk.Open, b.Status()[0].State)
	require.NotEmpty(t, b.Warnings(), "one of two carriers works: the site is on its last leg")
	c, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"b 200"}, b.notes.text(), "an open breaker costs nothing")
	hangup(t, c)

	b.a.until("half-open", func() bool { return b.Status()[0].State == trunk.HalfOpen })
	b.a.set(func() { b.a.script = func(_ siptest.Message, reply func(int, ...string)) { reply(180); reply(200) } })
	c, err = b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"a 200"}, b.notes.text())
	require.Equal(t, trunk.Closed, b.Status()[0].State)
	require.Equal(t, 1, b.Status()[0].Live)
	require.Empty(t, b.Warnings())
	hangup(t, c)
	b.a.until("the place is given back", func() bool { return b.Status()[0].Live == 0 })

	alone := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.Carriers = cfg.Carriers[:1] })
	require.Contains(t, strings.Join(alone.Warnings(), "\n"), "only one independent carrier")
	same := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.Carriers[0].Operator, cfg.Carriers[1].Operator = "x", "x" })
	require.Contains(t, strings.Join(same.Warnings(), "\n"), "only one independent carrier")
	control.Proves(t, "AVA-06")
}

func TestRetryAfterOpensAtOnce(t *testing.T) {
	b := setup(t, nil)
	b.a.set(func() { b.a.script = refuseWith(503, "Retry-After: 2000000000") })
	c, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	hangup(t, c)
	s := b.Status()[0]
	require.Equal(t, trunk.Open, s.State)
	require.Less(t, time.Until(s.OpenUntil), 5*time.Minute+time.Second)
}

func TestProbes(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, b *bench) {
		cfg.ProbeInterval = 20 * time.Millisecond
		b.a.options = 405 // alive all the same
	})
	b.a.until("three probes", func() bool { return b.a.count("OPTIONS") > 3 })
	require.True(t, b.Status()[0].Up)
	b.a.set(func() { b.a.options = 503 })
	b.a.until("down", func() bool { return !b.Status()[0].Up })
	c, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"b 200"}, b.notes.text())
	hangup(t, c)
	b.a.set(func() { b.a.options = 200 })
	b.a.until("up again", func() bool { return b.Status()[0].Up })
}

func TestMutualTLS(t *testing.T) {
	var needy *fake
	b := setup(t, func(cfg *trunk.Config, b *bench) {
		cert := b.ca.Issue(time.Time{}, "a.test")
		needy = serve(t, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert})
		cfg.Resolver = static{"a.test": {needy.addr}, "b.test": {b.b.addr}}
		own, err := sip.ClientTLS(&tls.Config{Certificates: []tls.Certificate{b.ca.Issue(time.Time{}, "pbx.example.test")}}, b.ca.Pool())
		require.NoError(t, err)
		cfg.Carriers[0].TLS = own
	})
	c, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"a 200"}, b.notes.text())
	needy.set(func() { require.Contains(t, needy.names, "pbx.example.test") })
	hangup(t, c)
}

// DNS may lie, and a server may change: the name is checked at each connection.
func TestWrongNameIsRefusedOnReconnectToo(t *testing.T) {
	names := make(chan string, 1)
	var sly *fake
	b := setup(t, func(cfg *trunk.Config, b *bench) {
		good, bad := b.ca.Issue(time.Time{}, "a.test"), b.ca.Issue(time.Time{}, "evil.test")
		names <- "a.test"
		sly = serve(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := <-names
			names <- name
			if name == "a.test" {
				return &good, nil
			}
			return &bad, nil
		}})
		cfg.Resolver = static{"a.test": {sly.addr}, "b.test": {b.b.addr}}
	})
	c, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"a 200"}, b.notes.text())
	hangup(t, c)
	<-names
	names <- "evil.test"
	invites := sly.count("INVITE")
	b.b.until("every carrier was probed", func() bool {
		return b.b.count("OPTIONS") > 0 && !b.Status()[1].LastProbe.IsZero() && !b.Status()[0].LastProbe.IsZero()
	})
	conns := b.ep.Stats().Conns // from here on none is added
	sly.drop()
	sly.until("the connection is gone", func() bool { return b.ep.Stats().Conns < conns })
	c, err = b.call(t, trunk.Call{})
	require.NoError(t, err)
	require.Equal(t, []string{"a 0", "b 200"}, b.notes.text())
	require.Equal(t, invites, sly.count("INVITE"), "not a byte of the call went there")
	hangup(t, c)
}

// ENC-14: no carrier without TLS, no call without SRTP; what is waived is listed by name and ends with its date.
func TestStrictProfile(t *testing.T) {
	b := setup(t, nil)
	for _, transport := range []string{"udp", "tcp", "ws"} {
		_, err := trunk.New(trunk.Config{Dialer: b.ep, Domain: "example.test", CallerID: anybody, Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test", Transport: transport}}})
		require.ErrorIs(t, err, trunk.ErrPlaintext)
	}
	clear := func(context.Context, string) (sip.Media, error) { return &media{offer: clearOffer}, nil }
	_, err := b.Dial(context.Background(), trunk.Call{To: "+4930123456"}, clear)
	require.ErrorIs(t, err, trunk.ErrClearMedia)
	require.Zero(t, b.a.count("INVITE")+b.b.count("INVITE"), "a clear offer is not sent to anybody")
	b.a.set(func() { b.a.body = clearOffer })
	_, err = b.call(t, trunk.Call{})
	require.ErrorIs(t, err, trunk.ErrClearMedia, "a carrier cannot talk us out of SRTP")
	b.a.until("the call is ended", func() bool { return b.a.count("BYE") == 1 })
	require.Empty(t, b.Waivers())

	until := time.Now().Add(2 * time.Second)
	w := setup(t, func(cfg *trunk.Config, b *bench) {
		cfg.Carriers[0].ClearMedia = trunk.Waiver{Name: "old gateway, J. Doe", Until: until}
		b.a.body = clearOffer
	})
	c, err := w.Dial(context.Background(), trunk.Call{To: "+4930123456"}, clear)
	require.NoError(t, err)
	hangup(t, c)
	require.Equal(t, []trunk.Waived{{Carrier: "a", Rule: "media is SRTP", Waiver: trunk.Waiver{Name: "old gateway, J. Doe", Until: until}, Valid: true}}, w.Waivers())
	w.a.until("the waiver ends", func() bool { return !w.Waivers()[0].Valid })
	_, err = w.Dial(context.Background(), trunk.Call{To: "+4930123456"}, clear)
	require.ErrorIs(t, err, trunk.ErrClearMedia)
	for _, bad := range []trunk.Waiver{{Name: "x"}, {Until: time.Now().Add(time.Hour)}, {Name: "x", Until: time.Now()}} {
		_, err := trunk.New(trunk.Config{Dialer: b.ep, Domain: "example.test", CallerID: anybody, Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test", ClearMedia: bad}}})
		require.ErrorIs(t, err, trunk.ErrWaiver)
	}
	control.Proves(t, "ENC-14")
}

func TestLimitsAndCancel(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) { cfg.Carriers[0].MaxCalls = 1; cfg.Carriers = cfg.Carriers[:1] })
	first, err := b.call(t, trunk.Call{})
	require.NoError(t, err)
	_, err = b.call(t, trunk.Call{})
	require.ErrorIs(t, err, trunk.ErrNoCarrier)
	hangup(t, first)
	b.a.until("free again", func() bool { return b.Status()[0].Live == 0 })

	b.a.set(func() { b.a.script = func(_ siptest.Message, reply func(int, ...string)) { reply(180) } })
	ctx, cancel := context.WithCancel(context.Background())
	m := &media{offer: secureOffer, closed: make(chan struct{})}
	_, err = b.Dial(ctx, trunk.Call{To: "+4930123456", OnRinging: cancel}, func(context.Context, string) (sip.Media, error) { return m, nil })
	require.ErrorIs(t, err, context.Canceled)
	<-m.closed
	b.a.until("canceled", func() bool { return b.a.count("CANCEL") == 1 })
	require.Equal(t, trunk.Closed, b.Status()[0].State, "a caller who gives up says nothing of the carrier")

	require.NoError(t, b.Close())
	_, err = b.call(t, trunk.Call{})
	require.ErrorIs(t, err, trunk.ErrClosed)
}

func TestRegistration(t *testing.T) {
	b := setup(t, func(cfg *trunk.Config, _ *bench) {
		cfg.Carriers[0].Register, cfg.Carriers[0].User, cfg.Carriers[0].Password = true, "account", "secret"
	})
	b.a.until("registered", func() bool { return b.Status()[0].Registered })
	require.Contains(t, b.a.last("REGISTER").Header.Get("To"), "sip:account@a.test")
	require.NoError(t, b.Close())
	require.Equal(t, "0", b.a.last("REGISTER").Header.Get("Expires"), "what we leave is cleaned up")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	k := trunk.Carrier{Name: "a", Password: "hunter2"}
	j, err := json.Marshal(k.Password)
	require.NoError(t, err)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %x %q", k, k, k, k.Password, k.Password, k.Password), string(j)} {
		require.NotContains(t, s, "hunter2")
		require.NotContains(t, s, "68756e74")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*trunk.Config){
		"no policy":       func(c *trunk.Config) { c.CallerID = nil },
		"no carriers":     func(c *trunk.Config) { c.Carriers = nil },
		"no dialer":       func(c *trunk.Config) { c.Dialer = nil },
		"no domain":       func(c *trunk.Config) { c.Domain = "" },
		"two of one name": func(c *trunk.Config) { c.Carriers[1].Name = "a" },
		"injected domain": func(c *trunk.Config) { c.Carriers[1].Domain = "a.test\r\nX: y" },
		"injected user":   func(c *trunk.Config) { c.Carriers[1].User = "a@b" },
		"weight":          func(c *trunk.Config) { c.Carriers[1].Weight = 5000 },
		"registration":    func(c *trunk.Config) { c.Carriers[1].Register = true },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := trunk.Config{Dialer: new(sip.Endpoint), Domain: "example.test", CallerID: anybody, Resolver: static{}, Carriers: []trunk.Carrier{{Name: "a", Domain: "a.test"}, {Name: "b", Domain: "b.test"}}}
			change(&cfg)
			_, err := trunk.New(cfg)
			require.Error(t, err)
		})
	}
	var fe *trunk.FailedError
	require.False(t, errors.As(trunk.ErrNoCarrier, &fe))
}
