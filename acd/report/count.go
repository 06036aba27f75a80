package report

import (
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// entered counts a work that enters a queue.
func (t *Tally) entered(ev *acd.Event, at int64) {
	w := t.work(ev.Work)
	if w == nil {
		return
	}
	r := t.row(ev.Queue)
	w.row, w.since, w.state, w.callback, w.promised = r, at, inQueue, false, r.promises
	r.waiting++
	r.cur.Entered++
	switch {
	case len(w.been) > 0:
		r.cur.Requeued++
	case w.transfer:
		r.cur.Transfers++
	}
	if !slices.Contains(w.been, r) {
		w.been = append(w.been, r)
		r.cur.Contacts++
	}
	if ev.Terms != nil && ev.Terms.Human {
		r.cur.HumanOnly++
	}
}

func (t *Tally) decision(d *acd.Decision) {
	at := d.At.UnixNano()
	t.advance(at)
	switch d.Kind {
	case acd.DecideState:
		t.enter(t.agent(d.Agent), d.State, at)
	case acd.DecideOffer:
		r := t.row(d.Queue)
		r.cur.Offers++
		if t.bots && t.agent(d.Agent).bot {
			r.cur.BotOffers++
		}
	case acd.DecideRevoke:
		t.revoked(d)
	case acd.DecideCallback:
		if w := t.work(d.Work); w != nil && w.state == inQueue {
			w.callback = true
			w.row.cur.CallbacksRequested++
		}
	case acd.DecideDial:
		t.row(d.Queue).cur.CallbackAttempts++
	case acd.DecideAnswered:
		t.answered(d, at)
	case acd.DecideOverflow:
		if w := t.work(d.Work); w != nil && w.state == inQueue {
			t.overflowed(w, at)
		}
	case acd.DecideEnded:
		t.ended(d, at)
	}
}

// enter counts an agent in another state.
func (t *Tally) enter(a *agent, to acd.AgentState, at int64) {
	if to > acd.WrapUp {
		return
	}
	if a.own != nil {
		t.settle(a, at)
	}
	if a.state == acd.WrapUp && a.last != nil {
		spent := time.Duration(at - a.wrap)
		a.last.cur.WrapUpTime += spent
		if t.persons {
			a.own.figures.wrapUp += spent
		}
	}
	t.inState[a.state]--
	t.inState[to]++
	a.state, a.wrap = to, at
}

func (t *Tally) revoked(d *acd.Decision) {
	r := t.row(d.Queue)
	switch d.Reason {
	case acd.OfferTimedOut:
		r.cur.NoAnswer++
		if t.persons {
			t.agent(d.Agent).own.figures.noAnswer++
		}
	case acd.OfferRejected:
		r.cur.Rejected++
		if t.persons {
			t.agent(d.Agent).own.figures.rejected++
		}
	case acd.OfferUnreached:
		r.cur.CallbacksUnreached++
	}
}

// leaves ends the wait of a work.
func (w *work) leaves(at int64) (r *row, waited time.Duration) {
	w.row.waiting--
	return w.row, time.Duration(at - w.since)
}

func (t *Tally) answered(d *acd.Decision, at int64) {
	w := t.work(d.Work)
	if w == nil || w.state != inQueue {
		return
	}
	t.cur.totals.Answered++
	t.opened--
	t.talking++
	r, waited := w.leaves(at)
	c := &r.cur
	c.Answered++
	if w.callback {
		c.CallbacksKept++
	} else {
		c.TotalAnswer += waited
		c.LongestWait = max(c.LongestWait, waited)
		c.AnsweredWithin.count(waited)
		if waited <= r.target {
			c.InTarget++
		}
	}
	a := t.agent(d.Agent)
	if a.bot {
		c.BotAnswers++
	}
	c.Agents += a.firstIn(r)
	if t.persons {
		a.own.figures.answered++
	}
	w.agent, w.since, w.state = a, at, withAgent
}

// firstIn returns 1 if the agent has not answered in the queue in this interval, and notes that it has.
func (a *agent) firstIn(r *row) int {
	for i := range a.answers {
		if x := &a.answers[i]; x.row == r {
			if x.interval == r.interval {
				return 0
			}
			x.interval = r.interval
			return 1
		}
	}
	a.answers = append(a.answers, answer{r, r.interval})
	return 1
}

func (t *Tally) overflowed(w *work, at int64) {
	r, waited := w.leaves(at)
	r.cur.Overflowed++
	if w.callback {
		r.cur.CallbacksRemoved++
	} else {
		r.cur.TotalOverflow += waited
		r.cur.LongestWait = max(r.cur.LongestWait, waited)
	}
	w.state, w.callback = outside, false
}

func (t *Tally) abandoned(w *work, at int64) {
	r, waited := w.leaves(at)
	c := &r.cur
	c.Abandoned++
	if w.callback {
		c.CallbacksLost++
		return
	}
	c.TotalAbandon += waited
	c.LongestWait = max(c.LongestWait, waited)
	c.AbandonedWithin.count(waited)
	if waited < r.short {
		c.ShortAbandoned++
	}
	if waited <= r.target {
		c.AbandonedInTarget++
	}
}

func (t *Tally) ended(d *acd.Decision, at int64) {
	w := t.work(d.Work)
	if w == nil || d.Record == nil {
		return
	}
	delete(t.works, d.Work)
	t.lastWork = nil
	t.free = append(t.free, w)
	switch w.state {
	case inQueue:
		t.abandoned(w, at)
	case withAgent:
		t.handled(w, d.Record, at)
		return // counted when it was answered
	}
	switch d.Record.Outcome {
	case acd.Abandoned:
		t.cur.totals.Abandoned++
	case acd.Overflowed:
		t.cur.totals.Overflowed++
	case acd.IVREnded:
		t.cur.totals.IVREnded++
	}
	t.opened--
}

// handled counts a conversation that is over.
func (t *Tally) handled(w *work, rec *acd.Record, at int64) {
	t.talking--
	c, talk := &w.row.cur, time.Duration(at-w.since)
	c.Handled++
	c.TalkTime += talk
	w.agent.last, t.lastAgent = w.row, w.agent
	if t.persons {
		w.agent.own.figures.handled++
		w.agent.own.figures.talk += talk
	}
	if !w.promised || w.callback {
		return
	}
	excess := rec.EWT - rec.AnsweredAt.Sub(rec.EnqueuedAt)
	off := max(excess, -excess)
	c.Promises++
	c.PromiseExcess += excess
	c.PromiseError += off
	if off <= t.cfg.Tolerance {
		c.PromisesKept++
	}
}
