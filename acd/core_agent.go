package acd

// setAgent changes an agent's state, keeps the counts of its queues, and tells.
func (c *Core) setAgent(a *agent, to AgentState, reason string) {
	if a.state == to && a.reason == reason {
		return
	}
	for _, m := range a.members {
		m.q.states[a.state]--
		m.q.states[to]++
		if m.index >= 0 && to != Ready {
			m.q.ready.remove(m.index)
		}
	}
	a.state, a.reason, a.since = to, reason, c.now
	c.decide(Decision{Kind: DecideState, Agent: a.id, State: to, Reason: reason})
}

// becomeReady makes an agent ready and gives it the next work if one waits. An agent who keeps its turn is as idle as before.
func (c *Core) becomeReady(a *agent, keepTurn bool) {
	c.stopTimer(&a.timer)
	if !keepTurn {
		c.turns++
		a.idle, a.turn = c.now, c.turns
	}
	c.setAgent(a, Ready, "")
	for _, m := range a.members {
		switch m.q.Strategy {
		case TopDown:
			m.q.ready.push(m.place, 0, m)
		case FewestCalls:
			m.q.ready.push(a.answered, a.idle, m)
		case LongestIdle:
			m.q.ready.push(a.idle, a.turn, m)
		}
	}
	c.matchAgent(a)
}

// afterTalk starts wrap-up, or what follows it.
func (c *Core) afterTalk(a *agent, q *queue) {
	if q.WrapUp > 0 {
		c.setAgent(a, WrapUp, "")
		c.setTimer(&a.timer, c.now+int64(q.WrapUp))
		return
	}
	c.afterWrapUp(a)
}

func (c *Core) afterWrapUp(a *agent) {
	switch a.next {
	case NotReady:
		c.setAgent(a, NotReady, a.nextWhy)
	case LoggedOut:
		c.logOut(a, a.nextWhy)
	default:
		c.becomeReady(a, false)
	}
}

// agentSays applies login, logout, ready and not-ready. In a conversation they say what follows it; an agent who leaves during an
// offer gives it back.
func (c *Core) agentSays(a *agent, ev *Event) {
	switch {
	case ev.Kind == KindLogin:
		if a.state == LoggedOut {
			c.setAgent(a, NotReady, ReasonLogin)
		} else if a.next == LoggedOut {
			a.next, a.nextWhy = Ready, "" // changed their mind during the conversation
		}
	case a.state == LoggedOut: // logging out twice is no mistake: a phone may be deregistered by its timeout and by its user
	case a.state == Talking:
		a.next, a.nextWhy = map[Kind]AgentState{KindReady: Ready, KindNotReady: NotReady, KindLogout: LoggedOut}[ev.Kind], ev.Reason
	case ev.Kind == KindReady:
		if a.state == NotReady || a.state == WrapUp {
			c.becomeReady(a, false)
		}
	default:
		w := a.work
		if w != nil {
			c.takeBack(a, OfferWithdrawn, string(ev.Kind))
		}
		c.stopTimer(&a.timer)
		if ev.Kind == KindLogout {
			c.logOut(a, ev.Reason)
		} else {
			c.setAgent(a, NotReady, ev.Reason)
		}
		if w != nil {
			c.requeue(w)
		}
	}
}

// logOut logs an agent out and empties the queues that nobody serves any more.
func (c *Core) logOut(a *agent, reason string) {
	c.setAgent(a, LoggedOut, reason)
	for _, m := range a.members {
		q := m.q
		if q.states[LoggedOut] < q.size || q.NoAgents != NoAgentsOverflow {
			continue
		}
		for q.waiting.len() > 0 {
			w := q.waiting.e[0].v
			q.waiting.remove(w.index)
			c.overflow(w, ResultNoAgents)
		}
	}
}

// advance does, in order, what was due up to a time, each thing at its own time.
func (c *Core) advance(to int64) {
	for c.timers.len() > 0 && c.timers.e[0].k1 <= to {
		t := c.timers.e[0].v
		c.timers.remove(t.index)
		c.setClock(max(t.at, c.now))
		switch {
		case t.w != nil && t.w.state == offered:
			t.w.expired = true // an agent is being rung for them: the offer decides
		case t.w != nil:
			t.w.queue.waiting.remove(t.w.index)
			c.overflow(t.w, ResultTimeout)
		case t.a.state == WrapUp:
			c.afterWrapUp(t.a)
		case t.a.state == NotReady:
			c.becomeReady(t.a, false)
		default:
			c.unanswered(t.a, OfferTimedOut, "")
		}
	}
}

// Deadlines of one moment fire in the order in which they were set, which k2 keeps: map order must never decide.
func (c *Core) setTimer(t *timer, at int64) {
	c.stopTimer(t)
	t.at = at
	c.turns++
	c.timers.push(at, c.turns, t)
}

func (c *Core) stopTimer(t *timer) {
	if t.index >= 0 {
		c.timers.remove(t.index)
	}
}
