package sip

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// onInvite admits a new call (RFC 3261 section 13.3.1).
func (ep *Endpoint) onInvite(req *msg.Request, tx *msg.ServerTx, src source) {
	if !ep.admits(req) {
		ep.stats.refusedCalls.Add(1)
		ep.respond(req, tx, 503, header("Retry-After", retryAfter))
		return
	}
	realm, user, ok := ep.caller(req, tx, src)
	if !ok {
		return
	}
	if ep.cfg.OnCall == nil {
		ep.respond(req, tx, 480)
		return
	}
	sdp, good := sessionOf(contentType(req), req.Body())
	if !good {
		ep.respond(req, tx, 415, header("Accept", sdpType))
		return
	}
	target, ok := contactOf(req)
	if !ok {
		ep.respond(req, tx, 400)
		return
	}
	if _, tooShort := ep.sessionTerms(req); tooShort {
		ep.respond(req, tx, 422, header("Min-SE", seconds(ep.cfg.MinSession)))
		return
	}
	old, code := ep.toReplace(req, realm)
	if code != 0 {
		ep.respond(req, tx, code)
		return
	}
	c := ep.newCall(req, src, target, sdp)
	c.incoming, c.realm, c.user, c.stx, c.replaced = true, realm, user, tx, old
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		ep.respond(req, tx, 503)
		return
	}
	if _, merged := ep.pending[c.pid]; merged { // the same call by another path (RFC 3261 section 8.2.2.2)
		ep.mu.Unlock()
		ep.respond(req, tx, 482)
		return
	}
	ep.pending[c.pid] = c
	ep.dialogs[c.d.id] = c // early: PRACK, UPDATE and BYE may come before the answer
	ep.wg.Add(1)
	ep.mu.Unlock()
	ep.live.Add(1)
	ep.stats.calls.Add(1)

	c.sayTrying()
	if !tx.OnCancel(func(*msg.Request) { ep.spawn(func() { c.end(ErrCanceled, false) }) }) { // apart: the library calls with its lock held
		c.end(ErrCanceled, false)
	}
	c.serve()
}

// serve runs the application's side of an incoming call in the goroutine that the library has given to its INVITE. It ends when OnCall returns, and
// Close waits for it.
func (c *Call) serve() {
	ep := c.ep
	defer ep.wg.Done()
	defer func() {
		if r := recover(); r != nil {
			ep.log.Error("sip: panic in OnCall", "call", c.id, "panic", r, "stack", string(debug.Stack()))
			c.refuse(500, ErrLocalBye)
			c.end(ErrLocalBye, true)
		}
		c.mu.Lock()
		detached := c.detached
		c.mu.Unlock()
		if detached { // it ends by itself, and counts as alive until then
			return
		}
		c.refuse(480, ErrLocalBye)
		c.end(ErrLocalBye, true)
		ep.live.Add(-1)
	}()
	if c.replaced != nil {
		ep.cfg.OnReplace(c.ctx, c, c.replaced)
		return
	}
	ep.cfg.OnCall(c.ctx, c)
}

// sayTrying sends 100 so that the caller repeats nothing; where nothing is repeated only if nothing else is said within 200 ms (RFC 3261 section 17.2.1).
func (c *Call) sayTrying() {
	say := func() { _ = c.stx.Respond(c.ep.response(c.invite, 100, nil)) } // losing it costs a retransmission
	if c.src.network == "UDP" {
		say()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trying = time.AfterFunc(trying, func() {
		c.mu.Lock()
		silent := c.state == stateEarly && c.trying != nil
		c.mu.Unlock()
		if silent {
			c.ep.spawn(say)
		}
	})
}

// said is called before any other response to the INVITE. The caller holds c.mu.
func (c *Call) said() {
	if c.trying != nil {
		c.trying.Stop()
		c.trying = nil
	}
}

// caller finds out whose call an INVITE is. When it cannot, it has answered the request.
func (ep *Endpoint) caller(req *msg.Request, tx *msg.ServerTx, src source) (realm, user string, ok bool) {
	if src.conn != nil && src.conn.dialed && ep.cfg.Trusted {
		return "", "", true
	}
	if src.conn != nil && (src.conn.peer != "" || src.conn.dialed) && ep.cfg.Peer != nil {
		realm, user, err := ep.cfg.Peer(Arrival{src.conn.peer, src.conn.raw.RemoteAddr().String(), src.serverName, canonicalHost(req.Recipient.Host), req.Recipient.User})
		var refused *StatusError
		switch {
		case err == nil:
			return realm, user, true
		case errors.As(err, &refused):
			ep.respond(req, tx, refused.Code)
			return "", "", false
		}
	}
	r, user, ok := ep.authenticate(req, tx, src, req.Recipient.Host)
	return r.Name, user, ok
}

// admits says whether there is room for a new call. Emergency calls find some when others do not.
func (ep *Endpoint) admits(req *msg.Request) bool {
	room := ep.cfg.MaxCalls
	if ep.cfg.Emergency != nil && ep.cfg.Emergency(req.Recipient.User) {
		return int(ep.live.Load()) < room+room/10+10
	}
	return !ep.draining.Load() && int(ep.live.Load()) < room
}

func pendingOf(req *msg.Request) pendingID {
	tag, _ := param(req.From().Params, "tag")
	return pendingID{req.CallID().Value(), tag, req.CSeq().SeqNo}
}

func contentType(m msg.Message) string {
	return first(m, "Content-Type")
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// newCall makes the UAS side of a dialog (RFC 3261 section 12.1.1). The offer, or the lack of one, is the peer's turn.
func (ep *Endpoint) newCall(req *msg.Request, src source, target msg.Uri, sdp []byte) *Call {
	ctx, cancel := context.WithCancel(context.Background())
	from, to := req.From(), req.To()
	fromTag, _ := param(from.Params, "tag")
	_, ours := dialogOf(req)
	c := &Call{
		ep: ep, id: randomID(), src: src, invite: req, first: req, pid: pendingOf(req), peer: abilitiesOf(req), state: stateEarly, turn: turn{by: they},
		ctx: ctx, cancel: cancel, done: make(chan struct{}), to: req.Recipient.User, from: from.Address.User, offer: append([]byte(nil), sdp...),
	}
	c.d = dialog{
		id:    dialogID{callID: req.CallID().Value(), local: ours, remote: fromTag},
		local: party{to.DisplayName, to.Address}, remote: party{from.DisplayName, from.Address},
		remoteSeq: req.CSeq().SeqNo, target: target, routes: recordRoutes(req, false), network: src.network, addr: src.addr, socket: src.local,
	}
	c.d.contact = ep.contactFor(src, req.Recipient.User)
	return c
}

// contactFor is our Contact on a flow: the local address of the connection.
func (ep *Endpoint) contactFor(src source, user string) msg.Uri {
	u := msg.Uri{Scheme: "sip", User: user}
	if src.conn != nil {
		u.Host, u.Port = src.conn.localHost, src.conn.localPort
	}
	if src.local.IsValid() {
		u.Host, u.Port = hostToward(src), int(src.local.Port())
	}
	if u.Host == "" {
		u.Host = "127.0.0.1"
	}
	transport := "tls"
	switch src.network {
	case "TLS":
	case "WSS":
		transport = "ws" // with or without TLS (RFC 7118 section 5.2)
	default:
		transport = strings.ToLower(src.network)
	}
	u.UriParams = msg.HeaderParams{{K: "transport", V: transport}}
	return u
}

// hostToward is the address of ours that the sender of a datagram reaches: that of the socket or, if it has all, the one by which we would send.
func hostToward(src source) string {
	ip := src.local.Addr()
	if ip.IsUnspecified() {
		c, err := net.Dial("udp", src.addr) // sends nothing
		if err != nil {
			return ""
		}
		defer c.Close()
		ip = ipOf(c.LocalAddr())
	}
	if ip.Is6() {
		return "[" + ip.String() + "]"
	}
	return ip.String()
}

// promote lists the dialog of a call that we placed.
func (ep *Endpoint) promote(c *Call) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	ep.dialogs[c.d.id] = c
}

func (ep *Endpoint) forget(c *Call) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.dialogs[c.d.id] == c {
		delete(ep.dialogs, c.d.id)
	}
	if c.incoming {
		if ep.pending[c.pid] == c {
			delete(ep.pending, c.pid)
		}
		return
	}
	id := inviteID{c.d.id.callID, c.d.id.local}
	if p := ep.invites[id]; p != nil && !ep.closed {
		p.call, p.d = nil, c.d
		ep.over = append(ep.over, overInvite{id, time.Now().Add(64 * t1)})
	}
}

// overInvite is an INVITE whose call is over, and when nobody can repeat an answer to it any more.
type overInvite struct {
	id    inviteID
	until time.Time
}

// forgetInvites is called every second.
func (ep *Endpoint) forgetInvites(now time.Time) {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	n := 0
	for n < len(ep.over) && now.After(ep.over[n].until) {
		delete(ep.invites, ep.over[n].id)
		n++
	}
	if ep.over = ep.over[n:]; len(ep.over) == 0 {
		ep.over = nil
	}
}

func (ep *Endpoint) findDialog(m msg.Message) *Call {
	local, _ := param(m.To().Params, "tag")
	remote, _ := param(m.From().Params, "tag")
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.dialogs[dialogID{m.CallID().Value(), local, remote}]
}

// inDialog serves a request inside a dialog (RFC 3261 section 12.2.2).
func (ep *Endpoint) inDialog(req *msg.Request, tx *msg.ServerTx, src source) {
	c := ep.findDialog(req)
	if c == nil {
		ep.respond(req, tx, 481)
		return
	}
	leave, joined := c.awaitTurn(req)
	if joined {
		defer leave()
	}
	if !ep.belongs(c, req, tx, src) {
		return
	}
	c.mu.Lock()
	seq := req.CSeq().SeqNo
	// BYE is let through: one that a later request overtook, on another connection, must still end the call.
	stale := !joined && seq <= c.d.remoteSeq && req.Method != msg.BYE
	if seq > c.d.remoteSeq {
		c.d.remoteSeq = seq
	}
	early := c.state == stateEarly
	c.mu.Unlock()
	if stale {
		ep.respond(req, tx, 500, header("Retry-After", "1"))
		return
	}
	switch req.Method {
	case msg.BYE:
		if early { // a caller may end an early dialog this way (RFC 3261 section 15); its INVITE gets its own final response
			c.refuse(487, ErrRemoteBye)
		}
		c.end(ErrRemoteBye, false) // before the answer: a peer that has it must find no dialog any more
		ep.respond(req, tx, 200)
	case msg.PRACK:
		c.onPrack(req, tx)
	case msg.INVITE, msg.UPDATE:
		c.onReoffer(req, tx)
	case msg.INFO:
		c.onInfo(req, tx)
	case msg.REFER:
		c.onTransfer(req, tx)
	case msg.NOTIFY:
		c.onNotify(req, tx)
	case msg.OPTIONS:
		ep.onOptions(req, tx)
	case msg.MESSAGE:
		ep.onMessageIn(c, req, tx)
	default:
		ep.respond(req, tx, 405, header("Allow", ep.caps.allow))
	}
}

// speaksFor reports whether the connection is another one of the call's peer: its user has authenticated on it, it showed the certificate of the same
// peer, or we opened it to the same server.
func (c *conn) speaksFor(call *Call) bool {
	if o := c.owner.Load(); o != nil && call.user != "" && *o == (owner{call.realm, call.user}) {
		return true
	}
	was := call.src.conn
	switch {
	case was == nil:
		return false
	case c.dialed && was.dialed:
		return c.serverName == was.serverName
	case c.peer != "":
		return c.peer == was.peer || was.dialed && ipOf(c.raw.RemoteAddr()) == ipOf(was.raw.RemoteAddr())
	}
	return false
}

// belongs checks that a request in a dialog comes from where the dialog's peer is: the flow of the call, or another one, to which the dialog then
// moves, if its user has authenticated there. Tags cannot be guessed, but they are seen by every proxy and in every trace.
func (ep *Endpoint) belongs(c *Call, req *msg.Request, tx *msg.ServerTx, src source) bool {
	c.mu.Lock()
	same := strings.EqualFold(c.d.network, src.network) && c.d.addr == src.addr
	c.mu.Unlock()
	if same {
		return true
	}
	if src.conn == nil || !src.conn.speaksFor(c) {
		realm, user, ok := ep.authenticate(req, tx, src, c.d.local.uri.Host)
		if !ok {
			return false
		}
		if c.user == "" || user != c.user || realm.Name != c.realm { // somebody with an account, who is not the peer
			ep.respond(req, tx, 403)
			return false
		}
	}
	c.mu.Lock()
	c.d.network, c.d.addr, c.d.socket = src.network, src.addr, src.local
	c.mu.Unlock()
	return true
}
