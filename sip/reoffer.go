package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Rollbacker is what a Media may be as well: it is told that the peer refused the last Offer of an established call, so that what was agreed
// before goes on (RFC 3261 section 14.1).
type Rollbacker interface{ Rollback() }

// Reoffer offers the call's media again, in a re-INVITE, or by UPDATE (RFC 3311) before the call is answered: to hold or resume, to change keys, to
// move media elsewhere. It returns when the answer has been taken. If both sides offer at once, it waits as RFC 3261 section 14.1 says
// and tries again until ctx ends. A refusal is a *StatusError and leaves the call as it was, but for 408 and 481: the peer has lost it, and it ends.
func (c *Call) Reoffer(ctx context.Context) error {
	for {
		err := c.reoffer(ctx)
		var se *StatusError
		if !errors.As(err, &se) || se.Code != 491 {
			return err
		}
		wait := time.NewTimer(glareWait(!c.incoming, rand.Reader))
		select {
		case <-wait.C:
		case <-c.done:
			wait.Stop()
			return ErrCallEnded
		case <-ctx.Done():
			wait.Stop()
			return ctx.Err()
		}
	}
}

// glareWait is how long to wait after 491: 2.1 to 4 s for who made the Call-ID, else 0 to 2 s, in units of 10 ms, so that the next offers do not meet.
func glareWait(owner bool, random io.Reader) time.Duration {
	var b [1]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		b[0] = 128
	}
	if owner {
		return 2100*time.Millisecond + time.Duration(int(b[0])*190/255)*10*time.Millisecond
	}
	return time.Duration(int(b[0])*200/255) * 10 * time.Millisecond
}

func (c *Call) reoffer(ctx context.Context) error {
	if err := c.takeTurn(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	m, state, offerAwaited := c.media, c.state, len(c.awaiting) > 0
	c.mu.Unlock()
	if m == nil || offerAwaited {
		c.freeTurn()
		if state == stateEnded {
			return ErrCallEnded
		}
		return &StatusError{Code: 491, Method: "INVITE"} // no description yet, or a 2xx of ours without ACK: as if the peer had said it
	}
	offer, err := m.Offer(ctx)
	if err != nil {
		c.freeTurn()
		return err
	}
	// The exchange runs to its end whoever waits for it: a 2xx must be acknowledged, and what was offered must be agreed or rolled back.
	ended := make(chan error, 1)
	if !c.ep.spawn(func() { ended <- c.exchange(m, offer, state) }) {
		c.freeTurn()
		return ErrClosed
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Call) exchange(m Media, offer []byte, state callState) error {
	defer c.freeTurn()
	ctx, cancel := context.WithTimeout(c.ctx, 64*t1+time.Second)
	defer cancel()
	c.mu.Lock()
	method := msg.INVITE
	if state == stateEarly {
		method = msg.UPDATE
	}
	req := c.d.request(method, 0)
	c.mu.Unlock()
	req.AppendHeader(header("Allow", c.ep.caps.allow))
	req.AppendHeader(header("Content-Type", sdpType))
	req.SetBody(offer)
	c.askSession(req, false)
	res, err := c.offered(ctx, req)
	if err == nil && res.StatusCode == 422 { // RFC 4028 section 7.4
		c.mu.Lock()
		c.session.interval = max(minSE(res), c.session.interval)
		c.mu.Unlock()
		again := req.Clone()
		for _, name := range []string{"Via", "Supported", "Session-Expires", "Min-SE"} {
			again.RemoveHeader(name)
		}
		again.PrependHeader(via(req.Transport()))
		c.mu.Lock()
		c.d.localSeq++
		again.CSeq().SeqNo = c.d.localSeq
		c.mu.Unlock()
		c.askSession(again, false)
		again.SetTransport(req.Transport())
		again.SetDestination(req.Destination())
		res, err = c.offered(ctx, again)
	}
	if err == nil && res.StatusCode < 300 {
		c.gotSession(res)
		answer, _ := sessionOf(contentType(res), res.Body())
		if err := m.Accept(ctx, answer); err != nil {
			c.end(ErrLocalBye, true)
			return fmt.Errorf("sip: answer refused: %w", err)
		}
		return nil
	}
	if err == nil {
		err = statusError(res, string(method))
	}
	if r, ok := m.(Rollbacker); ok {
		r.Rollback()
	}
	var se *StatusError
	if errors.As(err, &se) && (se.Code == 408 || se.Code == 481) || errors.Is(err, ErrTimeout) {
		c.end(ErrNoRefresh, true)
	}
	return err
}

// offered sends a re-INVITE or UPDATE and returns its final response; a 2xx of an INVITE has been acknowledged, and has refreshed the target.
func (c *Call) offered(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if req.Method == msg.UPDATE {
		res, err := c.transact(ctx, req)
		if err == nil && res.StatusCode < 300 {
			c.retarget(res)
		}
		return res, err
	}
	for try := 0; ; try++ {
		sent := c.proveInvite(req)
		res, err := c.reinvite(ctx, req)
		if err != nil || try == maxTries || !challenged(c.proof, req, res, sent) {
			return res, err
		}
		req = c.repeat(req)
	}
}

func (c *Call) reinvite(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if err := c.reach(ctx, req); err != nil {
		return nil, err
	}
	if !c.ep.reachable(req) {
		return nil, ErrFlowGone
	}
	tx, err := c.ep.tx.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	seq := req.CSeq().SeqNo
	acknowledge := func() {
		c.mu.Lock()
		ack := c.d.request(msg.ACK, seq)
		c.mu.Unlock()
		_ = c.ep.write(ack) // the peer repeats its 2xx if this is lost
	}
	tx.OnRetransmission(func(res *msg.Response) {
		if res.IsSuccess() {
			c.ep.spawn(acknowledge) // apart: the library calls with its lock held
		}
	})
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	lost, stop := c.ep.lost(tx)
	defer stop()
	answered := false
	for {
		select {
		case res := <-tx.Responses():
			if answered = true; res.StatusCode < 200 {
				continue
			}
			if res.StatusCode < 300 {
				c.retarget(res)
				acknowledge()
				if req.Transport() != "UDP" {
					tx.Terminate()
				}
			}
			return res, nil
		case <-tx.Done():
			return nil, txError(tx.Err())
		case <-lost:
			if lost = nil; answered { // as with the first INVITE: the peer has it, and a phone may move to another connection in the middle of this
				continue
			}
			tx.Terminate()
			return nil, errLost
		case <-ctx.Done():
			tx.Terminate()
			if c.ctx.Err() != nil {
				return nil, ErrCallEnded
			}
			return nil, ErrTimeout
		case <-c.ep.done:
			tx.Terminate()
			return nil, ErrClosed
		}
	}
}

// retarget takes the Contact of a target refresh (RFC 3261 section 12.2.1.2). The route set stays as it was.
func (c *Call) retarget(m msg.Message) {
	if target, ok := contactOf(m); ok {
		c.mu.Lock()
		c.d.target = target
		c.mu.Unlock()
	}
}

// onReoffer serves a re-INVITE or UPDATE: hold, resume, new keys, a new address of the peer, or only a sign of life (RFC 4028).
func (c *Call) onReoffer(req *msg.Request, tx *msg.ServerTx) {
	sdp, ok := sessionOf(contentType(req), req.Body())
	if !ok {
		c.ep.respond(req, tx, 415, header("Accept", sdpType))
		return
	}
	terms, tooShort := c.ep.sessionTerms(req)
	if tooShort {
		c.ep.respond(req, tx, 422, header("Min-SE", seconds(c.ep.cfg.MinSession)))
		return
	}
	offers := len(sdp) > 0 || req.Method == msg.INVITE
	code := 0
	c.mu.Lock()
	m := c.media
	switch {
	case c.state == stateEnded:
		code = 481
	case c.state == stateEarly && req.Method == msg.INVITE: // RFC 3261 section 14.2: the first INVITE has no final response yet
		code = 500
	case !offers:
	case len(c.awaiting) > 0 || c.turn.by == we:
		code = 491
	case m == nil || !c.turn.take(they):
		code = 500
	}
	c.mu.Unlock()
	switch {
	case code == 500:
		c.ep.respond(req, tx, code, header("Retry-After", "2"))
		return
	case code != 0:
		c.ep.respond(req, tx, code)
		return
	case !offers:
		c.retarget(req)
		c.respondUpdate(req, tx, nil, terms)
		return
	}
	body, late, err := describe(c.ctx, m, sdp)
	if err != nil {
		c.freeTurn()
		c.ep.log.Info("sip: offer refused", "call", c.id, "err", err)
		c.ep.respond(req, tx, 488)
		return
	}
	c.retarget(req)
	if req.Method == msg.UPDATE {
		c.freeTurn()
		c.respondUpdate(req, tx, body, terms)
		return
	}
	if _, err := c.accept(req, tx, body, late, terms); err != nil {
		c.freeTurn()
		if !errors.Is(err, ErrCallEnded) {
			c.ep.log.Debug("sip: 2xx to re-INVITE not sent", "call", c.id, "err", err)
		}
	}
}

func (c *Call) respondUpdate(req *msg.Request, tx *msg.ServerTx, body []byte, terms terms) {
	c.mu.Lock()
	if c.state == stateUp {
		c.keepSession(terms.interval, terms.refresher == "uas")
	} else {
		terms.interval = 0
	}
	c.mu.Unlock()
	hs := append([]msg.Header{c.contactHeader(), header("Supported", c.ep.supported)}, terms.headers()...)
	_ = tx.Respond(c.ep.response(req, 200, body, hs...)) // the peer repeats a request whose answer was lost
}
