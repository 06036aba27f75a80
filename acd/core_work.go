package acd

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// start closes what the last process left open, at the last moment it was known to live, and begins anew with everyone logged out.
// What the log taught about handling times and answered works is kept for queues and agents that still exist.
func (c *Core) start(ev *Event) {
	open := slices.SortedFunc(maps.Values(c.works), func(a, b *work) int { return strings.Compare(a.rec.Work, b.rec.Work) })
	for _, w := range open {
		outcome := Abandoned
		if w.state == talking {
			outcome = Answered
		}
		c.finishOffer(w, OfferWithdrawn, CauseNodeDied)
		c.close(w, outcome, CauseNodeDied)
	}
	oldAgents, oldQueues := c.agents, c.queues
	c.timers = heap[*timer]{}
	c.seq = ev.Seq
	c.setClock(ev.At.UnixNano())
	rules := ev.Rules.WithDefaults()
	c.agents, c.roster = map[string]*agent{}, nil
	for _, ra := range rules.Agents {
		a := &agent{id: ra.ID, state: LoggedOut, since: c.now}
		a.timer = timer{index: -1, a: a}
		if old := oldAgents[ra.ID]; old != nil {
			a.answered = old.answered
		}
		c.agents[a.id] = a
		c.roster = append(c.roster, a)
		c.decide(Decision{Kind: DecideState, Agent: a.id, State: LoggedOut, Reason: string(KindStarted)})
	}
	c.queues, c.order = map[string]*queue{}, nil
	for _, rq := range rules.Queues {
		q := &queue{Queue: rq, size: len(rq.Members), handle: int64(priorHandle)}
		if old := oldQueues[rq.Name]; old != nil {
			q.handle = old.handle
		}
		for i, id := range rq.Members {
			a := c.agents[id]
			a.members = append(a.members, &member{a: a, q: q, place: int64(i), index: -1})
			q.states[a.state]++
		}
		c.queues[q.Name] = q
		c.order = append(c.order, q)
	}
}

func (c *Core) apply(ev *Event) {
	switch ev.Kind {
	case KindArrived:
		w := &work{state: selfService, index: -1, rec: Record{Work: ev.Work, ArrivedAt: c.clock, Attributes: maps.Clone(ev.Attributes)}}
		w.timer = timer{index: -1, w: w}
		c.works[ev.Work] = w
	case KindEnqueued:
		c.enqueue(c.works[ev.Work], c.queues[ev.Queue], ev.Priority)
	case KindAbandoned:
		c.end(c.works[ev.Work], CauseAbandoned)
	case KindEnded:
		c.end(c.works[ev.Work], ev.Reason)
	case KindRinging:
		c.setAgent(c.agents[ev.Agent], Ringing, "")
	case KindAccepted:
		c.accept(c.agents[ev.Agent])
	case KindRejected:
		c.unanswered(c.agents[ev.Agent], OfferRejected, ev.Reason)
	case KindLogin, KindLogout, KindReady, KindNotReady:
		c.agentSays(c.agents[ev.Agent], ev)
	}
}

func (c *Core) enqueue(w *work, q *queue, priority int) {
	w.rec.Queue, w.rec.Priority, w.rec.EnqueuedAt = q.Name, priority, c.clock
	w.rec.Overflow = ""
	w.queue, w.enqueued, w.expired = q, c.now, false
	w.key1, w.key2 = -int64(priority), int64(c.seq)
	switch {
	case q.states[LoggedOut] == q.size && q.NoAgents == NoAgentsOverflow:
		c.overflow(w, ResultNoAgents)
		return
	case q.ready.len() == 0 && q.waiting.len()+q.offered >= q.MaxWaiting: // nobody is turned away while an agent is free
		c.overflow(w, ResultFull)
		return
	}
	w.state = waiting
	q.waiting.push(w.key1, w.key2, w)
	c.setTimer(&w.timer, c.now+int64(q.MaxWait))
	c.matchWork(w)
}

// overflow gives a work that is not in a heap back to self-service.
func (c *Core) overflow(w *work, reason string) {
	c.stopTimer(&w.timer)
	w.state, w.rec.Overflow = selfService, reason
	c.decide(Decision{Kind: DecideOverflow, Work: w.rec.Work, Queue: w.queue.Name, Reason: reason})
	w.queue = nil
}

// matchWork offers a waiting work to the first ready member of its queue, if there is one.
func (c *Core) matchWork(w *work) {
	if q := w.queue; q.ready.len() > 0 {
		c.offer(q.ready.e[0].v, q.ready.e[0].k1, w, q.Strategy)
	}
}

// matchAgent offers the most urgent work of all its queues to an agent who has just become ready.
func (c *Core) matchAgent(a *agent) {
	var best *work
	var by *member
	for _, m := range a.members {
		if m.q.waiting.len() == 0 {
			continue
		}
		if w := m.q.waiting.e[0].v; best == nil || w.key1 < best.key1 || w.key1 == best.key1 && w.key2 < best.key2 {
			best, by = w, m
		}
	}
	if best != nil {
		c.offer(by, by.q.ready.e[by.index].k1, best, "")
	}
}

func (c *Core) offer(m *member, score int64, w *work, by Strategy) {
	a, q := m.a, m.q
	why := Why{Strategy: by, Score: score, Idle: time.Duration(c.now - a.idle), Waited: time.Duration(c.now - w.enqueued), Waiting: q.waiting.len(), Members: q.states}
	q.waiting.remove(w.index)
	q.offered++
	w.state, w.agent = offered, a
	w.rec.Offers = append(w.rec.Offers, Offer{Agent: a.id, At: c.clock})
	c.offers++
	a.work, a.offer = w, c.offers
	c.setAgent(a, Reserved, "")
	c.setTimer(&a.timer, c.now+int64(q.RingTimeout))
	c.decide(Decision{Kind: DecideOffer, Agent: a.id, Work: w.rec.Work, Queue: q.Name, Offer: a.offer, Why: why})
}

func (c *Core) accept(a *agent) {
	w := a.work
	q := w.queue
	c.stopTimer(&w.timer)
	c.stopTimer(&a.timer)
	q.offered--
	q.talking++
	w.state, w.answered = talking, c.now
	w.rec.Agent, w.rec.AnsweredAt = a.id, c.clock
	w.rec.Offers[len(w.rec.Offers)-1].Result = OfferAccepted
	a.answered++
	a.next, a.nextWhy = Ready, ""
	c.setAgent(a, Talking, "")
	c.decide(Decision{Kind: DecideAnswered, Agent: a.id, Work: w.rec.Work, Queue: q.Name, Offer: a.offer})
}

// unanswered takes an offer back from an agent who did not take it. The agent changes state first, so that the work does not come
// back to the same agent at once.
func (c *Core) unanswered(a *agent, result, reason string) {
	w := a.work
	c.takeBack(a, result, reason)
	switch result {
	case OfferTimedOut:
		c.setAgent(a, NotReady, ReasonRONA)
	case OfferRejected:
		c.setAgent(a, NotReady, ReasonRejected)
		c.setTimer(&a.timer, c.now+int64(w.queue.RejectPause))
	}
	c.requeue(w)
}

// takeBack ends an offer without deciding what follows for the agent or the work.
func (c *Core) takeBack(a *agent, result, reason string) {
	w := a.work
	c.stopTimer(&a.timer)
	c.finishOffer(w, result, reason)
	w.queue.offered--
	w.agent, a.work = nil, nil
	c.decide(Decision{Kind: DecideRevoke, Agent: a.id, Work: w.rec.Work, Queue: w.queue.Name, Offer: a.offer, Reason: result})
}

func (c *Core) finishOffer(w *work, result, reason string) {
	if w.state == offered {
		o := &w.rec.Offers[len(w.rec.Offers)-1]
		o.Result, o.Reason = result, reason
	}
}

// requeue puts a work back in its old place.
func (c *Core) requeue(w *work) {
	q := w.queue
	switch {
	case w.expired:
		c.overflow(w, ResultTimeout)
	case q.states[LoggedOut] == q.size && q.NoAgents == NoAgentsOverflow:
		c.overflow(w, ResultNoAgents)
	default:
		w.state = waiting
		q.waiting.push(w.key1, w.key2, w)
		c.matchWork(w)
	}
}

func (c *Core) end(w *work, cause string) {
	if cause == "" {
		cause = string(KindEnded)
	}
	switch w.state {
	case selfService:
		outcome := IVREnded
		if w.rec.Overflow != "" {
			outcome = Overflowed
		}
		c.close(w, outcome, cause)
	case waiting:
		w.queue.waiting.remove(w.index)
		c.close(w, Abandoned, cause)
	case offered:
		a := w.agent
		c.takeBack(a, OfferWithdrawn, cause)
		c.close(w, Abandoned, cause)
		c.becomeReady(a, true) // the agent did nothing wrong and keeps its turn
	case talking:
		a, q := w.agent, w.queue
		q.talking--
		c.close(w, Answered, cause)
		a.work = nil
		c.afterTalk(a, q)
		spent := c.now - w.answered
		if q.WrapUp > 0 {
			spent += int64(q.WrapUp)
		}
		q.handle += (spent - q.handle) / 8
	}
}

// close ends a work that is in no heap and with no agent, and hands out its record.
func (c *Core) close(w *work, outcome Outcome, cause string) {
	c.stopTimer(&w.timer)
	delete(c.works, w.rec.Work)
	w.rec.EndedAt, w.rec.Outcome, w.rec.Cause = c.clock, outcome, cause
	c.decide(Decision{Kind: DecideEnded, Work: w.rec.Work, Queue: w.rec.Queue, Agent: w.rec.Agent, Reason: cause, Record: &w.rec})
}
