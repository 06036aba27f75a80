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
	wishes := p.wishes(queue)
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
	switch r := p.wait(ctx, ticket, queue, lang, wishes); r {
	case acd.ResultAnswered:
	case acd.ResultCallback:
		stop()
		p.promised(ctx, lang)
		return ivr.QueueAbandoned, ivr.ErrHangup
	default:
		return r, ctx.Err()
	}
	s := p.site.takeSession(p.work, ticket.Result().Agent)
	if s == nil { // the caller's end and the agent's answer crossed, and the agent's side is released already
		return ivr.QueueAbandoned, ivr.ErrHangup
	}
	stop()
	p.endedBy = p.converse(ctx, s, queue)
	return ivr.QueueAnswered, nil
}

// wait announces the caller's place until the wait is over and returns its result.
func (p *phone) wait(ctx context.Context, ticket *acd.Ticket, queue, lang string, w *wish) string {
	every := defaultAnnounce
	for _, q := range p.site.cfg.Queues {
		if q.Name == queue {
			every, _ = duration(q.Announce, defaultAnnounce)
		}
	}
	p.announce(ctx, ticket, lang, "please-hold", w)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for said := false; ; {
		if pos, err := p.site.center.Position(p.work); err == nil && !said && !w.pressed {
			p.say(ctx, ticket, w, func(ctx context.Context) error { return p.leg.Play(ctx, p.site.prompts.position(lang, pos.Place)) })
			p.offerCallback(ctx, ticket, lang, w)
		}
		said = true
		if w.pressed && w.again == nil {
			if p.wished(ctx, ticket, lang, w) {
				return acd.ResultCallback
			}
		}
		select {
		case <-ticket.Done():
			return ticket.Result().Outcome
		case <-ctx.Done():
			return ivr.QueueAbandoned
		case <-tick.C:
			said = false
		case d := <-w.keys:
			w.pressed = w.pressed || d == w.key
		case <-w.again:
			w.again = nil
		}
	}
}

func (p *phone) announce(ctx context.Context, ticket *acd.Ticket, lang, prompt string, w *wish) {
	if x := p.site.prompts.find(lang, prompt); x != nil && !w.pressed {
		p.say(ctx, ticket, w, func(ctx context.Context) error { return p.leg.Play(ctx, x) })
	}
}

// say plays until the prompt, the wait or the call is over, or the caller has said what they wish. An agent who answers must not wait for an announcement.
func (p *phone) say(ctx context.Context, ticket *acd.Ticket, w *wish, play func(context.Context) error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { // ends with the announcement, waited for below
		defer close(done)
		defer cancel()
		for !w.pressed {
			select {
			case <-ticket.Done():
				return
			case <-ctx.Done():
				return
			case d := <-w.keys:
				w.pressed = d == w.key
			}
		}
	}()
	if err := play(ctx); err != nil && ctx.Err() == nil {
		p.site.log.Info("announcement not played", "call", p.id, "err", err)
	}
	cancel()
	<-done
}
