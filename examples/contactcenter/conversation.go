package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/srtp/media"
)

// Where media and recordings meet: one side of a recording is a tap of a leg.
var _ media.Tap = (*recording.Party)(nil)

// converse joins caller and agent, records them, and returns who ended it: "caller" or "agent".
func (p *phone) converse(ctx context.Context, s *session, queue string) string {
	track := p.record(ctx, s, queue)
	if track != nil {
		p.leg.SetTap(track.Party(0))
		s.leg.SetTap(track.Party(1))
	}
	p.leg.FlushDigits() // keys pressed while waiting are not for the agent
	bridge, err := media.NewBridge(p.leg, s.leg)
	by := "caller"
	switch {
	case errors.Is(err, media.ErrClosed): // the caller hung up as the agent answered
	case err != nil:
		p.site.log.Error("legs not joined", "call", p.call.ID(), "err", err)
	default:
		select {
		case <-p.call.Done():
		case <-s.call.Done():
			by = "agent"
		case <-p.leg.TimedOut():
			by = "caller-silent"
		case <-s.leg.TimedOut():
			by = "agent-silent"
		}
		bridge.Close()
	}
	p.leg.SetTap(nil)
	s.leg.SetTap(nil)
	// The agent is free once their phone is: the next caller must not wait for this one's phone to confirm its BYE, nor for the disk.
	p.site.wg.Add(1)
	go func() { // ends with the BYE and the recording's last write, both bounded; waited for by close
		defer p.site.wg.Done()
		_ = p.Hangup(ctx, "")
		p.closeTrack(track)
	}()
	s.end()
	return by
}

// record starts the recording of a conversation. Without one the conversation goes on: a full disk must not cut callers off, but it is an error in
// the log and an event.
func (p *phone) record(ctx context.Context, s *session, queue string) *recording.Track {
	track, err := p.site.vault.Create(context.WithoutCancel(ctx), recording.Meta{
		Call: p.call.ID(), Parties: []string{"caller", "agent"},
		Attributes: map[string]string{"queue": queue, "agent": s.agent, "caller": p.call.User(), "dialed": p.call.To(), "secure": strconv.FormatBool(p.call.Secure()),
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
