package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

type callState int

const (
	stateEarly callState = iota + 1 // INVITE without a final answer
	stateUp                         // 2xx sent or received
	stateEnded
)

// Call is one INVITE dialog (RFC 3261 section 13), incoming or placed by us. All methods are safe for concurrent use.
type Call struct {
	ep       *Endpoint
	id       string
	incoming bool
	src      source
	realm    string
	user     string // authenticated; empty for calls we place
	to, from string
	offer    []byte

	stx    *msg.ServerTx // the INVITE, incoming
	invite *msg.Request
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	state     callState
	cause     error
	d         dialog
	media     Media
	mediaBusy bool // an offer is outstanding in one direction (RFC 3261 section 14.2)
	awaiting  map[uint32]*accepted
	onDigit   func(digit byte)
}

// accepted is a 2xx to an INVITE that waits for its ACK.
type accepted struct {
	acked chan struct{}
	timer *time.Timer
	tx    *msg.ServerTx
	// lateOffer: our 2xx carried the offer, so the ACK carries the answer.
	lateOffer bool
}

// ID is an identifier of ours, unique and safe to log. Unlike the Call-ID, no peer chose it.
func (c *Call) ID() string { return c.id }

// Realm is the name of the realm the call belongs to: that of the caller of an incoming call.
func (c *Call) Realm() string { return c.realm }

// User is the user that authenticated an incoming call; empty for a call we placed.
func (c *Call) User() string { return c.user }

// To is the user part of the Request-URI: the number that was dialed.
func (c *Call) To() string { return c.to }

// ClaimedFrom is the user part of the From header. The peer can write there what it likes; use User to decide anything.
func (c *Call) ClaimedFrom() string { return c.from }

// Secure reports whether the signalling is encrypted, so that SDES keys may travel in it (RFC 4568 section 7).
func (c *Call) Secure() bool { return c.src.secure }

// RemoteAddr is the address of the peer's signalling connection, "ip:port".
func (c *Call) RemoteAddr() string { return c.src.addr }

// Done is closed when the call is over, for whatever reason.
func (c *Call) Done() <-chan struct{} { return c.done }

// Err says why a call is over: ErrRemoteBye, ErrLocalBye, ErrCanceled, ErrNoACK, ErrClosed or a *StatusError. It is nil while the call is alive.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// OnDigit sets what is told of each DTMF digit that arrives by INFO ('0'-'9', '*', '#', 'A'-'D'). It must not block.
func (c *Call) OnDigit(f func(digit byte)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onDigit = f
}

// Ring sends 180. It is only for incoming calls that were not answered; otherwise it returns ErrCallEnded or does nothing.
func (c *Call) Ring() error {
	if !c.incoming {
		return errors.New("sip: Ring on a call of our own")
	}
	c.mu.Lock()
	st := c.state
	c.mu.Unlock()
	switch st {
	case stateEnded:
		return ErrCallEnded
	case stateUp:
		return nil
	}
	res := c.ep.response(c.invite, 180, nil, &msg.ContactHeader{Address: *c.d.contact.Clone()})
	if err := c.stx.Respond(res); err != nil {
		return fmt.Errorf("sip: ring: %w", err)
	}
	return nil
}

// Answer accepts an incoming call with m and returns when the caller has acknowledged (RFC 3261 section 13.3.1.4). The 2xx is repeated
// until then; without an ACK the call ends with BYE and ErrNoACK. If m refuses the offer, the caller gets 488 and Answer returns m's error.
func (c *Call) Answer(ctx context.Context, m Media) error {
	if !c.incoming {
		return errors.New("sip: Answer on a call of our own")
	}
	c.mu.Lock()
	offer := c.offer
	c.mu.Unlock()
	body, late, err := c.describe(ctx, m, offer)
	if err != nil {
		c.refuse(488, &StatusError{Code: 488, Method: "INVITE"})
		return err
	}
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	c.state, c.media = stateUp, m
	c.mu.Unlock()
	c.ep.promote(c)
	acked, err := c.accept(c.invite, c.stx, body, late)
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

func (c *Call) describe(ctx context.Context, m Media, offer []byte) (body []byte, late bool, err error) {
	if len(offer) == 0 {
		body, err = m.Offer(ctx)
		return body, true, err
	}
	body, err = m.Answer(ctx, offer)
	return body, false, err
}

// accept sends a 2xx to an INVITE and repeats it at T1, doubling to T2, until its ACK comes; after 64*T1 it gives the call up.
func (c *Call) accept(req *msg.Request, tx *msg.ServerTx, body []byte, late bool) (<-chan struct{}, error) {
	res := c.ep.response(req, 200, body, &msg.ContactHeader{Address: *c.d.contact.Clone()}, header("Allow", allowedMethods))
	a := &accepted{acked: make(chan struct{}), lateOffer: late, tx: tx}
	c.mu.Lock()
	if c.state == stateEnded {
		c.mu.Unlock()
		return nil, ErrCallEnded
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
		c.ep.spawn(func() { _ = tx.Respond(res) }) // a lost repetition is repeated; the transaction must not be entered with our lock held
	}
	a.timer = time.AfterFunc(wait, again)
	c.mu.Unlock()
	if err := tx.Respond(res); err != nil {
		c.mu.Lock()
		a.timer.Stop()
		delete(c.awaiting, seq)
		c.mu.Unlock()
		return nil, err
	}
	return a.acked, nil
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
	c.mu.Unlock()
	if !early {
		return false
	}
	var extra []msg.Header
	switch status {
	case 488:
		extra = append(extra, header("Accept", "application/sdp"))
	case 503:
		extra = append(extra, header("Retry-After", "10"))
	}
	c.ep.respond(c.invite, c.stx, status, extra...)
	c.end(cause, false)
	return true
}

// Hangup ends the call: BYE if it was answered, 480 if it was ringing here. It returns when the peer has confirmed, or with ctx's error; the call
// is over for us in any case. It returns ErrCallEnded if it was over already.
func (c *Call) Hangup(ctx context.Context) error {
	if c.incoming && c.refuse(480, ErrLocalBye) {
		return nil
	}
	bye := c.finish(ErrLocalBye)
	if bye == nil {
		return ErrCallEnded
	}
	return c.sendBye(ctx, bye)
}

// end is Hangup without waiting.
func (c *Call) end(cause error, sayBye bool) {
	bye := c.finish(cause)
	if bye == nil || !sayBye {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.sendBye(ctx, bye) // the peer is gone or will time out; the call is over here
}

// finish moves the call to its end once. It returns the BYE to send if the call was up.
func (c *Call) finish(cause error) *msg.Request {
	c.mu.Lock()
	if c.state == stateEnded {
		c.mu.Unlock()
		return nil
	}
	var bye *msg.Request
	if c.state == stateUp {
		bye = c.d.request(msg.BYE, 0)
	}
	c.state, c.cause = stateEnded, cause
	for _, a := range c.awaiting {
		a.timer.Stop()
	}
	c.awaiting, c.media, c.offer = nil, nil, nil // transactions remember the call for 64*T1; they must not keep its media alive
	close(c.done)
	c.mu.Unlock()
	c.cancel()
	c.ep.forget(c)
	return bye
}

// shut ends the call when the endpoint closes: a BYE is written if the flow takes it, nothing is waited for.
func (c *Call) shut() {
	if bye := c.finish(ErrClosed); bye != nil {
		_ = c.ep.write(bye) // best effort by definition
	}
}

func (c *Call) sendBye(ctx context.Context, bye *msg.Request) error {
	res, err := c.ep.transact(ctx, bye)
	if err != nil {
		return fmt.Errorf("sip: BYE: %w", err)
	}
	if res.StatusCode >= 300 && res.StatusCode != 481 && res.StatusCode != 408 {
		return &StatusError{Code: res.StatusCode, Method: "BYE"}
	}
	return nil
}

// transact sends a request that is not an INVITE and returns its final response.
func (ep *Endpoint) transact(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if ep.conns.find(flowKey(req)) == nil && req.Transport() != "UDP" {
		return nil, ErrFlowGone
	}
	tx, err := ep.tx.Request(ctx, req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			if err := tx.Err(); err != nil {
				return nil, err
			}
			return nil, errors.New("sip: transaction ended without a response")
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ep.done:
			return nil, ErrClosed
		}
	}
}

// write sends a request outside any transaction: an ACK of a 2xx.
func (ep *Endpoint) write(req *msg.Request) error {
	if ep.conns.find(flowKey(req)) == nil && req.Transport() != "UDP" {
		return ErrFlowGone
	}
	return ep.tp.WriteMsg(req)
}
