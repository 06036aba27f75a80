package main

import (
	"context"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/ivr"
)

// defaultAnnounce is how often a waiting caller hears their place.
const defaultAnnounce = 30 * time.Second

// Enqueue waits for an agent with music and announcements, and holds the conversation. It returns when the flow may go on.
func (p *phone) Enqueue(ctx context.Context, queue string, priority int) (string, error) {
	ticket, err := p.site.center.Enqueue(ctx, p.work, queue, priority)
	if err != nil {
		return "", err
	}
	lang := p.lang
	if lang == "" {
		lang = "en"
	}
	stop := p.leg.Loop(p.site.prompts.find(lang, holdMusic))
	defer stop()
	if r := p.wait(ctx, ticket, queue, lang); r != acd.ResultAnswered {
		return r, ctx.Err()
	}
	s := p.site.takeSession(p.work)
	if s == nil { // the caller's end and the agent's answer crossed, and the agent's side is released already
		return ivr.QueueAbandoned, ivr.ErrHangup
	}
	stop()
	p.endedBy = p.converse(ctx, s, queue)
	return ivr.QueueAnswered, nil
}

// wait announces the caller's place until the wait is over and returns its result.
func (p *phone) wait(ctx context.Context, ticket *acd.Ticket, queue, lang string) string {
	every := defaultAnnounce
	for _, q := range p.site.cfg.Queues {
		if q.Name == queue {
			every, _ = duration(q.Announce, defaultAnnounce)
		}
	}
	p.announce(ctx, ticket, lang, "please-hold")
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if pos, err := p.site.center.Position(p.work); err == nil {
			p.say(ctx, ticket, func(ctx context.Context) error { return p.leg.Play(ctx, p.site.prompts.position(lang, pos.Place)) })
		}
		select {
		case <-ticket.Done():
			return ticket.Result().Outcome
		case <-ctx.Done():
			return ivr.QueueAbandoned
		case <-tick.C:
		}
	}
}

func (p *phone) announce(ctx context.Context, ticket *acd.Ticket, lang, prompt string) {
	if x := p.site.prompts.find(lang, prompt); x != nil {
		p.say(ctx, ticket, func(ctx context.Context) error { return p.leg.Play(ctx, x) })
	}
}

// say plays until the prompt, the wait or the call is over. An agent who answers must not wait for an announcement.
func (p *phone) say(ctx context.Context, ticket *acd.Ticket, play func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // ends with the announcement, waited for below
		defer close(done)
		select {
		case <-ticket.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := play(ctx); err != nil && ctx.Err() == nil {
		p.site.log.Info("announcement not played", "call", p.call.ID(), "err", err)
	}
	cancel()
	<-done
}
