package sip

import (
	"context"
	"fmt"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// giveUp cancels an INVITE. A CANCEL must wait for a provisional response (RFC 3261 section 9.1); a 2xx that crossed it is acknowledged and ended.
func (c *Call) giveUp(req *msg.Request, tx *msg.ClientTx, provisional bool) {
	limit := time.NewTimer(64 * t1)
	defer limit.Stop()
	sent := false
	for {
		if provisional && !sent {
			sent = true
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, _ = c.ep.transact(ctx, cancelOf(req)) // its answer says nothing that the INVITE's final response does not
			cancel()
		}
		select {
		case res := <-tx.Responses():
			switch {
			case res.StatusCode < 200:
				provisional = true
			case res.StatusCode < 300:
				c.ep.onStray(res)
				return
			default:
				return
			}
		case <-tx.Done():
			return
		case <-limit.C:
			tx.Terminate()
			return
		case <-c.ep.done:
			tx.Terminate()
			return
		}
	}
}

// cancelOf builds the CANCEL of an INVITE: same Via, same CSeq number (RFC 3261 section 9.1).
func cancelOf(invite *msg.Request) *msg.Request {
	req := msg.NewRequest(msg.CANCEL, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	msg.CopyHeaders("Route", invite, req)
	msg.CopyHeaders("From", invite, req)
	msg.CopyHeaders("To", invite, req)
	msg.CopyHeaders("Call-ID", invite, req)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: msg.CANCEL})
	mf := msg.MaxForwardsHeader(70)
	req.AppendHeader(&mf)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.Laddr = invite.Laddr
	req.SetBody(nil)
	return req
}

// establish makes the dialog of a 2xx (RFC 3261 section 12.1.2) and acknowledges it.
func (c *Call) establish(req *msg.Request, res *msg.Response) error {
	tag, _ := param(res.To().Params, "tag")
	target, ok := contactOf(res)
	if !ok {
		target = c.d.target
	}
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	if e := c.early[tag]; e != nil { // its PRACKs have used numbers
		c.d.localSeq = max(c.d.localSeq, e.d.localSeq)
	}
	c.d.id.remote, c.d.target, c.d.routes = tag, target, recordRoutes(res, true)
	c.state, c.first, c.peer = stateUp, res, abilitiesOf(res)
	ack := c.d.request(msg.ACK, req.CSeq().SeqNo)
	c.mu.Unlock()
	c.gotSession(res)
	c.ep.promote(c)
	if err := c.ep.write(ack); err != nil {
		c.end(ErrFlowGone, false)
		return fmt.Errorf("sip: ACK: %w", err)
	}
	return nil
}

// onSecond2xx acknowledges a 2xx that is none of the transaction; that of a fork which is not our call is ended.
func (ep *Endpoint) onSecond2xx(p *placed, seq uint32, res *msg.Response) {
	if res.To() == nil || res.StatusCode >= 300 {
		return
	}
	tag, _ := param(res.To().Params, "tag")
	ep.mu.Lock()
	c, fork := p.call, p.d
	ep.mu.Unlock()
	ours := false
	if c != nil {
		c.mu.Lock()
		ours, fork = c.state == stateUp && c.d.id.remote == tag, c.d
		c.mu.Unlock()
	}
	fork.id.remote, fork.routes = tag, recordRoutes(res, true)
	if target, ok := contactOf(res); ok {
		fork.target = target
	}
	_ = ep.write(fork.request(msg.ACK, seq)) // the peer repeats its 2xx if this is lost
	if ours {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = ep.transact(ctx, fork.request(msg.BYE, 0)) // a fork nobody wants; it times out by itself if the BYE is lost
}
