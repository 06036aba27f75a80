package sip_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/memnet"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/sip/siptest"
)

const agentPage = "https://agent.acme.test"

// edge is a server for browsers.
type edge struct {
	*sip.Endpoint
	t    *testing.T
	ca   *siptest.Authority
	dial func() (net.Conn, error)
	stop func()
}

func newEdge(t *testing.T, cfg sip.Config, ws sip.WebSocketConfig, l net.Listener, dial func() (net.Conn, error)) *edge {
	t.Helper()
	ca := siptest.NewAuthority(t)
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{ca.Issue(time.Time{}, "acme.test", "globex.test", "127.0.0.1")}})
	require.NoError(t, err)
	if cfg.Realm == nil {
		cfg.Realm = realms
	}
	if ws.Origins == nil {
		ws.Origins = []string{agentPage}
	}
	ep, err := sip.New(cfg)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- ep.ServeWSS(context.Background(), l, tc, ws) }()
	e := &edge{Endpoint: ep, t: t, ca: ca, dial: dial}
	e.stop = sync.OnceFunc(func() {
		require.NoError(t, ep.Close())
		require.ErrorIs(t, <-served, sip.ErrClosed)
	})
	t.Cleanup(e.stop)
	return e
}

// serveWSS serves browsers on a real socket.
func serveWSS(t *testing.T, cfg sip.Config, ws sip.WebSocketConfig) *edge {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return newEdge(t, cfg, ws, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

// edgeBubble serves browsers in virtual time.
func edgeBubble(t *testing.T, cfg sip.Config, ws sip.WebSocketConfig, script func(e *edge)) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen(443)
		var conns []net.Conn
		e := newEdge(t, cfg, ws, l, func() (net.Conn, error) {
			c, err := l.Dial(context.Background())
			conns = append(conns, c)
			return c, err
		})
		script(e)
		for _, c := range conns {
			c.Close()
		}
		e.stop()
		synctest.Wait()
		time.Sleep(2 * time.Minute) // virtual: transaction timers of the library run out
	})
}

func (e *edge) tls(serverName string) *tls.Conn {
	e.t.Helper()
	raw, err := e.dial()
	require.NoError(e.t, err)
	c := tls.Client(raw, &tls.Config{RootCAs: e.ca.Pool(), ServerName: serverName, NextProtos: []string{"h2", "http/1.1"}})
	require.NoError(e.t, c.Handshake())
	return c
}

// browser connects as a page of an agent does.
func (e *edge) browser() *siptest.WebSocket {
	e.t.Helper()
	w, res, err := siptest.Upgrade(e.t, e.tls("acme.test"), siptest.UpgradeRequest("acme.test", "/", agentPage))
	require.NoError(e.t, err)
	require.Equal(e.t, http.StatusSwitchingProtocols, res.StatusCode)
	require.Equal(e.t, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", res.Header.Get("Sec-Websocket-Accept"), "RFC 6455 section 1.3")
	require.Equal(e.t, "sip", res.Header.Get("Sec-Websocket-Protocol"))
	require.Empty(e.t, res.Header.Get("Sec-Websocket-Extensions"))
	return w
}

// lockedBuffer is a log for many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestUpgradeIsChecked(t *testing.T) {
	good := siptest.UpgradeRequest("acme.test", "/sip?token=let-me-in", agentPage)
	swap := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	for name, c := range map[string]struct {
		want    int
		request string
		// offence: three of them have the source banned. What any page can make a browser do must not.
		offence bool
	}{
		"good":                        {101, good, false},
		"another origin, listed":      {101, swap(agentPage, "https://localhost:8443"), false},
		"origin with default port":    {101, swap(agentPage, agentPage+":443"), false},
		"protocols, sip among them":   {101, swap("Protocol: sip", "Protocol: xmpp, SIP"), false},
		"Host with port":              {101, swap("Host: acme.test", "Host: Acme.Test.:8443"), false},
		"foreign origin":              {403, swap(agentPage, "https://evil.test"), false},
		"http origin":                 {403, swap(agentPage, "http://agent.acme.test"), false},
		"null origin":                 {403, swap(agentPage, "null"), false},
		"origin with a path":          {403, swap(agentPage, agentPage+"/"), false},
		"origin that begins alike":    {403, swap(agentPage, agentPage+".evil.test"), false},
		"another path":                {404, swap("/sip?", "/other?"), false},
		"another server name in Host": {421, swap("Host: acme.test", "Host: globex.test"), false},
		"POST":                        {405, swap("GET", "POST"), false},
		"a page, not a WebSocket":     {426, swap("Upgrade: websocket\r\n", ""), false},
		"Connection without upgrade":  {426, swap("Connection: Upgrade", "Connection: keep-alive"), false},
		"too long":                    {431, swap("/sip?", "/sip?"+strings.Repeat("a", 8200)), false},
		"no origin":                   {403, swap("Origin: "+agentPage+"\r\n", ""), true},
		"two origins":                 {403, swap("Origin: ", "Origin: https://evil.test\r\nOrigin: "), true},
		"version 8":                   {426, swap("Version: 13", "Version: 8"), true},
		"no key":                      {400, swap("dGhlIHNhbXBsZSBub25jZQ==", ""), true},
		"short key":                   {400, swap("dGhlIHNhbXBsZSBub25jZQ==", "YWJj"), true},
		"no subprotocol":              {400, swap("Sec-WebSocket-Protocol: sip\r\n", ""), true},
		"wrong token":                 {403, swap("let-me-in", "let-them-in"), true},
		"no token":                    {403, swap("?token=let-me-in", ""), true},
		"two tokens":                  {403, swap("token=let-me-in", "token=let-me-in&token=x"), true},
		"body":                        {400, swap("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), true},
		"chunked":                     {400, swap("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), true},
		"bytes after the request":     {400, good + "REGISTER sip:acme.test SIP/2.0\r\n", true},
		"HTTP/1.0":                    {400, swap("HTTP/1.1", "HTTP/1.0"), true},
		"absolute URL":                {400, swap("/sip?", "https://acme.test/sip?"), true},
		"SIP":                         {400, "REGISTER sip:acme.test SIP/2.0\r\nVia: x\r\n\r\n", true},
		"no HTTP at all":              {400, "\x16\x03\x01\x00\x05hello\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			e := serveWSS(t, sip.Config{BanAfter: 3, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, sip.WebSocketConfig{
				Path: "/sip", Origins: []string{agentPage, "https://Localhost:8443"}, Token: func(ctx context.Context, serverName, _, token string) error {
					if _, ok := ctx.Deadline(); !ok || serverName != "acme.test" || token != "let-me-in" {
						return errors.New("no")
					}
					return nil
				},
			})
			for range 3 {
				_, res, err := siptest.Upgrade(t, e.tls("acme.test"), c.request)
				require.NoError(t, err)
				require.Equal(t, c.want, res.StatusCode)
			}
			refused, bans := 3, 0
			if c.want == 101 {
				refused = 0
			}
			if c.offence {
				bans = 1
			}
			require.EqualValues(t, refused, e.Stats().RefusedUpgrades)
			_, _, _ = siptest.Upgrade(t, e.tls("acme.test"), c.request) // offences are forgiven with time, so three are a little less than three
			require.EqualValues(t, bans, e.Stats().Bans)
			require.NotContains(t, log.String(), "let-")
		})
	}
}

// TestHostWithoutServerName: a browser that was given an address sends no server name; a name in Host is then somebody else's.
func TestHostWithoutServerName(t *testing.T) {
	e := serveWSS(t, sip.Config{}, sip.WebSocketConfig{})
	for host, want := range map[string]int{"127.0.0.1:443": 101, "[::1]:443": 101, "acme.test": 421, "": 421} {
		_, res, err := siptest.Upgrade(t, e.tls("127.0.0.1"), siptest.UpgradeRequest(host, "/", agentPage))
		require.NoError(t, err)
		require.Equal(t, want, res.StatusCode, host)
	}
}

func TestWebSocketConfigIsChecked(t *testing.T) {
	ep, err := sip.New(sip.Config{})
	require.NoError(t, err)
	defer ep.Close()
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{siptest.NewAuthority(t).Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	for _, ws := range []sip.WebSocketConfig{
		{}, {Origins: []string{"*"}}, {Origins: []string{"null"}}, {Origins: []string{"http://acme.test"}}, {Origins: []string{"https://acme.test/x"}},
		{Origins: []string{"https://u:p@acme.test"}}, {Origins: []string{agentPage}, Path: "sip"},
	} {
		require.ErrorContains(t, ep.ServeWSS(t.Context(), memnet.Listen(443), tc, ws), "WebSocketConfig", "%+v", ws)
	}
	require.ErrorContains(t, ep.ServeWSS(t.Context(), memnet.Listen(443), sip.TLSConfig{}, sip.WebSocketConfig{Origins: []string{agentPage}}), "ServerTLS")
}

// TestIdleConnectionsDoNotStopBrowsers (D1): whoever connects and says nothing, or half of something, keeps nobody else waiting.
func TestIdleConnectionsDoNotStopBrowsers(t *testing.T) {
	e := serveWSS(t, sip.Config{}, sip.WebSocketConfig{})
	for range 50 {
		c, err := e.dial()
		require.NoError(t, err)
		defer c.Close()
		half := e.tls("acme.test")
		defer half.Close()
		_, err = io.WriteString(half, "GET / HTTP/1.1\r\nHost: ac")
		require.NoError(t, err)
	}
	start := time.Now()
	p := siptest.NewPeer(t, e.browser())
	p.Send("", optionsLines()...)
	p.Want("200")
	require.Less(t, time.Since(start), 4*time.Second, "they waited for each other")
}

// TestSlowUpgradeIsCut: a request that comes byte by byte has the time of a handshake, and is an offence.
func TestSlowUpgradeIsCut(t *testing.T) {
	edgeBubble(t, sip.Config{BanAfter: 2}, sip.WebSocketConfig{}, func(e *edge) {
		for range 3 {
			c := e.tls("acme.test")
			start := time.Now()
			for i := 0; ; i++ {
				if _, err := io.WriteString(c, "GET / HTTP/1.1"[i%14:][:1]); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
			require.InDelta(e.t, 5.5, time.Since(start).Seconds(), 1)
		}
		require.EqualValues(e.t, 3, e.Stats().RefusedUpgrades)
		require.EqualValues(e.t, 1, e.Stats().Bans)
	})
}

// TestEndpointClosesDuringAnUpgrade: nobody half way in holds up the end.
func TestEndpointClosesDuringAnUpgrade(t *testing.T) {
	e := serveWSS(t, sip.Config{}, sip.WebSocketConfig{})
	c := e.tls("acme.test")
	defer c.Close()
	_, err := io.WriteString(c, "GET / HTTP/1.1\r\n")
	require.NoError(t, err)
	start := time.Now()
	e.stop()
	require.Less(t, time.Since(start), 4*time.Second)
}

// TestTwoListenersOneSourcePort: behind a NAT that uses one port for several destinations, two phones look alike to a pool of connections. The second is
// turned away instead of getting the calls of the first.
func TestTwoListenersOneSourcePort(t *testing.T) {
	one, two := memnet.Listen(443), memnet.Listen(5061) // the first connection to each comes from the same port
	e := newEdge(t, sip.Config{}, sip.WebSocketConfig{}, one, func() (net.Conn, error) { return one.Dial(context.Background()) })
	tc, err := sip.ServerTLS(&tls.Config{Certificates: []tls.Certificate{e.ca.Issue(time.Time{}, "acme.test")}})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- e.ServeTLS(context.Background(), two, tc) }()
	p := siptest.NewPeer(t, e.browser())
	login(p, "acme.test", "1001", "acme.test"+password)

	connect := func() *tls.Conn {
		raw, err := two.Dial(context.Background())
		require.NoError(t, err)
		return tls.Client(raw, &tls.Config{RootCAs: e.ca.Pool(), ServerName: "acme.test"})
	}
	second := connect()
	defer second.Close()
	require.NoError(t, second.SetDeadline(time.Now().Add(5*time.Second)))
	_ = second.Handshake()
	_, err = second.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.EqualValues(t, 1, e.Stats().RefusedConns)
	third := siptest.NewPeer(t, connect()) // from the next port
	third.Send("", optionsLines()...)
	third.Want("200")
	p.Send("", optionsLines()...)
	p.Want("200")
	e.stop()
	require.ErrorIs(t, <-served, sip.ErrClosed)
}
