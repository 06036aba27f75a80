package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/guard"
)

// source is what a request's connection says about its sender, as opposed to what the request claims.
type source struct {
	conn       *conn  // nil for connections that we opened, and for datagrams
	network    string // as in Via: UDP, TCP, TLS or WSS
	addr       string // ip:port
	host       string // ip
	ip         netip.Addr
	origin     netip.Addr     // ip, or its network: what limits and bans count by
	local      netip.AddrPort // of the socket, for datagrams
	secure     bool
	serverName string
}

func (s source) flow() string { return strings.ToLower(carrier(s.network)) + "/" + s.addr }

// carrier is the transport of the library that serves a network: a WebSocket is one of its TLS connections, with our framing under it.
func carrier(network string) string {
	if network == "WSS" {
		return "TLS"
	}
	return network
}

func sourceOf(req *msg.Request, tx *msg.ServerTx) source {
	if c := streamOf(tx.Connection()); c != nil {
		return c.source()
	}
	s := source{network: strings.ToUpper(req.Transport()), addr: req.Source(), local: socketOf(tx.Connection())}
	s.host, _, _ = net.SplitHostPort(s.addr)
	ap, _ := netip.ParseAddrPort(s.addr)
	s.ip = ap.Addr().Unmap().WithZone("")
	s.origin = guard.Source(s.ip)
	return s
}

// streamOf is our connection under one of the library's, every one of which has one; nil for a socket of datagrams.
func streamOf(c msg.Connection) *conn {
	if t, ok := c.(*msg.TCPConnection); ok {
		if c, ok := t.Conn.(*conn); ok {
			return c
		}
	}
	return nil
}

// socketOf is the address of the socket of a datagram.
func socketOf(c interface{ LocalAddr() net.Addr }) netip.AddrPort {
	if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
		return netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return netip.AddrPort{}
}

func streamSource(c *conn) source {
	s := source{conn: c, network: networkOf(c), addr: c.RemoteAddr().String(), secure: c.secure, serverName: c.serverName, ip: ipOf(c.raw.RemoteAddr())}
	s.origin = guard.Source(s.ip)
	s.host, _, _ = net.SplitHostPort(s.addr)
	return s
}

func packetSource(from net.Addr) source {
	s := source{network: "UDP", addr: from.String(), ip: ipOf(from)}
	s.origin = guard.Source(s.ip)
	s.host, _, _ = net.SplitHostPort(s.addr)
	return s
}

// onRequest runs in a goroutine of the library, one per message, in no guaranteed order.
func (ep *Endpoint) onRequest(req *msg.Request, tx *msg.ServerTx) {
	defer func() {
		// A panic of a handler must cost one message, not the process with every call in it.
		if r := recover(); r != nil {
			ep.log.Error("sip: panic in request handler", "method", string(req.Method), "panic", r, "stack", string(debug.Stack()))
			tx.Terminate()
		}
	}()
	src := sourceOf(req, tx)
	if req.IsAck() {
		tx.Terminate() // nobody waits for it: see acknowledged
		return
	}
	// The screen has checked all of this; a message that came past it would be a mistake of ours, not a reason to crash.
	if req.To() == nil || req.From() == nil || req.CSeq() == nil || req.CallID() == nil || req.Via() == nil {
		tx.Terminate()
		return
	}
	if req.Method == msg.SUBSCRIBE { // with or without a dialog; they are not those of calls
		ep.onSubscribe(req, tx, src)
		return
	}
	if tag, _ := dialogOf(req); tag != "" {
		ep.inDialog(req, tx, src)
		return
	}
	switch req.Method {
	case msg.INVITE:
		ep.onInvite(req, tx, src)
	case msg.REGISTER:
		ep.onRegister(req, tx, src)
	case msg.MESSAGE:
		ep.onMessage(req, tx, src)
	case msg.CANCEL: // of an INVITE that the library does not know
		ep.respond(req, tx, 481)
	case msg.BYE, msg.UPDATE, msg.INFO, msg.PRACK, msg.REFER, msg.NOTIFY: // only inside dialogs
		ep.respond(req, tx, 481)
	default:
		ep.respond(req, tx, 405, header("Allow", ep.caps.allow))
	}
}

// reasons is the only source of reason phrases, so that no error text of ours reaches a peer.
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout",
	413: "Request Entity Too Large", 414: "Request-URI Too Long", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
	421: "Extension Required", 422: "Session Interval Too Small", 423: "Interval Too Brief",
	439: "First Hop Lacks Outbound Support", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error",
	501: "Not Implemented", 503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
}

func reason(code int) string {
	if r, ok := reasons[code]; ok {
		return r
	}
	return "Status"
}

func header(name, value string) msg.Header { return msg.NewHeader(name, value) }

func (ep *Endpoint) response(req *msg.Request, code int, body []byte, extra ...msg.Header) *msg.Response {
	res := msg.NewResponseFromRequest(req, code, reason(code), nil)
	if ep.cfg.UserAgent != "" {
		res.AppendHeader(header("Server", ep.cfg.UserAgent))
	}
	for _, h := range extra {
		res.AppendHeader(h)
	}
	if body != nil {
		res.AppendHeader(header("Content-Type", "application/sdp"))
	}
	res.SetBody(body)
	return res
}

// respond sends a final response without a body.
func (ep *Endpoint) respond(req *msg.Request, tx *msg.ServerTx, code int, extra ...msg.Header) {
	if err := tx.Respond(ep.response(req, code, nil, extra...)); err != nil && !errors.Is(err, msg.ErrTransactionTerminated) {
		ep.log.Debug("sip: response not sent", "code", code, "err", err)
	}
}

func (ep *Endpoint) onOptions(req *msg.Request, tx *msg.ServerTx) {
	var hs []msg.Header
	for _, h := range ep.caps.options {
		hs = append(hs, header(h.Name, h.Value))
	}
	ep.respond(req, tx, 200, hs...)
}

// authenticate returns the realm and the user that the request proves. When it has none, it has answered the request already.
func (ep *Endpoint) authenticate(req *msg.Request, tx *msg.ServerTx, src source, domain string) (Realm, string, bool) {
	realm, code := ep.realmOf(domain, src)
	if code != 0 {
		if code == 404 || src.secure {
			ep.offence(src, SecurityDomain, "unknown domain")
		}
		ep.respond(req, tx, code)
		return Realm{}, "", false
	}
	user, stale, err := ep.verify(req, src, realm)
	if err == nil {
		ep.absolve(realm.Name, user, src)
		if !src.secure && !waived(realm, user, src) {
			ep.respond(req, tx, 403)
			return Realm{}, "", false
		}
		return realm, user, true
	}
	if errors.Is(err, errRefused) {
		ep.stats.refusedAuth.Add(1)
		ep.offence(src, SecurityLogin, "failed authentication") // whether the user exists or not: the ban must not tell
	} else {
		ep.suspect(src, guard.Asked, "challenges without answer")
	}
	var hs []msg.Header
	for _, c := range ep.auth.Challenge(realm.Name, src.host, realm.algorithms(), stale, time.Now()) {
		hs = append(hs, header("WWW-Authenticate", c))
	}
	ep.respond(req, tx, 401, hs...)
	return Realm{}, "", false
}

// waived asks the realm whether this user may do without encryption.
func waived(realm Realm, user string, src source) bool {
	if realm.Plaintext == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return realm.Plaintext(ctx, user, src.addr) == nil
}
