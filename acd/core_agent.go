package acd

import "slices"

// setAgent changes an agent's state, keeps the counts of its queues, and tells.
func (c *Core) setAgent(a *agent, to AgentState, reason string) {
	if a.state == to && a.reason == reason {
		return
	}
	switch spent := c.now - a.since; a.state {
	case Ready:
		a.unused += spent
	case Reserved, Ringing, Talking, WrapUp:
		a.busy += spent
	}
	paused := 0
	if a.state == NotReady && a.reason == ReasonRejected {
		paused--
	}
	if to == NotReady && reason == ReasonRejected {
		paused++
	}
	for _, m := range a.members {
		m.q.states[a.state]--
		m.q.states[to]++
		m.q.paused += paused
	}
	a.state, a.reason, a.since = to, reason, c.now
	if to != Ready && a.mask != 0 && (to == NotReady || to == LoggedOut || to == Reserved) {
		c.refresh(a)
	}
	d := c.decision(DecideState)
	d.Agent, d.State, d.Reason = a.id, to, reason
}

// freeFor returns the channels an agent could be offered a work of now, by bit.
func (c *Core) freeFor(a *agent) uint32 {
	if a.pending != nil || a.paused || a.state != Ready && (a.next != Ready || a.state != Talking && a.state != WrapUp) {
		return 0
	}
	if len(a.seats) == 0 {
		return 1<<len(c.channels) - 1
	}
	var mask uint32
	for i := range c.channels {
		ch := &c.channels[i]
		used, same := 0, 0
		for _, s := range a.seats {
			if s.q.channel == i {
				same++
			}
			if ch.interrupts&(1<<s.q.channel) == 0 {
				used += s.slots
			}
		}
		if used+ch.takes(a) <= a.slots && (ch.Max == 0 || same < ch.Max) {
			mask |= 1 << i
		}
	}
	return mask
}

// takes is how many of an agent's slots a work of the channel takes.
func (ch *channel) takes(a *agent) int {
	if ch.Slots == 0 {
		return a.slots
	}
	return min(ch.Slots, a.slots)
}

// refresh brings the index up to date with what an agent is free for, under its present score.
func (c *Core) refresh(a *agent) {
	mask := c.freeFor(a)
	if mask == 0 && a.mask == 0 {
		return
	}
	for _, m := range a.members {
		if m.free {
			m.taken()
		}
		if mask&(1<<m.q.channel) != 0 {
			m.offerable(c.keys(m))
		}
	}
	a.mask = mask
}

// keys are what a strategy compares, of one member.
func (c *Core) keys(m *member) (k1, k2, k3 int64) {
	a := m.a
	switch m.q.Strategy {
	case LongestIdle, BestSkill, LeastSkill:
		return a.idle, a.turn, 0
	case FewestCalls:
		return a.answered, a.idle, a.turn
	case LeastTalkTime:
		return a.talk, a.idle, a.turn
	case LeastOccupied:
		return a.load()*1_000_001 + a.occupancy(), a.idle, a.turn
	}
	return m.place, 0, 0
}

// load is how much of an agent's slots is taken, in parts of a million.
func (a *agent) load() int64 {
	used := 0
	for _, s := range a.seats {
		used += s.slots
	}
	return int64(min(used, a.slots)) * 1_000_000 / int64(a.slots)
}

// occupancy is the share of an agent's time since login, not-ready times left out, that was spent at work, in parts of a million.
func (a *agent) occupancy() int64 {
	total := (a.busy + a.unused) / 1_000_000
	if total == 0 {
		return 0
	}
	return min(a.busy/total, 1_000_000)
}

// becomeReady makes an agent ready and gives it the next work if one waits. An agent who keeps its turn is as idle as before.
func (c *Core) becomeReady(a *agent, keepTurn bool) {
	c.stopTimer(&a.timer)
	c.dropWrapUps(a)
	a.paused, a.next, a.nextWhy = false, Ready, ""
	if !keepTurn {
		c.turns++
		a.idle, a.turn = c.now, c.turns
	}
	c.setAgent(a, Ready, "")
	c.refresh(a)
	c.matchAgent(a)
}

// settle brings an agent to the state that its remaining works leave it in.
func (c *Core) settle(a *agent, keepTurn bool) {
	if a.pending != nil {
		return
	}
	state := Ready
	for _, s := range a.seats {
		if s.state != seatWrapUp {
			state = Talking
			break
		}
		state = WrapUp
	}
	switch {
	case state == Ready && a.paused:
		c.setAgent(a, NotReady, ReasonRejected)
		return
	case state == Ready:
		c.afterWork(a, keepTurn)
		return
	case !keepTurn:
		c.turns++
		a.idle, a.turn = c.now, c.turns
	}
	c.setAgent(a, state, "")
	c.refresh(a)
	c.matchAgent(a)
}

// afterWork does what the agent wanted to follow the last work.
func (c *Core) afterWork(a *agent, keepTurn bool) {
	switch a.next {
	case NotReady:
		c.setAgent(a, NotReady, a.nextWhy)
		c.desert(a)
	case LoggedOut:
		c.logOut(a, a.nextWhy)
	default:
		c.becomeReady(a, keepTurn)
	}
}

// stand removes a seat from its agent.
func (c *Core) stand(s *seat) {
	c.stopTimer(&s.timer)
	a := s.a
	a.seats = slices.Delete(a.seats, slices.Index(a.seats, s), slices.Index(a.seats, s)+1)
	if a.pending == s {
		a.pending = nil
	}
	s.a, s.w, s.q = nil, nil, nil
	c.spare = append(c.spare, s)
}

func (c *Core) dropWrapUps(a *agent) {
	for s := a.wrapUp(); s != nil; s = a.wrapUp() {
		c.stand(s)
	}
}

// works reports whether an agent is in a conversation or waits for a called-back customer.
func (a *agent) works() bool {
	for _, s := range a.seats {
		if s.state == seatTalking || s.state == seatDialing {
			return true
		}
	}
	return false
}

// agentSays applies login, logout, ready and not-ready. In a conversation they say what follows it; an agent who leaves during an
// offer gives it back.
func (c *Core) agentSays(a *agent, ev *Event) {
	switch ev.Kind {
	case KindLogin:
		if !slices.Contains(a.devices, ev.Device) {
			a.devices = append(a.devices, ev.Device)
		}
		if a.state == LoggedOut {
			a.busy, a.unused = 0, 0
			c.setAgent(a, NotReady, ReasonLogin)
		} else if a.next == LoggedOut {
			a.next, a.nextWhy = Ready, "" // changed their mind during the conversation
			c.refresh(a)
			c.matchAgent(a)
		}
		return
	case KindLogout:
		if ev.Device != "" {
			if i := slices.Index(a.devices, ev.Device); i >= 0 {
				a.devices = slices.Delete(a.devices, i, i+1)
			}
			if len(a.devices) > 0 {
				return
			}
		}
		a.devices = nil
	}
	switch {
	case a.state == LoggedOut: // logging out twice is no mistake: a phone may be deregistered by its timeout and by its user
	case ev.Kind == KindReady:
		c.saysReady(a)
	case a.state == Talking:
		a.next, a.nextWhy = NotReady, ev.Reason
		if ev.Kind == KindLogout {
			a.next = LoggedOut
		}
		c.refresh(a)
	default:
		c.leaves(a, ev)
	}
}

func (c *Core) saysReady(a *agent) {
	switch a.state {
	case NotReady, WrapUp:
		c.becomeReady(a, false)
	case Talking:
		a.next, a.nextWhy, a.paused = Ready, "", false
		c.stopTimer(&a.timer)
		c.dropWrapUps(a)
		c.refresh(a)
		c.matchAgent(a)
	}
}

// leaves makes an agent not ready or logged out at once, or after other conversations; an offer goes back.
func (c *Core) leaves(a *agent, ev *Event) {
	var w *work
	if a.pending != nil {
		w = a.pending.w
		c.takeBack(a.pending, OfferWithdrawn, string(ev.Kind))
	}
	c.stopTimer(&a.timer)
	a.paused = false
	c.dropWrapUps(a)
	switch {
	case a.works():
		a.next, a.nextWhy = NotReady, ev.Reason
		if ev.Kind == KindLogout {
			a.next = LoggedOut
		}
		c.settle(a, true)
	case ev.Kind == KindLogout:
		c.logOut(a, ev.Reason)
	default:
		c.setAgent(a, NotReady, ev.Reason)
		c.desert(a)
	}
	if w != nil {
		c.requeue(w)
	}
}

// logOut logs an agent out and empties the queues that nobody serves any more.
func (c *Core) logOut(a *agent, reason string) {
	a.devices = nil
	c.setAgent(a, LoggedOut, reason)
	c.desert(a)
}

// desert empties the queues of an agent that nobody serves any more.
func (c *Core) desert(a *agent) {
	for _, m := range a.members {
		c.empty(m.q)
	}
}

// empty gives back what waits in a queue if nobody serves it any more. Callbacks go on waiting: nobody hangs on the line.
func (c *Core) empty(q *queue) {
	if q.waiting == 0 || !q.deserted() {
		return
	}
	for _, w := range c.line(q) {
		if !w.callback {
			c.unplace(w)
			c.overflow(w, ResultNoAgents, "")
		}
	}
}

func (q *queue) deserted() bool {
	switch q.NoAgents {
	case NoAgentsOverflow:
		return q.states[LoggedOut] == q.size
	case NoAgentsUnready:
		return q.states[LoggedOut]+q.states[NotReady]-q.paused == q.size
	}
	return false
}

// setSkills changes what an agent can do. Works that it now can serve are offered; a conversation goes on.
func (c *Core) setSkills(a *agent, skills []Skill) {
	p := c.profileOf(levels(skills))
	if p == a.profile {
		return
	}
	for _, m := range a.members {
		if m.free {
			m.taken()
		}
		m.q.leave(m)
	}
	a.profile, a.mask = p, 0
	for _, m := range a.members {
		m.q.join(m)
	}
	c.refresh(a)
	c.matchAgent(a)
}

// extend prolongs the wrap-up that ends next.
func (c *Core) extend(a *agent, by int64) {
	var first *seat
	for _, s := range a.seats {
		if s.state == seatWrapUp && (first == nil || s.timer.at < first.timer.at) {
			first = s
		}
	}
	c.setTimer(&first.timer, first.timer.at+by)
}
