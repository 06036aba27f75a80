package sip

import (
	"crypto/tls"
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// source is what a request's connection says about its sender, as opposed to what the request claims.
type source struct {
	conn       *conn // nil for connections that we opened, and for datagrams
	network    string
	addr       string // ip:port
	host       string // ip
	secure     bool
	serverName string
}

func (s source) flow() string { return strings.ToLower(s.network) + "/" + s.addr }

func sourceOf(req *msg.Request, tx *msg.ServerTx) source {
	s := source{network: strings.ToUpper(req.Transport()), addr: req.Source()}
	s.host, _, _ = net.SplitHostPort(s.addr)
	if t, ok := tx.Connection().(*msg.TCPConnection); ok {
		switch c := t.Conn.(type) {
		case *conn:
			s.conn, s.secure, s.serverName = c, c.secure, c.serverName
		case *tls.Conn:
			s.secure = true
		}
	}
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
		tx.Terminate() // an ACK has no transaction of its own; the library makes one for the ACK of a 2xx
		ep.onACK(req)
		return
	}
	if code, extra := sanity(req); code != 0 {
		ep.respond(req, tx, code, extra...)
		return
	}
	if tag, _ := param(req.To().Params, "tag"); tag != "" {
		ep.inDialog(req, tx, src)
		return
	}
	switch req.Method {
	case msg.INVITE:
		ep.onInvite(req, tx, src)
	case msg.REGISTER:
		ep.onRegister(req, tx, src)
	case msg.OPTIONS:
		ep.onOptions(req, tx)
	case msg.CANCEL: // of an INVITE that the library does not know
		ep.respond(req, tx, 481)
	case msg.BYE, msg.UPDATE, msg.INFO:
		ep.respond(req, tx, 481)
	default:
		ep.respond(req, tx, 405, header("Allow", allowedMethods))
	}
}

// sanity checks what every request must have (RFC 3261 section 8.2); zero means it is fine.
func sanity(req *msg.Request) (int, []msg.Header) {
	if req.SipVersion != "SIP/2.0" {
		return 505, nil
	}
	to, from, cseq := req.To(), req.From(), req.CSeq()
	if to == nil || from == nil || cseq == nil || req.CallID() == nil || req.Via() == nil || cseq.MethodName != req.Method {
		return 400, nil
	}
	for _, once := range []string{"To", "From", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"} {
		if len(req.GetHeaders(once)) > 1 {
			return 400, nil
		}
	}
	if tag, _ := param(from.Params, "tag"); tag == "" {
		return 400, nil
	}
	if s := req.Recipient.Scheme; s != "sip" && s != "sips" {
		return 416, nil
	}
	if h := req.GetHeader("Max-Forwards"); h != nil {
		n, err := strconv.Atoi(strings.TrimSpace(h.Value()))
		if err != nil || n < 0 || n > 255 {
			return 400, nil
		}
		if n == 0 && req.Method != msg.OPTIONS {
			return 483, nil
		}
	}
	if hs := req.GetHeaders("Require"); len(hs) > 0 && req.Method != msg.CANCEL {
		var all []string
		for _, h := range hs {
			all = append(all, h.Value())
		}
		return 420, []msg.Header{header("Unsupported", strings.Join(all, ", "))} // we support no extension that may be required
	}
	if h := req.GetHeader("Content-Encoding"); h != nil && !strings.EqualFold(strings.TrimSpace(h.Value()), "identity") {
		return 415, []msg.Header{header("Accept-Encoding", "identity")}
	}
	return 0, nil
}

// reasons is the only source of reason phrases, so that no error text of ours reaches a peer.
var reasons = map[int]string{
	100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 408: "Request Timeout", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
	423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error",
	501: "Not Implemented", 503: "Service Unavailable", 505: "Version Not Supported", 600: "Busy Everywhere", 603: "Decline",
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
	// Answered without authentication: it says no more than a wrong password would, and monitors ask it.
	ep.respond(req, tx, 200, header("Allow", allowedMethods), header("Accept", "application/sdp"))
}

// authenticate returns the realm and the user that the request proves. When it has none, it has answered the request already.
func (ep *Endpoint) authenticate(req *msg.Request, tx *msg.ServerTx, src source, domain string) (Realm, string, bool) {
	if ep.cfg.Realm == nil {
		ep.respond(req, tx, 403)
		return Realm{}, "", false
	}
	realm, err := ep.cfg.Realm(canonicalHost(domain), src.serverName)
	switch {
	case errors.Is(err, ErrRealmMismatch):
		ep.respond(req, tx, 403)
		return Realm{}, "", false
	case err != nil:
		ep.respond(req, tx, 404)
		return Realm{}, "", false
	}
	// Before any challenge: a phone that is asked would send what an eavesdropper can attack offline.
	if !src.secure && !ep.plainDigest.Load() {
		ep.respond(req, tx, 403)
		return Realm{}, "", false
	}
	user, stale, err := ep.verify(req, src, realm)
	if err == nil {
		if src.conn != nil {
			src.conn.trust()
		}
		return realm, user, true
	}
	if errors.Is(err, errRefused) {
		ep.stats.refusedAuth.Add(1)
	}
	var hs []msg.Header
	for _, c := range ep.auth.Challenge(realm.Name, src.host, realm.algorithms(), stale, time.Now()) {
		hs = append(hs, header("WWW-Authenticate", c))
	}
	ep.respond(req, tx, 401, hs...)
	return Realm{}, "", false
}
