package main

import (
	"context"
	"errors"
	"time"

	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// converse joins caller and agent, records them, and returns who ended it: "caller" or "agent", or "transferred" if the agent sent the caller on.
func (p *phone) converse(ctx context.Context, s *session, queue string) string {
	p.joins("agent", s.call, s.leg)
	p.leg.FlushDigits() // keys pressed while waiting are not for the agent
	kept := p.keep(ctx, s, queue)
	requests, over := make(chan request), make(chan struct{})
	defer close(over)
	by, other := "", s
	for by == "" {
		other.requests(requests, over)
		kept.hear(other.leg)
		var asked request
		if by, asked = p.join(other, requests); by != "" {
			break
		}
		to, err := p.transfer(ctx, other, asked.transfer)
		if err == nil {
			p.handedOver(ctx, other, asked.transfer.To)
		}
		asked.result <- err
		if err != nil {
			p.site.log.Info("transfer refused", "call", p.id, "agent", other.agent, "err", err)
			continue // the agent has the caller back
		}
		other.leg.SetTap(nil)
		gone := other
		p.site.wg.Add(1)
		go func() { // ends within seconds; waited for by close
			defer p.site.wg.Done()
			gone.leave()
		}()
		if to.flow != nil {
			p.leg.SetTap(nil)
			kept.close()
			p.next = to.flow
			return "transferred"
		}
		defer to.release()
		other = to.session
		p.joins("transfer", other.call, other.leg)
	}
	p.leg.SetTap(nil)
	other.leg.SetTap(nil)
	// The agent is free once their phone is: the next caller must not wait for this one's phone to confirm its BYE, nor for the disk.
	p.site.wg.Add(1)
	go func() { // ends with the BYE and the recording's last write, both bounded; waited for by close
		defer p.site.wg.Done()
		_ = p.Hangup(ctx, "")
		kept.close()
	}()
	other.end()
	return by
}

// join bridges caller and agent until one of them ends it, who is named then, or until the agent asks for a transfer.
func (p *phone) join(s *session, requests <-chan request) (by string, asked request) {
	bridge, err := media.NewBridge(p.leg, s.leg)
	if errors.Is(err, media.ErrClosed) { // one of them hung up in this moment
		select {
		case <-s.call.Done():
			return "agent", asked
		default:
			return "caller", asked
		}
	}
	if err != nil {
		p.site.log.Error("legs not joined", "call", p.id, "err", err)
		return "error", asked
	}
	defer bridge.Close()
	select {
	case <-p.call.Done():
		by = "caller"
	case <-s.call.Done():
		by = "agent"
	case <-p.leg.TimedOut():
		by = silentOr(p.call, "caller")
	case <-s.leg.TimedOut():
		by = silentOr(s.call, "agent")
	case asked = <-requests:
	}
	return by, asked
}

// silentOr says who ended a conversation whose media stopped. A browser that hangs up closes its media first, and its BYE comes a moment later.
func silentOr(c *sip.Call, who string) string {
	select {
	case <-c.Done():
		return who
	case <-time.After(time.Second):
		return who + "-silent"
	}
}

// handedOver ends the work for the distributor: the agent is free for the next one, though the call goes on.
func (p *phone) handedOver(ctx context.Context, from *session, to string) {
	if p.work == "" { // handed on by somebody who is on no queue call
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	p.site.emit(event{Event: "transferred", Call: p.work, Agent: from.agent, To: to})
	if err := p.site.center.End(ctx, p.work, "transferred"); err != nil {
		p.site.log.Error("transfer not accounted for", "call", p.work, "err", err)
	}
	p.work = ""
}
