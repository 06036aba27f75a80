package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// accepted is a 2xx to an INVITE that waits for its ACK.
type accepted struct {
	acked chan struct{}
	timer *time.Timer
	// lateOffer: our 2xx carried the offer, so the ACK carries the answer.
	lateOffer bool
}

var errOwnCall = errors.New("sip: not for a call that we placed")

// Ring sends 180. It is only for incoming calls that were not answered; otherwise it returns ErrCallEnded or does nothing. A caller who requires
// reliable provisional responses gets a reliable one (RFC 3262).
func (c *Call) Ring() error {
	if !c.incoming {
		return errOwnCall
	}
	c.mu.Lock()
	st := c.state
	c.said()
	c.mu.Unlock()
	switch st {
	case stateEnded:
		return ErrCallEnded
	case stateUp:
		return nil
	}
	if has(c.invite, "100rel", "Require") {
		return c.provide(180, nil, false)
	}
	if err := c.stx.Respond(c.ep.response(c.invite, 180, nil, c.contactHeader())); err != nil {
		return fmt.Errorf("sip: ring: %w", err)
	}
	return nil
}

func (c *Call) contactHeader() msg.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &msg.ContactHeader{Address: c.d.contact}
}

// Answer accepts an incoming call with m and returns when the caller has acknowledged (RFC 3261 section 13.3.1.4). The 2xx is repeated
// until then; without an ACK the call ends with BYE and ErrNoACK. If m refuses the offer, the caller gets 488 and Answer returns m's error.
// After Progress, m must be what Progress was given.
func (c *Call) Answer(ctx context.Context, m Media) error {
	if !c.incoming {
		return errOwnCall
	}
	if err := c.settled(ctx); err != nil { // RFC 3262 section 5: no 2xx before the description in a reliable response is acknowledged
		return err
	}
	c.mu.Lock()
	offer, body := c.offer, c.answered
	c.mu.Unlock()
	late := false
	if body == nil {
		var err error
		if body, late, err = describe(ctx, m, offer); err != nil {
			c.refuse(488, &StatusError{Code: 488, Method: "INVITE"})
			return err
		}
	}
	terms, _ := c.ep.sessionTerms(c.invite) // too short an interval was refused when the call came
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	c.state, c.media = stateUp, m
	c.said()
	c.mu.Unlock()
	acked, err := c.accept(c.invite, c.stx, body, late, terms)
	if err != nil {
		c.end(ErrCanceled, false)
		return ErrCallEnded
	}
	select {
	case <-acked:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func describe(ctx context.Context, m Media, offer []byte) (body []byte, late bool, err error) {
	if len(offer) == 0 {
		body, err = m.Offer(ctx)
		return body, true, err
	}
	body, err = m.Answer(ctx, offer)
	return body, false, err
}

// accept sends a 2xx to an INVITE and repeats it at T1, doubling to T2, until its ACK comes; after 64*T1 it gives the call up.
func (c *Call) accept(req *msg.Request, tx *msg.ServerTx, body []byte, late bool, terms terms) (<-chan struct{}, error) {
	hs := append([]msg.Header{c.contactHeader(), header("Allow", c.ep.caps.allow), header("Supported", c.ep.supported)}, terms.headers()...)
	res := c.ep.response(req, 200, body, hs...)
	a := &accepted{acked: make(chan struct{}), lateOffer: late}
	c.mu.Lock()
	if c.state == stateEnded {
		c.mu.Unlock()
		return nil, ErrCallEnded
	}
	c.keepSession(terms.interval, terms.refresher == "uas")
	if late {
		c.turn.by = we
	}
	if c.awaiting == nil {
		c.awaiting = make(map[uint32]*accepted)
	}
	seq := req.CSeq().SeqNo
	c.awaiting[seq] = a
	wait, spent := t1, time.Duration(0)
	again := func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.awaiting[seq] != a || c.state == stateEnded {
			return
		}
		if spent += wait; spent >= 64*t1 {
			delete(c.awaiting, seq)
			c.ep.spawn(func() { c.end(ErrNoACK, true) })
			return
		}
		wait = min(2*wait, t2)
		a.timer.Reset(min(wait, 64*t1-spent))
		c.ep.spawn(func() { _ = respond2xx(tx, res) }) // a lost repetition is repeated; the transaction must not be entered with our lock held
	}
	a.timer = time.AfterFunc(wait, again)
	c.mu.Unlock()
	if err := respond2xx(tx, res); err != nil {
		c.mu.Lock()
		a.timer.Stop()
		delete(c.awaiting, seq)
		c.mu.Unlock()
		return nil, err
	}
	return a.acked, nil
}

// respond2xx sends a 2xx to an INVITE. On a reliable transport the transaction ends with it: no INVITE is repeated there, and the 64*T1 for which the
// library keeps it (RFC 6026, timer L) would only keep memory.
func respond2xx(tx *msg.ServerTx, res *msg.Response) error {
	if res.Transport() == "UDP" {
		return tx.Respond(res)
	}
	if err := tx.Err(); err != nil && !errors.Is(err, msg.ErrTransactionTerminated) { // canceled, or the connection is gone
		return err
	}
	err := tx.Connection().WriteMsg(res)
	tx.Terminate()
	return err
}

// acknowledged takes the ACK of a 2xx and reports whether it was one that a call waits for. It has no transaction, so the library would only make one to
// throw it away; and whoever waits for it learns of it before what the peer has sent behind it. It is called by the reader of the connection.
func (ep *Endpoint) acknowledged(m *sieve.Message) bool {
	ep.mu.Lock()
	c := ep.dialogs[dialogID{m.CallID, m.To.Tag(), m.From.Tag()}]
	ep.mu.Unlock()
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.awaiting[m.Seq]
	if a == nil {
		return false
	}
	delete(c.awaiting, m.Seq)
	a.timer.Stop()
	if !a.lateOffer || c.media == nil {
		c.turn.free()
		close(a.acked)
		return true
	}
	kind, _ := m.Get("Content-Type")
	body := bytes.Clone(m.Body)
	media := c.media
	ep.spawn(func() { c.answeredLate(a, media, kind, body) }) // apart: it may take its time
	return true
}

// answeredLate takes the answer in an ACK to the offer in our 2xx.
func (c *Call) answeredLate(a *accepted, m Media, kind string, body []byte) {
	answer, _ := sessionOf(kind, body)
	err := m.Accept(c.ctx, answer)
	c.freeTurn()
	if err != nil {
		c.ep.log.Info("sip: answer in ACK refused", "call", c.id, "err", err)
		c.end(ErrLocalBye, true)
		return
	}
	close(a.acked)
}

// Reject refuses an incoming call that was not answered, with a status of 300-699.
func (c *Call) Reject(status int) error {
	if !c.incoming || status < 300 || status > 699 {
		return errors.New("sip: Reject needs an incoming call and a status of 300-699")
	}
	if !c.refuse(status, &StatusError{Code: status, Method: "INVITE"}) {
		return ErrCallEnded
	}
	return nil
}

func (c *Call) refuse(status int, cause error) bool {
	c.mu.Lock()
	early := c.state == stateEarly
	c.said()
	c.mu.Unlock()
	if !early {
		return false
	}
	var extra []msg.Header
	switch status {
	case 488:
		extra = append(extra, header("Accept", sdpType))
	case 503:
		extra = append(extra, header("Retry-After", retryAfter))
	}
	c.ep.respond(c.invite, c.stx, status, extra...)
	c.end(cause, false)
	return true
}
