package sip

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// provisional is a reliable provisional response of ours that waits for its PRACK (RFC 3262 section 3). There is one at a time.
type provisional struct {
	rseq    uint32
	res     *msg.Response
	timer   *time.Timer
	acked   chan struct{}
	offered bool // it carried our offer, so the PRACK carries the answer
}

// Progress answers an incoming call's offer in 183 before the call is answered, so that the caller hears prompts at no charge (early media). A
// caller who supports reliable provisional responses gets one, repeated until its PRACK; then Progress returns. Without one in 64*T1 the caller is
// refused with 504 and Progress returns ErrNoPRACK. Answer must follow with the same m.
func (c *Call) Progress(ctx context.Context, m Media) error {
	if !c.incoming {
		return errOwnCall
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	offer, rel, again := c.offer, c.peer.rel100, c.answered != nil
	c.mu.Unlock()
	if again {
		return nil
	}
	if len(offer) == 0 && !rel {
		return fmt.Errorf("sip: Progress: the caller made no offer and takes none in a provisional response")
	}
	body, late, err := describe(ctx, m, offer)
	if err != nil {
		c.refuse(488, &StatusError{Code: 488, Method: "INVITE"})
		return err
	}
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	c.media, c.answered = m, body
	c.said()
	if late {
		c.turn.by = we
	}
	c.mu.Unlock()
	if !rel {
		return c.stx.Respond(c.ep.response(c.invite, 183, body, c.contactHeader()))
	}
	if err := c.provide(183, body, late); err != nil {
		return err
	}
	return c.settled(ctx)
}

// provide sends a reliable provisional response and repeats it until its PRACK: at T1, doubling, for 64*T1.
func (c *Call) provide(status int, body []byte, offered bool) error {
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	if c.reliable != nil { // RFC 3262 section 3: the next one waits for the PRACK of this one; a second 180 says nothing new
		c.mu.Unlock()
		return nil
	}
	if c.rseq == 0 {
		c.rseq = firstRSeq()
	}
	c.rseq++
	p := &provisional{rseq: c.rseq, acked: make(chan struct{}), offered: offered}
	contact := &msg.ContactHeader{Address: c.d.contact}
	p.res = c.ep.response(c.invite, status, body, contact, header("Require", "100rel"), header("RSeq", strconv.FormatUint(uint64(p.rseq), 10)), header("Allow", c.ep.caps.allow))
	wait, spent := t1, time.Duration(0)
	p.timer = time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.reliable != p {
			return
		}
		if spent += wait; spent >= 64*t1 {
			c.ep.spawn(func() { c.refuse(504, ErrNoPRACK) })
			return
		}
		wait *= 2
		p.timer.Reset(min(wait, 64*t1-spent))
		c.ep.spawn(func() { _ = c.stx.Respond(p.res) }) // a lost one is repeated
	})
	c.reliable = p
	c.mu.Unlock()
	if err := c.stx.Respond(p.res); err != nil {
		return fmt.Errorf("sip: %d: %w", status, err)
	}
	return nil
}

// firstRSeq is a start of numbering below 2^31, as RFC 3262 section 3 asks.
func firstRSeq() uint32 {
	n, err := strconv.ParseUint(randomID()[:6], 16, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// settled waits until no reliable provisional response is outstanding.
func (c *Call) settled(ctx context.Context) error {
	c.mu.Lock()
	p := c.reliable
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	select {
	case <-p.acked:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// onPrack matches the acknowledgement of a provisional response (RFC 3262 section 3). A description in it is an answer to our offer, or a new offer.
func (c *Call) onPrack(req *msg.Request, tx *msg.ServerTx) {
	sdp, ok := sessionOf(contentType(req), req.Body())
	if !ok {
		c.ep.respond(req, tx, 415, header("Accept", sdpType))
		return
	}
	c.mu.Lock()
	p := c.reliable
	if p == nil || !c.namedBy(req, p.rseq) {
		c.mu.Unlock()
		c.ep.respond(req, tx, 481)
		return
	}
	c.reliable = nil
	p.timer.Stop()
	m := c.media
	if c.answered != nil && !p.offered {
		c.turn.free() // offer in the INVITE, answer in the provisional response: done
	}
	newOffer := len(sdp) > 0 && !p.offered && m != nil && c.turn.take(they)
	c.mu.Unlock()
	defer close(p.acked)
	var body []byte
	switch {
	case p.offered && m != nil:
		err := m.Accept(c.ctx, sdp)
		c.freeTurn()
		if err != nil {
			c.ep.log.Info("sip: answer in PRACK refused", "call", c.id, "err", err)
			c.ep.respond(req, tx, 200)
			c.refuse(488, &StatusError{Code: 488, Method: "INVITE"})
			return
		}
	case newOffer:
		var err error
		body, err = m.Answer(c.ctx, sdp)
		c.freeTurn()
		if err != nil {
			c.ep.respond(req, tx, 488)
			return
		}
		c.mu.Lock()
		c.answered = body
		c.mu.Unlock()
	}
	_ = tx.Respond(c.ep.response(req, 200, body)) // the peer repeats what it did not hear answered
}

// namedBy reports whether a PRACK's RAck names the provisional response rseq of this call's INVITE.
func (c *Call) namedBy(req *msg.Request, rseq uint32) bool {
	h := req.GetHeader("RAck")
	if h == nil {
		return false
	}
	f := strings.Fields(h.Value())
	return len(f) == 3 && f[0] == strconv.FormatUint(uint64(rseq), 10) && f[1] == strconv.FormatUint(uint64(c.pid.cseq), 10) && strings.EqualFold(f[2], "INVITE")
}

// earlyDialog is what a fork of an INVITE of ours said before its final response.
type earlyDialog struct {
	d      dialog
	rseq   uint32 // of its last reliable response; 0: none yet
	answer []byte
}

// onProvisional serves a provisional response to our INVITE: it is acknowledged if it asks for that, in order, and its answer is kept.
func (c *Call) onProvisional(req *msg.Request, res *msg.Response) *earlyDialog {
	tag, _ := param(res.To().Params, "tag")
	if tag == "" {
		return nil
	}
	c.mu.Lock()
	e := c.early[tag]
	if e == nil {
		if len(c.early) >= maxForks {
			c.mu.Unlock()
			return nil
		}
		e = &earlyDialog{d: c.d}
		e.d.id.remote, e.d.routes = tag, recordRoutes(res, true)
		if c.early == nil {
			c.early = make(map[string]*earlyDialog)
		}
		c.early[tag] = e
	}
	if target, ok := contactOf(res); ok {
		e.d.target = target
	}
	var prack *msg.Request
	if n, ok := rseqOf(res); ok {
		if e.rseq != 0 && n != e.rseq+1 { // repeated, or out of order: its predecessor comes again (RFC 3262 section 4)
			c.mu.Unlock()
			return nil
		}
		e.rseq = n
		prack = e.d.request(msg.PRACK, 0)
		prack.AppendHeader(header("RAck", fmt.Sprintf("%d %d INVITE", n, req.CSeq().SeqNo)))
	}
	if sdp, ok := sessionOf(contentType(res), res.Body()); ok && len(sdp) > 0 {
		e.answer = sdp
	}
	c.mu.Unlock()
	if prack != nil {
		c.ep.spawn(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 64*t1)
			defer cancel()
			if _, err := c.transact(ctx, prack); err != nil {
				c.ep.log.Debug("sip: PRACK not confirmed", "call", c.id, "err", err) // the peer repeats its response, or gives the call up
			}
		})
	}
	return e
}

// rseqOf reads the number of a reliable provisional response.
func rseqOf(res *msg.Response) (uint32, bool) {
	h := res.GetHeader("RSeq")
	if h == nil || !has(res, "100rel", "Require") {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	return uint32(n), err == nil && n > 0
}
