package acd

import (
	"fmt"
	"slices"
)

// restoreWork puts a work where it was. It returns the work if that is gone.
func (c *Core) restoreWork(d *workDump) (*work, error) {
	id := d.Record.Work
	if c.works[id] != nil || id == "" || d.State < selfService || d.State > talking {
		return nil, fmt.Errorf("%w: state: work %q", ErrLog, id)
	}
	w := &work{rec: d.Record, state: d.State, index: -1, enqueued: d.Enqueued, first: d.First, virtual: d.Virtual, answered: d.Answered, key3: d.Order,
		pointer: d.Pointer, human: d.Human, deadline: d.Deadline, preferEnd: d.PreferEnd, announceAt: d.AnnounceAt,
		overflowAt: d.OverflowAt, parked: d.Parked, announced: d.Announced, expired: d.Expired, callback: d.Callback}
	w.rec.Offers = slices.Clone(d.Record.Offers)
	w.seats = w.seat1[:0]
	w.timer = timer{index: -1, w: w}
	c.works[id] = w
	if w.callback {
		c.callbacks++
	}
	if w.state == selfService {
		return nil, nil
	}
	q := c.queues[w.rec.Queue]
	if q == nil {
		return w, nil
	}
	for i := range d.Seats {
		if s := &d.Seats[i]; c.agents[s.Agent] == nil || s.At < 0 || s.At >= len(w.rec.Offers) || s.State < seatOffered || s.State > seatTalking {
			return w, nil
		}
	}
	if (w.state == waiting) != (len(d.Seats) == 0) {
		return nil, fmt.Errorf("%w: state: work %q waits with an agent, or talks to none", ErrLog, id)
	}
	w.queue = q
	w.keys()
	w.ring = max(-1, min(d.Ring, int8(len(q.Rings)-1)))
	if w.state != talking {
		w.setClass(q.classOf(d.Needs, int(w.ring), w.human))
	}
	if len(d.Prefer) > 0 || d.Customer != "" {
		w.choice = &firstChoice{customer: d.Customer}
	}
	for _, p := range d.Prefer {
		if a := c.agents[p]; a != nil {
			if m := a.memberOf(q); m != nil && !(w.human && a.bot) {
				w.choice.members = append(w.choice.members, m)
			}
		}
	}
	if len(w.preferred()) == 0 {
		w.preferEnd = 0
	}
	c.restoreTimer(&w.timer, d.Timer)
	for i := range d.Seats {
		c.restoreSeat(&d.Seats[i], c.agents[d.Seats[i].Agent], w, q)
	}
	if w.callback && w.state != waiting {
		q.calling++
	}
	switch w.state {
	case waiting:
		c.place(w)
		if d.Timer == nil {
			c.arm(w)
		}
	case offered, dialing:
		q.offered++
		if w.state == offered && q.Strategy == RingAll {
			q.ringing = append(q.ringing, w)
		}
	case talking:
		q.talking++
	}
	return nil, nil
}

// keys sets by what the work is ordered in its line.
func (w *work) keys() {
	w.key1, w.key2 = -int64(w.rec.Priority), w.virtual
	if a := int64(w.queue.Ageing); a > 0 {
		w.key1, w.key2 = w.virtual-int64(w.rec.Priority)*a, 0
	}
}
