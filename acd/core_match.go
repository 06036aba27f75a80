package acd

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// matchWork offers a waiting work to who should have it, if somebody is free.
func (c *Core) matchWork(w *work) {
	q := w.queue
	if w.held || w.parked > 0 || q.Strategy == Manual || q.free == 0 && c.explain == nil {
		return
	}
	for _, m := range w.preferred() {
		if m.free {
			c.offer(m, w, q.Strategy)
			return
		}
	}
	if w.preferEnd > 0 {
		return
	}
	if q.Strategy == RingAll {
		everyone := c.everyone(w)
		for _, m := range everyone {
			c.offer(m, w, q.Strategy)
		}
		if len(everyone) > 0 || c.explain == nil {
			return
		}
	}
	if m := c.choose(w); m != nil {
		c.offer(m, w, q.Strategy)
		return
	}
	if c.explain != nil {
		c.explain.offer(c, nil, w, false)
	}
}

// everyone returns the free members that ring-all rings, in order.
func (c *Core) everyone(w *work) []*member {
	var out []*member
	for _, l := range w.class.links {
		at := len(out)
		for i := range l.g.ready.e {
			out = append(out, l.g.ready.e[i].v)
		}
		slices.SortFunc(out[at:], func(a, b *member) int { return cmp.Compare(a.place, b.place) })
	}
	return out[:min(len(out), w.queue.RingMax)]
}

// matchAgent offers to an agent who has just become free what should come first among the first works of all its queues.
func (c *Core) matchAgent(a *agent) {
	if a.mask == 0 {
		return
	}
	var best *work
	var by *member
	for _, m := range a.members {
		if w := c.firstFor(m); w != nil && (best == nil || c.before(w, best)) {
			best, by = w, m
		}
	}
	if best != nil {
		c.offer(by, best, "")
		return
	}
	c.joinRinging(a)
}

// firstFor returns the first work in a queue's lines that a free member may have.
func (c *Core) firstFor(m *member) *work {
	if m.q.waiting == 0 || !m.free || m.q.Strategy == Manual {
		return nil
	}
	var best *work
	for _, cl := range m.g.links {
		if cl.waiting.len() > 0 && (best == nil || c.before(cl.waiting.e[0].v, best)) {
			best = cl.waiting.e[0].v
		}
	}
	for _, w := range m.a.wanted {
		if w.queue == m.q && (best == nil || c.before(w, best)) {
			best = w
		}
	}
	return best
}

// joinRinging lets an agent who became free ring along with those of a ring-all queue. Nobody joins once the work has waited too long:
// agents who take turns not to answer would hold it for ever.
func (c *Core) joinRinging(a *agent) {
	for _, m := range a.members {
		if !m.free {
			continue
		}
		for _, w := range m.q.ringing {
			if w.preferEnd == 0 && !w.expired && len(w.seats) < m.q.RingMax && slices.Contains(m.g.links, w.class) {
				c.offer(m, w, m.q.Strategy)
				return
			}
		}
	}
}

// before reports whether a waiting work goes before another. In one queue the keys say so; between queues, the fairness of the rules.
func (c *Core) before(w, o *work) bool {
	if w.queue == o.queue {
		return cmp.Or(cmp.Compare(w.key1, o.key1), cmp.Compare(w.key2, o.key2), cmp.Compare(w.key3, o.key3)) < 0
	}
	w1, w2 := c.claim(w)
	o1, o2 := c.claim(o)
	return cmp.Or(cmp.Compare(o1, w1), cmp.Compare(o2, w2), cmp.Compare(w.key3, o.key3)) < 0
}

// claim is how strong a work's claim is against those of other queues; more is stronger. Ages count in microseconds.
func (c *Core) claim(w *work) (first, second int64) {
	q := w.queue
	age := max(0, c.now-w.virtual) / 1000
	switch c.fairness {
	case FairAge:
		return age * int64(q.Weight), 0
	case FairServiceLevel:
		return age * int64(q.Weight) / max(1, int64(q.ServiceTarget)/1_000_000), 0
	}
	first = int64(w.rec.Priority) * 1000
	if q.Ageing > 0 {
		first += age * 1000 / (int64(q.Ageing) / 1000)
	}
	return first, age * int64(q.Weight)
}

// offer presents a work to a free member.
func (c *Core) offer(m *member, w *work, by Strategy) {
	a, q := m.a, m.q
	score, waiting, states := m.score, q.waiting, q.states // as they were before the offer
	if c.explain != nil {
		c.explain.offer(c, m, w, by == "")
	}
	if w.state != offered {
		c.unplace(w)
		q.offered++
		w.state, w.seats = offered, w.seat1[:0]
		c.onCall(w)
		if q.Strategy == RingAll {
			q.ringing = append(q.ringing, w)
		}
	}
	s := c.sit(a, w, q)
	s.at = len(w.rec.Offers)
	w.rec.Offers = append(w.rec.Offers, Offer{Agent: a.id, At: c.clock})
	w.pointer, q.pointer = m.place, m.place
	c.setAgent(a, Reserved, "")
	c.setTimer(&s.timer, c.now+int64(q.RingTimeout))
	d := c.decision(DecideOffer)
	d.Agent, d.Work, d.Queue, d.Offer = a.id, w.rec.Work, q.Name, s.number
	d.Why = Why{Strategy: by, Score: score, Idle: time.Duration(c.now - a.idle), Waited: time.Duration(c.now - w.enqueued), Waiting: waiting, Members: states}
}

// sit gives an agent a seat for a work.
func (c *Core) sit(a *agent, w *work, q *queue) *seat {
	var s *seat
	if n := len(c.spare); n > 0 {
		s, c.spare = c.spare[n-1], c.spare[:n-1]
	} else {
		s = &seat{timer: timer{index: -1}}
		s.timer.s = s
	}
	c.offers++
	s.a, s.w, s.q, s.state, s.number, s.slots = a, w, q, seatOffered, c.offers, c.channels[q.channel].takes(a)
	a.seats = append(a.seats, s)
	a.pending, a.offer = s, s.number
	w.seats = append(w.seats, s)
	return s
}

// line returns the works that wait in a queue, in order, those that stand aside included.
func (c *Core) line(q *queue) []*work {
	var out []*work
	for w := range maps.Values(c.works) {
		if w.queue == q && w.state == waiting {
			out = append(out, w)
		}
	}
	slices.SortFunc(out, func(a, b *work) int {
		return cmp.Or(cmp.Compare(a.key1, b.key1), cmp.Compare(a.key2, b.key2), cmp.Compare(a.key3, b.key3))
	})
	return out
}

// ahead counts the works of a queue that come before one: those being offered, and those in line with a lesser key. Those that cannot
// be served now are not counted.
func (c *Core) ahead(w *work) int {
	q := w.queue
	n := q.offered
	for _, cl := range q.classList {
		for i := range cl.waiting.e {
			if e := &cl.waiting.e[i]; cmp.Or(cmp.Compare(e.k1, w.key1), cmp.Compare(e.k2, w.key2), cmp.Compare(e.k3, w.key3)) < 0 {
				n++
			}
		}
	}
	return n
}

func (q *queue) estimate(place int) time.Duration {
	if q.Estimate == EstimateRecent {
		return time.Duration(q.waited)
	}
	staffed := max(1, q.size-q.states[LoggedOut]-q.states[NotReady])
	return time.Duration(q.handle * int64(place) / int64(staffed))
}

// lastAgents remembers who answered whom last, for a bounded number of customers.
type lastAgents struct {
	of   map[string]string
	ring []string // customers, oldest at next once full
	next int
	most int
}

func (l *lastAgents) remember(customer, agent string) {
	if l.most == 0 {
		return
	}
	if _, known := l.of[customer]; !known {
		if len(l.ring) < l.most {
			l.ring = append(l.ring, customer)
		} else {
			delete(l.of, l.ring[l.next])
			l.ring[l.next] = customer
			l.next = (l.next + 1) % l.most
		}
	}
	l.of[customer] = agent
}

// resize keeps the youngest.
func (l *lastAgents) resize(most int) {
	old, order := l.of, append(slices.Clone(l.ring[l.next:]), l.ring[:l.next]...)
	*l = lastAgents{of: map[string]string{}, most: most}
	for _, customer := range order[max(0, len(order)-most):] {
		l.remember(customer, old[customer])
	}
}
