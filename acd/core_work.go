package acd

import (
	"maps"
	"slices"
	"time"
)

func (c *Core) apply(ev *Event) {
	switch ev.Kind {
	case KindArrived:
		w := &work{state: selfService, index: -1, rec: Record{Work: ev.Work, ArrivedAt: c.clock, Attributes: maps.Clone(ev.Attributes)}}
		w.timer = timer{index: -1, w: w}
		c.works[ev.Work] = w
	case KindEnqueued:
		c.enqueue(c.at.w, c.at.q, ev.Priority, ev.Terms)
	case KindAbandoned:
		c.end(c.at.w, CauseAbandoned)
	case KindEnded:
		c.end(c.at.w, ev.Reason)
	case KindRinging:
		c.setAgent(c.at.a, Ringing, "")
	case KindAccepted:
		c.accept(c.at.a.pending)
	case KindRejected:
		c.unanswered(c.at.a.pending, OfferRejected, ev.Reason)
	case KindLogin, KindLogout, KindReady, KindNotReady:
		c.agentSays(c.at.a, ev)
	case KindExit:
		c.exit(c.at.w)
	case KindPicked:
		m := c.at.a.memberOf(c.at.w.queue)
		c.offer(m, c.at.w, Manual)
	case KindSkills:
		c.setSkills(c.at.a, ev.Skills)
	case KindExtended:
		c.extend(c.at.a, int64(ev.For))
	case KindCallback:
		c.callBack(c.at.w)
	case KindReached:
		c.reached(c.at.a.dials(ev.Offer, ev.Work))
	case KindUnreached:
		c.unreached(c.at.a.dials(ev.Offer, ev.Work), ev.Reason)
	}
}

func (c *Core) enqueue(w *work, q *queue, priority int, t *Terms) {
	w.rec.Queue, w.rec.Priority, w.rec.EnqueuedAt = q.Name, priority, c.clock
	w.rec.Overflow, w.rec.EWT = "", 0
	if t == nil {
		t = &Terms{}
	}
	if w.first == 0 || !t.KeepClock {
		w.first = c.now
	}
	w.rec.CarriedWait = time.Duration(c.now - w.first)
	w.queue, w.enqueued, w.expired, w.human = q, c.now, false, t.Human
	w.virtual = w.first - int64(t.HeadStart)
	w.key3 = int64(c.seq)
	w.keys()
	w.ring = -1
	for i := range q.Rings {
		if q.Rings[i].After <= 0 {
			w.ring = int8(i)
		}
	}
	w.setClass(q.classOf(t.Needs, int(w.ring), w.human))
	w.pointer, w.announced, w.announceAt, w.overflowAt = -1, 0, 0, 0
	c.preferences(w, t)
	switch {
	case q.deserted():
		c.overflow(w, ResultNoAgents, "")
		return
	case q.waiting+q.offered >= q.MaxWaiting && (q.Strategy == Manual || c.choose(w) == nil): // nobody is turned away while an agent is free
		c.overflow(w, ResultFull, "")
		return
	}
	if o := c.overflows(w); o != nil {
		c.overflow(w, ResultOverflow, o.To)
		return
	}
	if q.KeepEstimate {
		w.rec.EWT = q.estimate(c.ahead(w) + 1)
	}
	c.place(w)
	w.deadline = c.now + int64(q.MaxWait)
	if q.Announce.Every > 0 {
		w.announceAt = c.now + int64(q.Announce.First)
	}
	w.overflowAt = w.nextOverflow(c.now)
	c.arm(w)
	c.matchWork(w)
	if w.preferEnd == 0 && w.choice != nil {
		w.choice.members = nil // asked once; from here on it is for everybody
	}
}

// preferences resolves whom a work is for first.
func (c *Core) preferences(w *work, t *Terms) {
	w.choice, w.preferEnd = nil, 0
	if len(t.Prefer) == 0 && t.Customer == "" {
		return
	}
	w.choice = &firstChoice{customer: t.Customer}
	wait := int64(t.PreferWait)
	if t.Customer != "" {
		if a := c.agents[c.last.of[t.Customer]]; a != nil {
			w.prefers(a)
			wait = max(wait, int64(w.queue.LastAgentWait))
		}
	}
	for _, id := range t.Prefer {
		if a := c.agents[id]; a != nil {
			w.prefers(a)
		}
	}
	if len(w.choice.members) > 0 && wait > 0 && w.queue.Strategy != Manual {
		w.preferEnd = c.now + wait
	}
}

// prefers adds an agent who is there and may have the work.
func (w *work) prefers(a *agent) {
	if m := a.memberOf(w.queue); m != nil && a.state != LoggedOut && !(w.human && a.bot) && !slices.Contains(w.choice.members, m) {
		w.choice.members = append(w.choice.members, m)
	}
}

func (w *work) setClass(cl *class) {
	if w.class != nil {
		w.class.refs--
	}
	if w.class = cl; cl != nil {
		cl.refs++
	}
}

// place puts a work in line. What cannot be offered now stands aside and keeps its key.
func (c *Core) place(w *work) {
	q := w.queue
	w.state = waiting
	q.waiting++
	switch {
	case w.parked > 0:
	case w.callback && q.Callback.MaxActive > 0 && q.calling >= q.Callback.MaxActive:
		w.held = true
		q.held.push(w.key1, w.key2, w.key3, w)
	case w.preferEnd > 0:
		for _, m := range w.preferred() {
			m.a.wanted = append(m.a.wanted, w)
		}
	default:
		w.class.waiting.push(w.key1, w.key2, w.key3, w)
	}
}

func (c *Core) unplace(w *work) {
	q := w.queue
	q.waiting--
	switch {
	case w.held:
		w.held = false
		q.held.remove(w.index)
	case w.index >= 0:
		w.class.waiting.remove(w.index)
	case w.preferEnd > 0:
		for _, m := range w.preferred() {
			m.a.wanted = slices.DeleteFunc(m.a.wanted, func(x *work) bool { return x == w })
		}
	}
}

// overflow gives a work that is not in line back to self-service.
func (c *Core) overflow(w *work, reason, to string) {
	c.stopTimer(&w.timer)
	w.state, w.rec.Overflow = selfService, reason
	c.decide(Decision{Kind: DecideOverflow, Work: w.rec.Work, Queue: w.queue.Name, Reason: reason, To: to})
	w.queue = nil
	w.setClass(nil)
}

// exit lets a caller leave the queue.
func (c *Core) exit(w *work) {
	seats := slices.Clone(w.seats)
	if w.state == waiting {
		c.unplace(w)
	}
	agents := make([]*agent, 0, len(seats))
	for _, s := range seats {
		agents = append(agents, s.a)
		c.takeBack(s, OfferWithdrawn, ResultExit)
	}
	c.overflow(w, ResultExit, "")
	for _, a := range agents {
		c.settle(a, true)
	}
}

func (c *Core) accept(s *seat) {
	a, w, q := s.a, s.w, s.q
	c.stopTimer(&w.timer)
	c.stopTimer(&s.timer)
	a.pending = nil
	a.next, a.nextWhy = Ready, ""
	if q.Strategy == RingAll { // before the others are free again
		q.ringing = slices.DeleteFunc(q.ringing, func(x *work) bool { return x == w })
	}
	w.rec.Offers[s.at].Result = OfferAccepted
	if w.callback {
		c.dial(s)
	} else {
		w.setClass(nil)
		c.connect(s)
	}
	if len(w.seats) > 1 {
		c.withdrawRivals(w, s)
	}
	if len(a.seats) < a.slots || len(c.channels) > 1 {
		c.refresh(a)
		c.matchAgent(a)
	}
}

// withdrawRivals takes the offer back from the agents who were slower.
func (c *Core) withdrawRivals(w *work, winner *seat) {
	rivals := slices.DeleteFunc(slices.Clone(w.seats), func(s *seat) bool { return s == winner })
	agents := make([]*agent, 0, len(rivals))
	for _, s := range rivals {
		agents = append(agents, s.a)
		o := &w.rec.Offers[s.at]
		o.Result, o.Reason = OfferElsewhere, ""
		c.decide(Decision{Kind: DecideRevoke, Agent: s.a.id, Work: w.rec.Work, Queue: w.queue.Name, Offer: s.number, Reason: OfferElsewhere})
		c.stand(s)
	}
	w.seats = append(w.seat1[:0], winner)
	for _, a := range agents {
		c.settle(a, true)
	}
}

// connect joins customer and agent.
func (c *Core) connect(s *seat) {
	a, w, q := s.a, s.w, s.q
	q.offered--
	q.talking++
	s.state, w.state, w.answered = seatTalking, talking, c.now
	if !w.callback {
		q.waited += (c.now - w.enqueued - q.waited) / 8
	}
	w.rec.Agent, w.rec.AnsweredAt = a.id, c.clock
	a.answered++
	if w.choice != nil && w.choice.customer != "" {
		c.last.remember(w.choice.customer, a.id)
	}
	if a.pending == nil { // else the agent took a callback, and is being offered another work meanwhile
		c.setAgent(a, Talking, "")
	}
	c.decide(Decision{Kind: DecideAnswered, Agent: a.id, Work: w.rec.Work, Queue: q.Name, Offer: s.number})
}

// unanswered takes an offer back from an agent who did not take it. The agent changes state first, so that the work does not come
// back to the same agent at once.
func (c *Core) unanswered(s *seat, result, reason string) {
	a, w, q := s.a, s.w, s.q
	c.takeBack(s, result, reason)
	switch {
	case result == OfferTimedOut && q.NoAnswer == NoAnswerNotReady && a.works():
		a.next, a.nextWhy = NotReady, ReasonRONA
	case result == OfferTimedOut && q.NoAnswer == NoAnswerNotReady:
		c.dropWrapUps(a)
		c.setAgent(a, NotReady, ReasonRONA)
		c.desert(a)
	default:
		a.paused = true
		if len(a.seats) == 0 {
			c.setAgent(a, NotReady, ReasonRejected)
		}
		c.setTimer(&a.timer, c.now+int64(q.RejectPause))
	}
	if len(a.seats) > 0 {
		c.settle(a, true)
	}
	c.requeue(w)
}

// takeBack ends an offer without deciding what follows for the agent or the work.
func (c *Core) takeBack(s *seat, result, reason string) {
	w, a, number := s.w, s.a, s.number
	c.stopTimer(&s.timer)
	o := &w.rec.Offers[s.at]
	o.Result, o.Reason = result, reason
	w.seats = slices.DeleteFunc(w.seats, func(x *seat) bool { return x == s })
	if len(w.seats) == 0 {
		w.queue.offered--
		c.offCall(w)
		if w.queue.Strategy == RingAll {
			w.queue.ringing = slices.DeleteFunc(w.queue.ringing, func(x *work) bool { return x == w })
		}
	}
	c.stand(s)
	c.decide(Decision{Kind: DecideRevoke, Agent: a.id, Work: w.rec.Work, Queue: w.queue.Name, Offer: number, Reason: result})
}

// requeue puts a work that nobody rings for any more back in its old place.
func (c *Core) requeue(w *work) {
	if len(w.seats) > 0 || w.state != offered {
		return
	}
	q := w.queue
	switch {
	case w.expired && w.callback:
		c.close(w, Abandoned, CauseExpired)
	case w.expired:
		c.overflow(w, ResultTimeout, "")
	case q.deserted() && !w.callback:
		c.overflow(w, ResultNoAgents, "")
	default:
		c.place(w)
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
		c.unplace(w)
		c.close(w, Abandoned, cause)
	case offered, dialing:
		agents := make([]*agent, 0, 1)
		for _, s := range slices.Clone(w.seats) {
			agents = append(agents, s.a)
			c.takeBack(s, OfferWithdrawn, cause)
		}
		c.close(w, Abandoned, cause)
		for _, a := range agents {
			c.settle(a, true) // the agent did nothing wrong and keeps its turn
		}
	case talking:
		s := w.seats[0]
		a, q := s.a, w.queue
		q.talking--
		spent := c.now - w.answered
		a.talk += spent
		if q.WrapUp > 0 {
			spent += int64(q.WrapUp)
		}
		q.handle += (spent - q.handle) / 8
		c.close(w, Answered, cause)
		c.offCall(w)
		w.seats = nil
		if q.WrapUp > 0 {
			s.state, s.w = seatWrapUp, nil
			c.setTimer(&s.timer, c.now+int64(q.WrapUp))
		} else {
			c.stand(s)
		}
		c.settle(a, false)
	}
}

// close ends a work that is in no line and with no agent, and hands out its record.
func (c *Core) close(w *work, outcome Outcome, cause string) {
	c.stopTimer(&w.timer)
	w.setClass(nil)
	if w.callback {
		c.callbacks--
	}
	delete(c.works, w.rec.Work)
	w.rec.EndedAt, w.rec.Outcome, w.rec.Cause = c.clock, outcome, cause
	c.decide(Decision{Kind: DecideEnded, Work: w.rec.Work, Queue: w.rec.Queue, Agent: w.rec.Agent, Reason: cause, Record: &w.rec})
}
