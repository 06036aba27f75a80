package sip

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip/internal/guard"
	"github.com/ringfence/ringfence/sip/internal/websocket"
)

// WebSocketConfig says which browsers may connect with SIP over WebSocket (RFC 7118). Whoever connects has still to log in.
type WebSocketConfig struct {
	// Origins are the sites whose pages may connect, "https://agent.example.com", with a port if it is not 443. Required. A request without Origin
	// is refused: browsers always send one, and a program can send what it likes. "null" cannot be listed, nor http, but for pages of this machine
	// itself, "http://localhost:8080", of which any port can be listed, "http://localhost:*".
	Origins []string
	// Path is where the WebSocket is. If empty, "/".
	Path string
	// Token is asked about the parameter "token" of the URL before the upgrade; an error refuses it with 403. A URL is kept in histories and logs of
	// others, so a token should be good for one use and a minute. It is never logged here. serverName is the TLS server name and may be empty. It is
	// called concurrently and must return when ctx ends, within 5 s. If nil, no token is asked for.
	Token func(ctx context.Context, serverName, origin, token string) error
	// PingInterval is how long a connection may be silent before it is asked whether it is there; another such time without an answer ends it.
	// If zero, 30 s.
	PingInterval time.Duration
}

// ServeWSS serves browsers on l like ServeTLS serves phones: SIP over WebSocket (RFC 7118) over TLS, for JsSIP, SIP.js and the like. l is a TCP
// listener; TLS is done here with cfg, made by ServerTLS. A connection is checked as a whole before it is upgraded: TLS, request, Origin, token; none
// of them can keep others waiting. What does not pass gets a plain HTTP answer of 4xx and is counted in Stats.RefusedUpgrades.
//
// A browser is reached over the connection it registered on, with DialConfig.Flow. Both libraries named know no digest but MD5 and look at
// the first challenge only, so the Realm of their users must list MD5 first.
func (ep *Endpoint) ServeWSS(ctx context.Context, l net.Listener, cfg TLSConfig, ws WebSocketConfig) error {
	if err := cfg.forServer(); err != nil {
		return err
	}
	w, err := newWebDoor(ws)
	if err != nil {
		return err
	}
	cfg.cfg = cfg.cfg.Clone()
	cfg.cfg.NextProtos = []string{"http/1.1"} // who wants another protocol is not talked into this one (RFC 7301 section 3.2)
	return ep.serve(ctx, l, door{tls: cfg, web: w}, ep.tp.ServeTLS)
}

// webDoor checks HTTP requests for the upgrade to a WebSocket (RFC 6455 section 4.2).
type webDoor struct {
	origins  map[string]struct{}
	path     string
	token    func(ctx context.Context, serverName, origin, token string) error
	interval time.Duration
}

func newWebDoor(ws WebSocketConfig) (*webDoor, error) {
	w := &webDoor{origins: make(map[string]struct{}), path: ws.Path, token: ws.Token, interval: ws.PingInterval}
	if len(ws.Origins) == 0 {
		return nil, errors.New("sip: WebSocketConfig.Origins is empty: no page could connect")
	}
	for _, o := range ws.Origins {
		site, any := strings.CutSuffix(o, ":*")
		c, ok := canonicalOrigin(site)
		u, _ := url.Parse(c)
		if !ok || (u.Scheme != "https" || any) && !loopbackHost(u.Hostname()) || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, fmt.Errorf("sip: WebSocketConfig.Origins: %q is not https://host or https://host:port", o)
		}
		if any {
			c += ":*"
		}
		w.origins[c] = struct{}{}
	}
	if w.path == "" {
		w.path = "/"
	}
	if w.path[0] != '/' {
		return nil, errors.New("sip: WebSocketConfig.Path does not begin with /")
	}
	if w.interval <= 0 {
		w.interval = defaultPing
	}
	return w, nil
}

// loopbackHost reports whether a host is this machine by its very name: what comes from there crosses no network (RFC 6761 section 6.3).
func loopbackHost(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// listed reports whether a canonical origin may connect.
func (w *webDoor) listed(origin string) bool {
	if _, ok := w.origins[origin]; ok {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil {
		return false
	}
	_, ok := w.origins[u.Scheme+"://"+strings.TrimSuffix(u.Host, ":"+u.Port())+":*"]
	return ok
}

// canonicalOrigin reads an origin (RFC 6454 section 6.2): scheme and host in lower case, no default port.
func canonicalOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") {
		return "", false
	}
	host := canonicalHost(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host, true
}

// refusal is the answer to a request that is not upgraded.
type refusal struct {
	code   int
	why    string // a fixed text
	header string // a header line the status calls for, with its CRLF
	// offence: only broken programs and scanners do this. What any page can make a browser do is none, or a page could have the office banned in
	// which it is read.
	offence bool
}

func (r *refusal) Error() string { return "sip: upgrade refused: " + r.why }

func (r *refusal) bytes() []byte {
	return []byte("HTTP/1.1 " + strconv.Itoa(r.code) + " " + http.StatusText(r.code) + "\r\n" + r.header + "Connection: close\r\nContent-Length: 0\r\n\r\n")
}

// upgrade turns a TLS connection into a WebSocket. It returns when ctx ends.
func (w *webDoor) upgrade(ctx context.Context, c *conn) error {
	src := streamSource(c)
	limit, _ := ctx.Deadline()
	if err := c.Conn.SetDeadline(limit); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) }) // at Close: whatever it waits for
	key, err := w.request(ctx, c, src)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	var no *refusal
	if errors.As(err, &no) {
		c.ep.stats.refusedUpgrades.Add(1)
		if no.offence {
			c.ep.offence(src, SecurityUpgrade, no.why)
		} else {
			c.ep.notice(src, SecurityUpgrade, no.why)
		}
		_, _ = c.Conn.Write(no.bytes())
		return err
	}
	if err != nil {
		c.ep.stats.refusedUpgrades.Add(1)
		return err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 section 4.2.2: a sign of life, no security rests on it
	_, err = c.Conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\nSec-WebSocket-Protocol: sip\r\n\r\n"))
	if err != nil {
		return err
	}
	c.web = &webSocket{Conn: c.Conn, dec: websocket.NewDecoder(maxMessage), interval: w.interval}
	c.Conn = c.web
	return c.Conn.SetDeadline(time.Time{})
}

// request reads the request and returns its key.
func (w *webDoor) request(ctx context.Context, c *conn, src source) (string, error) {
	input := &io.LimitedReader{R: c.Conn, N: maxUpgrade}
	r := bufio.NewReaderSize(input, 1024)
	req, err := http.ReadRequest(r)
	switch {
	case err != nil && input.N == 0:
		return "", &refusal{code: 431, why: "request too long"}
	case err != nil:
		var ne net.Error
		if errors.As(err, &ne) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", err
		}
		return "", &refusal{code: 400, why: "not HTTP", offence: true}
	}
	if c.ep.guards.rates.Admit(src.origin, c.ep.allowed(src.ip), time.Now()) != guard.Admitted {
		c.ep.stats.rateLimited.Add(1)
		return "", &refusal{code: 503, why: "too many requests", header: "Retry-After: " + retryAfter + "\r\n"}
	}
	if no := w.check(req, src.serverName); no != nil {
		return "", no
	}
	if r.Buffered() > 0 { // RFC 6455 section 4.1: the client waits for the answer; what comes with the request was smuggled in it
		return "", &refusal{code: 400, why: "bytes after the request", offence: true}
	}
	if w.token != nil {
		q := req.URL.Query()["token"]
		if len(q) != 1 || w.token(ctx, src.serverName, req.Header.Get("Origin"), q[0]) != nil {
			return "", &refusal{code: 403, why: "token", offence: true}
		}
	}
	return req.Header.Get("Sec-WebSocket-Key"), nil
}

// check demands what RFC 6455 section 4.2.1 and RFC 7118 section 4 demand, and that the page may be here.
func (w *webDoor) check(req *http.Request, serverName string) *refusal {
	one := func(name string) (string, bool) {
		vs := req.Header.Values(name)
		if len(vs) != 1 {
			return "", false
		}
		return vs[0], true
	}
	switch {
	case req.Method != http.MethodGet:
		return &refusal{code: 405, why: "method", header: "Allow: GET\r\n"}
	case !req.ProtoAtLeast(1, 1) || !strings.HasPrefix(req.RequestURI, "/") || req.ContentLength != 0 || len(req.TransferEncoding) > 0:
		return &refusal{code: 400, why: "request that cannot be upgraded", offence: true}
	case !rightHost(req.Host, serverName):
		return &refusal{code: 421, why: "Host is not the TLS server name"}
	case req.URL.Path != w.path:
		return &refusal{code: 404, why: "path"}
	case !lists(req.Header, "Upgrade", "websocket") || !lists(req.Header, "Connection", "upgrade"):
		return &refusal{code: 426, why: "no upgrade", header: "Upgrade: websocket\r\n"}
	}
	origin, ok := one("Origin")
	if !ok {
		return &refusal{code: 403, why: "no Origin", offence: true}
	}
	if origin, ok = canonicalOrigin(origin); ok {
		ok = w.listed(origin)
	}
	if !ok {
		return &refusal{code: 403, why: "foreign Origin"}
	}
	if v, ok := one("Sec-WebSocket-Version"); !ok || v != "13" {
		return &refusal{code: 426, why: "version", header: "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", offence: true}
	}
	key, ok := one("Sec-WebSocket-Key")
	if raw, err := base64.StdEncoding.DecodeString(key); !ok || err != nil || len(raw) != 16 {
		return &refusal{code: 400, why: "key", offence: true}
	}
	if !lists(req.Header, "Sec-WebSocket-Protocol", "sip") {
		return &refusal{code: 400, why: "subprotocol", offence: true}
	}
	return nil
}

// rightHost compares Host with the TLS server name: a page or a proxy that says two names wants one connection to pass for another. A client that sends no
// server name was given an address (RFC 6066 section 3), so its Host is one.
func rightHost(host, serverName string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if serverName != "" {
		return canonicalHost(host) == serverName
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// lists reports whether a comma-separated header holds a token, in whatever letter case.
func lists(h http.Header, name, token string) bool {
	return slices.ContainsFunc(strings.Split(strings.Join(h.Values(name), ","), ","), func(s string) bool { return strings.EqualFold(strings.TrimSpace(s), token) })
}
