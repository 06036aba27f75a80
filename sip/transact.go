package sip

import (
	"context"
	"errors"
	"fmt"

	msg "github.com/emiago/sipgo/sip"
)

// transact sends a request that is not an INVITE and returns its final response.
func (ep *Endpoint) transact(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if ep.conns.find(flowKey(req)) == nil && req.Transport() != "UDP" {
		return nil, ErrFlowGone
	}
	tx, err := ep.tx.Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				return res, nil
			}
		case <-tx.Done():
			return nil, txError(tx.Err())
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ep.done:
			return nil, ErrClosed
		}
	}
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
	if ep.conns.find(flowKey(req)) == nil && req.Transport() != "UDP" {
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
// answers one challenge.
func (c *Call) transact(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	if err := c.reach(ctx, req); err != nil {
		return nil, err
	}
	res, err := c.ep.transact(ctx, req)
	if err != nil || c.password == "" || (res.StatusCode != 401 && res.StatusCode != 407) {
		return res, err
	}
	again, err := c.withCredentials(res, req)
	if err != nil {
		return nil, err
	}
	return c.ep.transact(ctx, again)
}

// withCredentials builds req again with the next CSeq, a new branch and an answer to the challenge in res (RFC 3261 section 22.2).
func (c *Call) withCredentials(res *msg.Response, req *msg.Request) (*msg.Request, error) {
	auth, err := answerChallenge(c.ep, res, req, c.d.authUser, c.password)
	if err != nil {
		return nil, err
	}
	again := req.Clone()
	again.RemoveHeader("Via")
	again.PrependHeader(via(req.Transport()))
	if req.Method != msg.CANCEL {
		c.mu.Lock()
		c.d.localSeq++
		again.CSeq().SeqNo = c.d.localSeq
		c.mu.Unlock()
	}
	again.RemoveHeader(auth.Name)
	again.AppendHeader(header(auth.Name, auth.Value))
	again.SetTransport(req.Transport())
	again.SetDestination(req.Destination())
	return again, nil
}

// reach makes sure that there is a connection for req.
func (c *Call) reach(ctx context.Context, req *msg.Request) error {
	if c.dial == nil || c.ep.conns.find(flowKey(req)) != nil {
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
