package acd

import (
	"maps"
	"slices"
	"strings"
)

// start begins anew under rules. Without Resume it closes what the last process left open, at the last moment it was known to live, with
// everyone logged out; what the log taught about handling times and answered works is kept for queues and agents that still exist. With
// Callbacks, those go on waiting.
func (c *Core) start(ev *Event) {
	rules := ev.Rules.WithDefaults()
	if ev.Resume && c.seq > 0 {
		c.resume(ev, rules)
		return
	}
	var kept []workDump
	if ev.Callbacks {
		kept = c.takeCallbacks()
	}
	for _, w := range c.open() {
		outcome := Abandoned
		if w.state == talking {
			outcome = Answered
		}
		if w.state == offered || w.state == dialing {
			for _, s := range w.seats {
				o := &w.rec.Offers[s.at]
				o.Result, o.Reason = OfferWithdrawn, CauseNodeDied
			}
		}
		c.close(w, outcome, CauseNodeDied)
	}
	oldAgents, oldQueues := c.agents, c.queues
	c.seq = ev.Seq
	c.setClock(ev.At.UnixNano())
	c.build(rules)
	c.rng = rules.Seed
	for _, a := range c.roster {
		if old := oldAgents[a.id]; old != nil {
			a.answered, a.talk = old.answered, old.talk
		}
		c.decide(Decision{Kind: DecideState, Agent: a.id, State: LoggedOut, Reason: string(KindStarted)})
	}
	for _, q := range c.order {
		if old := oldQueues[q.Name]; old != nil {
			q.handle, q.waited = old.handle, old.waited
		}
	}
	for i := range kept {
		c.giveCallback(&kept[i])
	}
}

// takeCallbacks takes out the callbacks whose customer nobody talks to. Nobody rings or dials for them any more.
func (c *Core) takeCallbacks() []workDump {
	kept := slices.DeleteFunc(c.dump().Works, func(d workDump) bool { return !d.Callback || d.State == talking })
	for i := range kept {
		d := &kept[i]
		for _, s := range d.Seats {
			d.Record.Offers[s.At].Result, d.Record.Offers[s.At].Reason = OfferWithdrawn, CauseNodeDied
		}
		d.State, d.Seats, d.Timer = waiting, nil, nil
		delete(c.works, d.Record.Work)
		c.callbacks--
	}
	return kept
}

// giveCallback puts a callback into its place under the new rules.
func (c *Core) giveCallback(d *workDump) {
	w, err := c.restoreWork(d)
	if err != nil { // the dump is our own
		return
	}
	if w == nil && c.works[d.Record.Work].queue.Callback.Expiry > 0 {
		return
	}
	if w == nil {
		w = c.works[d.Record.Work]
		c.unplace(w)
	}
	c.close(w, Abandoned, CauseRemoved)
}

// build makes agents, queues and their index from rules, everyone logged out and nobody in line.
func (c *Core) build(rules Rules) {
	c.timers, c.spare = heap[*timer]{}, nil
	c.agents, c.roster = make(map[string]*agent, len(rules.Agents)), make([]*agent, 0, len(rules.Agents))
	c.profiles = map[string]*profile{}
	c.fairness, c.channels = rules.Fairness, nil
	number := map[string]int{}
	for i, ch := range rules.Channels {
		number[ch.Name] = i
		c.channels = append(c.channels, channel{Channel: ch})
	}
	for i := range c.channels {
		for _, other := range c.channels[i].Interrupts {
			c.channels[i].interrupts |= 1 << number[other]
		}
	}
	all := make([]agent, len(rules.Agents)) // side by side, as members are: with many agents, where they lie is what a choice costs
	for i := range rules.Agents {
		ra, a := &rules.Agents[i], &all[i]
		*a = agent{id: ra.ID, state: LoggedOut, next: Ready, since: c.now, bot: ra.Bot, slots: ra.Slots, profile: c.profileOf(ra.Skills)}
		a.timer = timer{index: -1, a: a}
		c.agents[a.id] = a
		c.roster = append(c.roster, a)
	}
	c.queues, c.order = make(map[string]*queue, len(rules.Queues)), make([]*queue, 0, len(rules.Queues))
	for _, rq := range rules.Queues {
		q := &queue{Queue: rq, channel: number[rq.Channel], size: len(rq.Members), handle: int64(priorHandle), pointer: -1,
			groups: map[*profile][]*group{}, classes: map[uint64][]*class{}, building: true}
		members := make([]member, len(rq.Members))
		for i, id := range rq.Members {
			a, m := c.agents[id], &members[i]
			*m = member{a: a, q: q, place: int64(i), index: -1, tier: int32(rq.Tiers[id]), weight: 1}
			if w := rq.Weights[id]; w > 0 && q.Strategy == WeightedRandom {
				m.weight = int32(w)
			}
			a.members = append(a.members, m)
			q.states[a.state]++
			q.join(m)
		}
		q.building = false
		for _, gs := range q.groups {
			for _, g := range gs {
				if g.plan == byPlace {
					g.plant()
				}
			}
		}
		c.queues[q.Name] = q
		c.order = append(c.order, q)
	}
	c.last.resize(rules.LastAgents)
}

// open returns all open works by id.
func (c *Core) open() []*work {
	return slices.SortedFunc(maps.Values(c.works), func(a, b *work) int { return strings.Compare(a.rec.Work, b.rec.Work) })
}

// resume goes on under new rules with what was open. Offers that stood are withdrawn: nobody knows whether a phone still rings.
func (c *Core) resume(ev *Event, rules Rules) {
	c.seq = ev.Seq
	c.setClock(ev.At.UnixNano())
	for _, w := range c.open() {
		if w.state != offered && w.state != dialing {
			continue
		}
		for _, s := range slices.Clone(w.seats) {
			a := s.a
			c.takeBack(s, OfferWithdrawn, string(KindStarted))
			if a.state = Ready; a.works() {
				a.state = Talking
			} else if a.wrapUp() != nil {
				a.state = WrapUp
			}
			a.reason, a.since = "", c.now
		}
		c.place(w)
		c.arm(w)
	}
	st := c.dump()
	st.Rules = rules
	next, lost, err := st.build()
	if err != nil { // the dump is our own and the rules were checked: nothing can be missing but what rules dropped
		return
	}
	next.out, next.explain = c.out, c.explain
	*c = *next
	for _, a := range c.roster {
		c.decide(Decision{Kind: DecideState, Agent: a.id, State: a.state, Reason: a.reason})
	}
	for _, w := range lost {
		if w.state == talking {
			c.close(w, Answered, CauseRemoved)
			continue
		}
		w.rec.Overflow = ResultNoAgents
		c.decide(Decision{Kind: DecideOverflow, Work: w.rec.Work, Queue: w.rec.Queue, Reason: ResultNoAgents})
		w.state = selfService
		if w.callback {
			w.callback = false
			c.callbacks--
		}
	}
	for _, q := range c.order {
		c.empty(q)
		for _, w := range c.line(q) {
			if w.state == waiting {
				c.matchWork(w)
			}
		}
	}
	for _, a := range c.roster {
		if a.mask != 0 {
			c.matchAgent(a)
		}
	}
}
