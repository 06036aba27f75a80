package acd

import (
	"slices"
	"time"
)

// overflowRecheck is how often a rule of overflow that did not hold at its MinWait is asked again.
const overflowRecheck = 10 * time.Second

// advance does, in order, what was due up to a time, each thing at its own time.
func (c *Core) advance(to int64) {
	for c.timers.len() > 0 && c.timers.e[0].k1 <= to {
		t := c.timers.e[0].v
		c.timers.remove(t.index)
		c.setClock(max(t.at, c.now))
		switch {
		case t.w != nil:
			c.workDue(t.w)
		case t.a != nil:
			t.a.paused = false
			if len(t.a.seats) == 0 {
				c.afterWork(t.a, false)
			} else {
				c.refresh(t.a)
				c.matchAgent(t.a)
			}
		case t.s.state == seatWrapUp:
			a := t.s.a
			c.stand(t.s)
			c.settle(a, false)
		case t.s.state == seatDialing:
			c.unreached(t.s, ResultTimeout)
		default:
			c.unanswered(t.s, OfferTimedOut, "")
		}
	}
}

// Deadlines of one moment fire in the order in which they were set, which k2 keeps: map order must never decide.
func (c *Core) setTimer(t *timer, at int64) {
	c.stopTimer(t)
	t.at = at
	c.turns++
	c.timers.push(at, c.turns, 0, t)
}

func (c *Core) stopTimer(t *timer) {
	if t.index >= 0 {
		c.timers.remove(t.index)
	}
}

// arm sets the timer of a waiting work to whatever comes first for it.
func (c *Core) arm(w *work) {
	at := w.deadline
	for _, t := range []int64{w.preferEnd, w.announceAt, w.overflowAt, w.parked} {
		if t > 0 {
			at = min(at, t)
		}
	}
	if next := int(w.ring) + 1; next < len(w.queue.Rings) {
		at = min(at, w.enqueued+int64(w.queue.Rings[next].After))
	}
	if w.timer.index < 0 || w.timer.at != at {
		c.setTimer(&w.timer, at)
	}
}

// workDue does what is due for a work that waits or is being offered.
func (c *Core) workDue(w *work) {
	q := w.queue
	if c.now >= w.deadline {
		switch {
		case w.state == offered: // an agent is being rung for them: the offer decides
			w.expired = true
		case w.callback:
			c.unplace(w)
			c.close(w, Abandoned, CauseExpired)
		default:
			c.unplace(w)
			c.overflow(w, ResultTimeout, "")
		}
		return
	}
	widened := c.widen(w)
	if w.overflowAt > 0 && c.now >= w.overflowAt {
		if w.overflowAt = w.nextOverflow(c.now); w.state == waiting && !w.callback {
			if o := c.overflows(w); o != nil {
				c.unplace(w)
				c.overflow(w, ResultOverflow, o.To)
				return
			}
		}
	}
	if w.announceAt > 0 && c.now >= w.announceAt {
		c.announce(w)
	}
	c.arm(w)
	switch {
	case widened && w.state == waiting:
		c.matchWork(w)
	case widened && q.Strategy == RingAll && w.preferEnd == 0: // those of the new ring ring along
		for _, m := range c.everyone(w) {
			if len(w.seats) < q.RingMax {
				c.offer(m, w, q.Strategy)
			}
		}
	}
}

// widen lets a work go on to everybody, the next ring, or back from a pause, if it is time; it reports whether more agents may have it.
func (c *Core) widen(w *work) bool {
	q := w.queue
	ring := int(w.ring)
	for ring+1 < len(q.Rings) && c.now >= w.enqueued+int64(q.Rings[ring+1].After) {
		ring++
	}
	free := w.preferEnd > 0 && c.now >= w.preferEnd
	again := w.parked > 0 && c.now >= w.parked
	if ring == int(w.ring) && !free && !again {
		return false
	}
	inLine := w.state == waiting
	if inLine {
		c.unplace(w)
	}
	if free {
		w.preferEnd, w.choice.members = 0, nil
	}
	if again {
		w.parked = opens(q.Callback.Hours, c.now)
	}
	if ring != int(w.ring) {
		given := w.class.given
		w.ring = int8(ring)
		w.setClass(q.classOf(given, ring, w.human))
	}
	if inLine {
		c.place(w)
	}
	return true
}

func (c *Core) announce(w *work) {
	q := w.queue
	if q.Announce.Every == 0 { // new rules no longer announce
		w.announceAt = 0
		return
	}
	w.announceAt += ((c.now-w.announceAt)/int64(q.Announce.Every) + 1) * int64(q.Announce.Every) // one announcement, however late
	if w.state != waiting || w.callback {
		return // a caller whose agent is being rung hears the ringing
	}
	w.announced++
	if q.Announce.Max > 0 && int(w.announced) >= q.Announce.Max {
		w.announceAt = 0
	}
	place := c.ahead(w) + 1
	c.decide(Decision{Kind: DecideAnnounce, Work: w.rec.Work, Queue: q.Name, Place: place, EWT: q.estimate(place)})
}

// overflows returns the first rule that sends a work elsewhere now. The work is not in line, or waits.
func (c *Core) overflows(w *work) *Overflow {
	q := w.queue
	waited := time.Duration(c.now - w.enqueued)
	for i := range q.Overflow {
		o := &q.Overflow[i]
		others := q.waiting
		if w.state == waiting {
			others--
		}
		if waited < o.MinWait || others < o.MinWaiting || len(o.Hours) > 0 && opens(o.Hours, c.now) > 0 {
			continue
		}
		if o.MinEWT > 0 && (w.state != waiting && q.Strategy != Manual && c.choose(w) != nil || q.estimate(c.ahead(w)+1) < o.MinEWT) {
			continue
		}
		return o
	}
	return nil
}

// nextOverflow is when a rule of overflow should be asked again about a work; 0 if never.
func (w *work) nextOverflow(now int64) int64 {
	var at int64
	for i := range w.queue.Overflow {
		o := &w.queue.Overflow[i]
		if o.MinWait == 0 {
			continue
		}
		next := w.enqueued + int64(o.MinWait)
		if next <= now {
			if o.MinWaiting == 0 && o.MinEWT == 0 && len(o.Hours) == 0 {
				continue
			}
			next = now + int64(overflowRecheck)
		}
		if at == 0 || next < at {
			at = next
		}
	}
	return at
}

// opens returns 0 within one of the hours, else when the next begins. No hours are always.
func opens(hours []Hours, now int64) int64 {
	if len(hours) == 0 {
		return 0
	}
	var first int64
	for _, h := range hours {
		until := h.Until
		or(&until, 24*time.Hour)
		local := time.Unix(0, now).UTC().Add(h.Offset)
		midnight := local.Truncate(24 * time.Hour)
		for day := range 8 {
			start := midnight.AddDate(0, 0, day)
			if len(h.Days) > 0 && !slices.Contains(h.Days, start.Weekday()) {
				continue
			}
			if !local.Before(start.Add(until)) {
				continue
			}
			if !local.Before(start.Add(h.From)) {
				return 0
			}
			if at := start.Add(h.From - h.Offset).UnixNano(); first == 0 || at < first {
				first = at
			}
			break
		}
	}
	return first
}
