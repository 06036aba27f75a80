package acd

import "slices"

// A callback is the same work in the same place of the same line, with the clock it had. The agent is found first; only then is the
// customer dialled. So callbacks neither overtake nor are overtaken, and never more customers are called than agents are free.

// callBack lets the caller of a waiting work hang up.
func (c *Core) callBack(w *work) {
	q := w.queue
	c.unplace(w)
	w.callback, w.rec.CallbackAt = true, c.clock
	w.announceAt, w.overflowAt = 0, 0
	w.deadline = c.now + int64(q.Callback.Expiry)
	w.parked = opens(q.Callback.Hours, c.now)
	c.callbacks++
	c.decide(Decision{Kind: DecideCallback, Work: w.rec.Work, Queue: q.Name})
	c.place(w)
	c.arm(w)
}

// onCall counts a callback that gets an agent, and keeps the others back if that is all the queue allows.
func (c *Core) onCall(w *work) {
	if !w.callback {
		return
	}
	q := w.queue
	if q.calling++; q.calling != q.Callback.MaxActive {
		return
	}
	for _, o := range c.line(q) {
		if o.callback && !o.held && o.parked == 0 {
			c.unplace(o)
			c.place(o)
		}
	}
}

// offCall counts a callback that has no agent any more, and lets the next ones go on.
func (c *Core) offCall(w *work) {
	if !w.callback {
		return
	}
	q := w.queue
	q.calling--
	if q.held.len() == 0 || q.calling >= q.Callback.MaxActive {
		return
	}
	released := make([]*work, 0, q.held.len())
	for q.held.len() > 0 {
		o := q.held.e[0].v
		c.unplace(o)
		o.state = offered // not in line until all of them can be put there
		released = append(released, o)
	}
	for _, o := range released {
		c.place(o)
	}
	for _, o := range released {
		if o.state == waiting {
			c.matchWork(o)
		}
	}
}

// dial has the customer called for the agent who is there.
func (c *Core) dial(s *seat) {
	a, w, q := s.a, s.w, s.q
	s.state, w.state = seatDialing, dialing
	w.rec.Attempts++
	c.setTimer(&s.timer, c.now+int64(q.Callback.DialTimeout))
	c.setAgent(a, Talking, string(KindCallback))
	c.decide(Decision{Kind: DecideDial, Agent: a.id, Work: w.rec.Work, Queue: q.Name, Offer: s.number})
}

// reached joins the agent and the customer.
func (c *Core) reached(s *seat) {
	c.stopTimer(&s.timer)
	s.w.setClass(nil)
	c.connect(s)
}

// unreached frees the agent, who did nothing wrong, and tries the customer again later.
func (c *Core) unreached(s *seat, reason string) {
	a, w, q := s.a, s.w, s.q
	o := &w.rec.Offers[s.at]
	o.Result, o.Reason = OfferUnreached, reason
	w.seats = slices.DeleteFunc(w.seats, func(x *seat) bool { return x == s })
	q.offered--
	number := s.number
	c.stand(s)
	c.decide(Decision{Kind: DecideRevoke, Agent: a.id, Work: w.rec.Work, Queue: q.Name, Offer: number, Reason: OfferUnreached})
	switch next := c.now + int64(q.Callback.Retry); {
	case w.rec.Attempts >= q.Callback.Attempts:
		c.close(w, Abandoned, CauseUnreached)
	case next >= w.deadline:
		c.close(w, Abandoned, CauseExpired)
	default:
		w.parked = next
		c.place(w)
		c.arm(w)
	}
	c.settle(a, true)
	c.offCall(w)
}
