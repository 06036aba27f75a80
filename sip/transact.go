package sip

import (
	"context"
	"errors"
	"fmt"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

// transact sends a request that is not an INVITE and returns its final response.
func (ep *Endpoint) transact(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if !ep.reachable(req) {
		return nil, ErrFlowGone
	}
	tx, err := ep.tx.Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer tx.Terminate()
	lost, stop := ep.lost(tx)
	defer stop()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, txError(tx.Err())
		case <-lost: // after a 100 too: it promises nothing, and who answers over another connection is not heard before it has proved who it is
			return nil, errLost
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ep.done:
			return nil, ErrClosed
		}
	}
}

// errLost ends a request whose connection ended before the answer.
var errLost = fmt.Errorf("%w: the connection ended before the answer", ErrTransport)

// lost returns a channel that is closed when the connection of a transaction has ended and T1 has passed, in which a response that came before the end gets through
// here. The library does not say so by itself, and timers B and F would run for 64*T1 for an answer that has no way any more (RFC 3261 sections 17.1.4 and 18.4).
// A datagram is lost with no connection: it is repeated, and the timers decide. stop must be called.
func (ep *Endpoint) lost(tx *msg.ClientTx) (lost <-chan struct{}, stop func()) {
	c := streamOf(tx.Connection())
	if c == nil {
		return nil, func() {}
	}
	ended := make(chan struct{})
	return ended, ep.onFlowGone(c, func() { time.AfterFunc(t1, func() { close(ended) }) })
}

// txError says in our words why a transaction ended without a final response.
func txError(err error) error {
	switch {
	case err == nil, errors.Is(err, msg.ErrTransactionTimeout), errors.Is(err, msg.ErrTransactionTerminated):
		return ErrTimeout
	default:
		return fmt.Errorf("%w: %w", ErrTransport, err)
	}
}

// write sends a request outside any transaction: an ACK of a 2xx.
func (ep *Endpoint) write(req *msg.Request) error {
	if !ep.reachable(req) {
		return ErrFlowGone
	}
	return ep.tp.WriteMsg(req)
}

// dialed is how a call of ours reached its peer: where to connect again when the connection is lost in the middle of the call.
type dialed struct {
	address, serverName string
	client              TLSConfig
}

// transact sends an in-dialog request. It connects again when the connection that we had opened is gone, with the name verified as at first, and
// answers challenges.
func (c *Call) transact(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if err := c.reach(ctx, req); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		sent := prove(c.proof, req)
		res, err := c.ep.transact(ctx, req)
		if err != nil || try == maxTries || !challenged(c.proof, req, res, sent) {
			return res, err
		}
		req = c.repeat(req)
	}
}

// maxTries is how often a request in a dialog is repeated with another proof: when it is asked for, and when that one was out of date.
const maxTries = 2

// proveInvite is prove for an INVITE, whose proof is shown again in its ACK.
func (c *Call) proveInvite(req *msg.Request) []digest.Field {
	sent := prove(c.proof, req)
	c.mu.Lock()
	c.d.proof = sent
	c.mu.Unlock()
	return sent
}

// repeat builds req again with the next CSeq, a new branch and no proof (RFC 3261 section 22.2).
func (c *Call) repeat(req *msg.Request) *msg.Request {
	again := req.Clone()
	again.RemoveHeader("Via")
	again.PrependHeader(via(req.Via().Transport))
	c.mu.Lock()
	c.d.localSeq++
	again.CSeq().SeqNo = c.d.localSeq
	c.mu.Unlock()
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		for again.RemoveHeader(name) { // one for each realm
		}
	}
	again.SetTransport(req.Transport())
	again.SetDestination(req.Destination())
	again.Laddr = req.Laddr
	return again
}

// reach makes sure that there is a connection for req.
func (c *Call) reach(ctx context.Context, req *msg.Request) error {
	if c.dial == nil || c.ep.reachable(req) {
		return nil
	}
	conn, err := c.ep.out.connect(ctx, *c.dial)
	if err != nil {
		return err
	}
	addr := conn.RemoteAddr().String()
	c.mu.Lock()
	c.d.network, c.d.addr = networkOf(conn), addr
	c.mu.Unlock()
	req.SetDestination(addr)
	return nil
}
