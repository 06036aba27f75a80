package sip

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// onInvite admits a new call (RFC 3261 section 13.3.1).
func (ep *Endpoint) onInvite(req *msg.Request, tx *msg.ServerTx, src source) {
	if ep.draining.Load() || int(ep.live.Load()) >= ep.cfg.MaxCalls {
		ep.stats.refusedCalls.Add(1)
		ep.respond(req, tx, 503, header("Retry-After", "10"))
		return
	}
	realm, user := "", ""
	if !(ep.cfg.Trusted && src.conn != nil && src.conn.dialed) {
		r, u, ok := ep.authenticate(req, tx, src, req.Recipient.Host)
		if !ok {
			return
		}
		realm, user = r.Name, u
	}
	if ep.cfg.OnCall == nil {
		ep.respond(req, tx, 480)
		return
	}
	if !isSDP(req) {
		ep.respond(req, tx, 415, header("Accept", "application/sdp"))
		return
	}
	target, ok := contactOf(req)
	if !ok {
		ep.respond(req, tx, 400)
		return
	}
	c := ep.newCall(req, src, target)
	c.incoming, c.realm, c.user, c.stx = true, realm, user, tx
	pid := pendingOf(req)
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		ep.respond(req, tx, 503)
		return
	}
	if _, merged := ep.pending[pid]; merged { // the same call by another path (RFC 3261 section 8.2.2.2)
		ep.mu.Unlock()
		ep.respond(req, tx, 482)
		return
	}
	ep.pending[pid] = c
	ep.wg.Add(1)
	ep.mu.Unlock()
	ep.live.Add(1)
	ep.stats.calls.Add(1)

	_ = tx.Respond(ep.response(req, 100, nil)) // stops the library's own 100; losing it costs a retransmission
	// One To tag for every response to this INVITE (RFC 3261 section 8.2.6.2), the library's 487 to a CANCEL included.
	req.To().Params.Add("tag", c.d.id.local)
	if !tx.OnCancel(func(*msg.Request) { ep.spawn(func() { c.end(ErrCanceled, false) }) }) { // apart: the library calls with its lock held
		c.end(ErrCanceled, false)
	}
	go func() { // the goroutine of this call: ends when OnCall returns, waited for by Close
		defer ep.wg.Done()
		defer ep.live.Add(-1)
		defer func() {
			if r := recover(); r != nil {
				ep.log.Error("sip: panic in OnCall", "call", c.id, "panic", r, "stack", string(debug.Stack()))
				c.refuse(500, ErrLocalBye)
			}
			c.refuse(480, ErrLocalBye)
			c.end(ErrLocalBye, true)
		}()
		ep.cfg.OnCall(c.ctx, c)
	}()
}

func pendingOf(req *msg.Request) pendingID {
	tag, _ := param(req.From().Params, "tag")
	return pendingID{req.CallID().Value(), tag, req.CSeq().SeqNo}
}

func isSDP(req *msg.Request) bool {
	if len(req.Body()) == 0 {
		return true
	}
	h := req.GetHeader("Content-Type")
	if h == nil {
		return false
	}
	t, _, _ := strings.Cut(h.Value(), ";")
	return strings.EqualFold(strings.TrimSpace(t), "application/sdp")
}

// newCall makes the UAS side of a dialog (RFC 3261 section 12.1.1).
func (ep *Endpoint) newCall(req *msg.Request, src source, target msg.Uri) *Call {
	ctx, cancel := context.WithCancel(context.Background())
	from, to := req.From(), req.To()
	fromTag, _ := param(from.Params, "tag")
	c := &Call{
		ep: ep, id: randomID(), src: src, invite: req, state: stateEarly, ctx: ctx, cancel: cancel, done: make(chan struct{}),
		to: req.Recipient.User, from: from.Address.User, offer: append([]byte(nil), req.Body()...),
	}
	c.d = dialog{
		id:    dialogID{callID: req.CallID().Value(), local: randomID(), remote: fromTag},
		local: party{to.DisplayName, *to.Address.Clone()}, remote: party{from.DisplayName, *from.Address.Clone()},
		remoteSeq: req.CSeq().SeqNo, target: target, routes: recordRoutes(req, false), network: src.network, addr: src.addr,
	}
	c.d.contact = ep.contactFor(src, req.Recipient.User)
	return c
}

// contactFor is our Contact on a flow: the local address of the connection.
func (ep *Endpoint) contactFor(src source, user string) msg.Uri {
	u := msg.Uri{Scheme: "sip", User: user, UriParams: msg.NewParams()}
	if src.conn != nil {
		host, port, err := msg.ParseAddr(src.conn.LocalAddr().String())
		if err == nil {
			u.Host, u.Port = host, port
		}
	}
	if u.Host == "" {
		u.Host = "127.0.0.1"
	}
	u.UriParams.Add("transport", strings.ToLower(src.network))
	return u
}

// promote moves a call from the INVITEs without an answer to the dialogs.
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
		if pid := pendingOf(c.invite); ep.pending[pid] == c {
			delete(ep.pending, pid)
		}
		return
	}
	id := inviteID{c.d.id.callID, c.d.id.local}
	if _, sent := ep.invites[id]; sent && !ep.closed {
		time.AfterFunc(64*t1, func() {
			ep.mu.Lock()
			defer ep.mu.Unlock()
			delete(ep.invites, id)
		})
	}
}

func (ep *Endpoint) findDialog(m msg.Message) *Call {
	local, _ := param(m.To().Params, "tag")
	remote, _ := param(m.From().Params, "tag")
	ep.mu.Lock()
	defer ep.mu.Unlock()
	return ep.dialogs[dialogID{m.CallID().Value(), local, remote}]
}

// onACK matches the ACK of a 2xx.
func (ep *Endpoint) onACK(req *msg.Request) {
	if req.To() == nil || req.From() == nil || req.CallID() == nil || req.CSeq() == nil {
		return
	}
	c := ep.findDialog(req)
	if c == nil {
		return
	}
	c.mu.Lock()
	a := c.awaiting[req.CSeq().SeqNo]
	if a == nil {
		c.mu.Unlock()
		return
	}
	delete(c.awaiting, req.CSeq().SeqNo)
	a.timer.Stop()
	m := c.media
	c.mediaBusy = false
	c.mu.Unlock()
	if c.src.network != "UDP" {
		// Nothing is repeated on a reliable transport, so the 64*T1 for which RFC 6026 keeps the transaction would only keep memory.
		a.tx.Terminate()
	}
	if a.lateOffer && m != nil {
		if err := m.Accept(c.ctx, req.Body()); err != nil {
			ep.log.Info("sip: answer in ACK refused", "call", c.id, "err", err)
			c.end(ErrLocalBye, true)
			return
		}
	}
	close(a.acked)
}

// inDialog serves a request inside a dialog (RFC 3261 section 12.2.2).
func (ep *Endpoint) inDialog(req *msg.Request, tx *msg.ServerTx, src source) {
	c := ep.findDialog(req)
	if c == nil {
		ep.respond(req, tx, 481)
		return
	}
	c.mu.Lock()
	seq := req.CSeq().SeqNo
	// BYE is let through: requests are handled concurrently, and one that a later request overtook must still end the call.
	stale := seq <= c.d.remoteSeq && req.Method != msg.BYE
	if seq > c.d.remoteSeq {
		c.d.remoteSeq = seq
	}
	c.mu.Unlock()
	if stale {
		ep.respond(req, tx, 500, header("Retry-After", "1"))
		return
	}
	switch req.Method {
	case msg.BYE:
		c.end(ErrRemoteBye, false) // before the answer: a peer that has it must find no dialog any more
		ep.respond(req, tx, 200)
	case msg.INVITE, msg.UPDATE:
		c.onReoffer(req, tx)
	case msg.INFO:
		c.onInfo(req, tx)
	case msg.OPTIONS:
		ep.onOptions(req, tx)
	default:
		ep.respond(req, tx, 405, header("Allow", allowedMethods))
	}
}

// onReoffer serves a re-INVITE or UPDATE: hold, resume, new keys, a new address of the peer.
func (c *Call) onReoffer(req *msg.Request, tx *msg.ServerTx) {
	if !isSDP(req) {
		c.ep.respond(req, tx, 415, header("Accept", "application/sdp"))
		return
	}
	c.mu.Lock()
	busy := c.mediaBusy || len(c.awaiting) > 0
	m := c.media
	offered := len(req.Body()) > 0 || req.Method == msg.INVITE
	if !busy && offered && m != nil && c.state == stateUp {
		c.mediaBusy = true
	}
	if target, ok := contactOf(req); ok && !busy { // target refresh (RFC 3261 section 12.2.1.2)
		c.d.target = target
	}
	c.mu.Unlock()
	switch {
	case busy:
		c.ep.respond(req, tx, 491)
		return
	case !offered:
		c.ep.respond(req, tx, 200, &msg.ContactHeader{Address: *c.d.contact.Clone()})
		return
	case m == nil:
		c.ep.respond(req, tx, 500, header("Retry-After", "1"))
		return
	}
	body, late, err := c.describe(c.ctx, m, req.Body())
	if err != nil {
		c.mu.Lock()
		c.mediaBusy = false
		c.mu.Unlock()
		c.ep.log.Info("sip: offer refused", "call", c.id, "err", err)
		c.ep.respond(req, tx, 488)
		return
	}
	if req.Method == msg.UPDATE {
		c.mu.Lock()
		c.mediaBusy = false
		c.mu.Unlock()
		_ = tx.Respond(c.ep.response(req, 200, body, &msg.ContactHeader{Address: *c.d.contact.Clone()})) // the peer repeats a lost request
		return
	}
	if _, err := c.accept(req, tx, body, late); err != nil && !errors.Is(err, ErrCallEnded) {
		c.ep.log.Debug("sip: 2xx to re-INVITE not sent", "call", c.id, "err", err)
	}
}

// onInfo serves DTMF by INFO (application/dtmf-relay and application/dtmf).
func (c *Call) onInfo(req *msg.Request, tx *msg.ServerTx) {
	kind := ""
	if h := req.GetHeader("Content-Type"); h != nil {
		kind, _, _ = strings.Cut(h.Value(), ";")
	}
	digit, ok := parseDTMF(strings.ToLower(strings.TrimSpace(kind)), string(req.Body()))
	if !ok {
		c.ep.respond(req, tx, 415, header("Accept", "application/dtmf-relay"))
		return
	}
	c.mu.Lock()
	f := c.onDigit
	c.mu.Unlock()
	c.ep.respond(req, tx, 200)
	if f != nil {
		f(digit)
	}
}

// parseDTMF reads the one digit of an INFO body: "Signal=5" lines, or the bare digit. '10' and '11' are how some phones write * and #.
func parseDTMF(kind, body string) (byte, bool) {
	v := ""
	switch kind {
	case "application/dtmf-relay":
		for _, line := range strings.FieldsFunc(body, func(r rune) bool { return r == '\r' || r == '\n' }) {
			name, val, ok := strings.Cut(line, "=")
			if ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				v = strings.TrimSpace(val)
				break
			}
		}
	case "application/dtmf":
		v = strings.TrimSpace(body)
	}
	switch v {
	case "10":
		v = "*"
	case "11":
		v = "#"
	}
	if len(v) != 1 || !strings.Contains("0123456789*#ABCDabcd", v) {
		return 0, false
	}
	return strings.ToUpper(v)[0], true
}
