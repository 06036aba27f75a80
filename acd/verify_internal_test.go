package acd

import "slices"

// verify recounts everything and looks for whoever is stuck, idle beside a queue, or overloaded.
func (w *world) verify() {
	c := w.c
	type count struct{ waiting, offered, talking, free, calling, refs int }
	counts := map[*queue]*count{}
	for _, q := range c.order {
		counts[q] = &count{}
	}
	callbacks := 0
	for id, x := range c.works {
		if x.callback {
			callbacks++
		}
		if x.state == selfService {
			if x.queue != nil || x.timer.index >= 0 || len(x.seats) > 0 {
				w.fatal("work %q in self-service has not left its queue", id)
			}
			continue
		}
		n := counts[x.queue]
		if x.callback && x.state != waiting {
			n.calling++
		}
		switch x.state {
		case waiting:
			n.waiting++
			if x.timer.index < 0 || len(x.seats) > 0 {
				w.fatal("work %q waits without a deadline", id)
			}
			w.noIdler(x)
		case offered:
			n.offered++
			if len(x.seats) == 0 || len(x.seats) > 1 && x.queue.Strategy != RingAll {
				w.fatal("work %q is offered %d times in a queue of strategy %s", id, len(x.seats), x.queue.Strategy)
			}
		case dialing:
			n.offered++
		case talking:
			n.talking++
		}
		for i, s := range x.seats {
			if s.w != x || s.a == nil || !slices.Contains(s.a.seats, s) || slices.ContainsFunc(x.seats[:i], func(o *seat) bool { return o.a == s.a }) {
				w.fatal("work %q has a seat with nobody, or two with one", id)
			}
			if (s.state == seatOffered || s.state == seatDialing) && s.timer.index < 0 {
				w.fatal("work %q rings without a deadline", id)
			}
		}
	}
	for _, a := range c.roster {
		w.verifyAgent(a)
		for _, m := range a.members {
			if m.free {
				counts[m.q].free++
			}
			if m.free != (c.freeFor(a)&(1<<m.q.channel) != 0) {
				w.fatal("agent %q: the index says free: %v", a.id, m.free)
			}
		}
	}
	for q, n := range counts {
		for _, cl := range q.classList {
			n.refs += cl.refs
		}
		if q.waiting != n.waiting || q.offered != n.offered || q.talking != n.talking || q.free != n.free || q.calling != n.calling || n.refs != n.waiting+n.offered {
			w.fatal("queue %q counts %d %d %d %d %d, recounted %+v", q.Name, q.waiting, q.offered, q.talking, q.free, q.calling, n)
		}
		if q.Callback.MaxActive > 0 && q.calling > q.Callback.MaxActive {
			w.fatal("%d callbacks at once", q.calling)
		}
		if q.deserted() && q.waiting > 0 && slices.ContainsFunc(c.line(q), func(x *work) bool { return !x.callback }) {
			w.fatal("%d wait in deserted queue %q", q.waiting, q.Name)
		}
	}
	if callbacks != c.callbacks {
		w.fatal("%d callbacks are counted, %d open", c.callbacks, callbacks)
	}
}

func (w *world) verifyAgent(a *agent) {
	used, over := make([]int, len(w.c.channels)), 0
	pending := 0
	for _, s := range a.seats {
		if s.state == seatOffered {
			pending++
		}
		if s.state == seatWrapUp && s.timer.index < 0 {
			w.fatal("agent %q is in wrap-up for ever", a.id)
		}
		used[s.q.channel]++
		over += s.slots
	}
	if pending > 1 || (pending == 1) != (a.pending != nil) {
		w.fatal("agent %q has %d offers at once", a.id, pending)
	}
	for i, ch := range w.c.channels {
		if ch.Max > 0 && used[i] > ch.Max {
			w.fatal("agent %q has %d works of %s", a.id, used[i], ch.Name)
		}
		if used[i]*ch.takes(a) > a.slots {
			w.fatal("agent %q has %d works of %s in %d slots", a.id, used[i], ch.Name, a.slots)
		}
	}
	if over > a.slots && !(w.c.channels[0].interrupts != 0 && used[0] == 1 && over-a.slots <= a.slots) {
		w.fatal("agent %q: %d of %d slots are taken", a.id, over, a.slots)
	}
	want := a.state
	switch {
	case a.pending != nil && a.state != Ringing:
		want = Reserved
	case a.pending == nil && a.works():
		want = Talking
	case a.pending == nil && len(a.seats) > 0:
		want = WrapUp
	case a.pending == nil && (a.state == Talking || a.state == WrapUp || a.state == Reserved || a.state == Ringing):
		want = Ready
	}
	if a.state != want || a.paused && a.timer.index < 0 {
		w.fatal("agent %q is %v, should be %v; paused %v", a.id, a.state, want, a.paused)
	}
}

// noIdler looks at every member for one who could have had a waiting work.
func (w *world) noIdler(x *work) {
	if x.parked > 0 || x.held || x.queue.Strategy == Manual {
		return
	}
	for _, a := range w.c.roster {
		m := a.memberOf(x.queue)
		if m == nil || w.c.freeFor(a)&(1<<x.queue.channel) == 0 {
			continue
		}
		_, ok := m.g.satisfies(x.class, "")
		if preferred := slices.Contains(x.preferred(), m); preferred || x.preferEnd == 0 && ok {
			w.fatal("work %q waits while agent %q is free for it: %+v\n%+v\n%+v", x.rec.Work, a.id, *x, *x.class, *m)
		}
	}
}
