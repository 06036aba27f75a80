package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/sip"
	"github.com/ringfence/ringfence/srtp/media"
)

// Where media and recordings meet: one side of a recording is a tap of a leg.
var _ media.Tap = (*recording.Party)(nil)

// converse joins caller and agent, records them, and returns who ended it: "caller" or "agent", or "transferred" if the agent sent the caller on.
func (p *phone) converse(ctx context.Context, s *session, queue string) string {
	p.joins("agent", s.call, s.leg)
	track := p.record(ctx, s, queue)
	if track != nil {
		p.leg.SetTap(track.Party(0))
	}
	p.leg.FlushDigits() // keys pressed while waiting are not for the agent
	requests, over := make(chan request), make(chan struct{})
	defer close(over)
	by, other := "", s
	for by == "" {
		other.requests(requests, over)
		if track != nil {
			other.leg.SetTap(track.Party(1))
		}
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
			p.site.log.Info("transfer refused", "call", p.call.ID(), "agent", other.agent, "err", err)
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
			p.closeTrack(track)
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
		p.closeTrack(track)
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
		p.site.log.Error("legs not joined", "call", p.call.ID(), "err", err)
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

// record starts the recording of a conversation. Without one the conversation goes on: a full disk must not cut callers off, but it is an error in
// the log and an event.
func (p *phone) record(ctx context.Context, s *session, queue string) *recording.Track {
	track, err := p.site.vault.Create(context.WithoutCancel(ctx), recording.Meta{
		Call: p.call.ID(), Parties: []string{"caller", "agent"},
		Attributes: map[string]string{"queue": queue, "agent": s.agent, "caller": p.caller, "dialed": p.call.To(), "secure": strconv.FormatBool(p.call.Secure()),
			"suite": p.leg.Security().Suite},
	})
	if err != nil {
		p.site.log.Error("not recorded", "call", p.call.ID(), "err", err)
		p.site.emit(event{Event: "recording", Call: p.call.ID(), Queue: queue, Agent: s.agent, Cause: "failed"})
		return nil
	}
	return track
}

func (p *phone) closeTrack(track *recording.Track) {
	if track == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cause := "complete"
	if err := track.Close(ctx); err != nil {
		if cause = "incomplete"; !errors.Is(err, recording.ErrClosed) {
			p.site.log.Error("recording not complete", "call", p.call.ID(), "recording", track.ID(), "err", err)
		}
	}
	if st := track.Stats(); st.Lost > 0 {
		p.site.log.Warn("frames not recorded", "call", p.call.ID(), "recording", track.ID(), "lost", st.Lost)
	}
	p.site.emit(event{Event: "recording", Call: p.call.ID(), Recording: track.ID(), Cause: cause})
}
