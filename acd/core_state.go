package acd

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
)

const stateVersion = 1

// coreState is a Core as plain data. What follows from it, the index of free agents and the lines, is built again.
type coreState struct {
	Version int         `json:"version"`
	Seq     uint64      `json:"seq"`
	Now     int64       `json:"now"`
	Offers  uint64      `json:"offers"`
	Turns   int64       `json:"turns"`
	RNG     uint64      `json:"rng"`
	Rules   Rules       `json:"rules"`
	Agents  []agentDump `json:"agents"`
	Queues  []queueDump `json:"queues"`
	Works   []workDump  `json:"works"`
	Wraps   []seatDump  `json:"wraps,omitempty"`
	Last    [][2]string `json:"last,omitempty"` // customer, agent; oldest first
}

type timerDump struct {
	At   int64 `json:"at"`
	Turn int64 `json:"turn"`
}

type agentDump struct {
	ID       string     `json:"id"`
	State    AgentState `json:"state"`
	Reason   string     `json:"reason,omitempty"`
	Since    int64      `json:"since"`
	Idle     int64      `json:"idle"`
	Turn     int64      `json:"turn"`
	Answered int64      `json:"answered,omitempty"`
	Talk     int64      `json:"talk,omitempty"`
	Busy     int64      `json:"busy,omitempty"`
	Unused   int64      `json:"unused,omitempty"`
	Offer    uint64     `json:"offer,omitempty"`
	Next     AgentState `json:"next"`
	NextWhy  string     `json:"next_why,omitempty"`
	Paused   bool       `json:"paused,omitempty"`
	Devices  []string   `json:"devices,omitempty"`
	Skills   []Skill    `json:"skills,omitempty"`
	Timer    *timerDump `json:"timer,omitempty"`
}

type queueDump struct {
	Name    string `json:"name"`
	Handle  int64  `json:"handle"`
	Waited  int64  `json:"waited"`
	Pointer int64  `json:"pointer"`
}

type seatDump struct {
	Agent  string     `json:"agent"`
	Queue  string     `json:"queue,omitempty"`
	State  seatState  `json:"state"`
	Number uint64     `json:"number"`
	Slots  int        `json:"slots"`
	At     int        `json:"at"`
	Timer  *timerDump `json:"timer,omitempty"`
}

type workDump struct {
	Record     Record     `json:"record"`
	State      workState  `json:"state"`
	Enqueued   int64      `json:"enqueued,omitempty"`
	First      int64      `json:"first,omitempty"`
	Virtual    int64      `json:"virtual,omitempty"`
	Answered   int64      `json:"answered,omitempty"`
	Order      int64      `json:"order,omitempty"`
	Pointer    int64      `json:"pointer"`
	Needs      []Skill    `json:"needs,omitempty"`
	Human      bool       `json:"human,omitempty"`
	Ring       int8       `json:"ring"`
	Prefer     []string   `json:"prefer,omitempty"`
	Customer   string     `json:"customer,omitempty"`
	Deadline   int64      `json:"deadline,omitempty"`
	PreferEnd  int64      `json:"prefer_end,omitempty"`
	AnnounceAt int64      `json:"announce_at,omitempty"`
	OverflowAt int64      `json:"overflow_at,omitempty"`
	Parked     int64      `json:"parked,omitempty"`
	Announced  int32      `json:"announced,omitempty"`
	Expired    bool       `json:"expired,omitempty"`
	Callback   bool       `json:"callback,omitempty"`
	Timer      *timerDump `json:"timer,omitempty"`
	Seats      []seatDump `json:"seats,omitempty"`
}

// MarshalState returns the whole state as JSON: with it and the log after Seq, RestoreCore goes on as if nothing had happened.
func (c *Core) MarshalState() ([]byte, error) {
	if c.seq == 0 {
		return nil, fmt.Errorf("%w: a core without events has no state", ErrState)
	}
	st := c.dump()
	return json.Marshal(&st)
}

// RestoreCore returns the Core of which MarshalState wrote the state. An error wraps ErrLog.
func RestoreCore(state []byte) (*Core, error) {
	var st coreState
	if err := json.Unmarshal(state, &st); err != nil {
		return nil, fmt.Errorf("%w: state: %w", ErrLog, err)
	}
	if st.Version != stateVersion || st.Seq == 0 || st.Now < 0 {
		return nil, fmt.Errorf("%w: state of version %d at event %d", ErrLog, st.Version, st.Seq)
	}
	st.Rules = st.Rules.WithDefaults()
	if err := st.Rules.validate(); err != nil {
		return nil, fmt.Errorf("%w: state: %w", ErrLog, err)
	}
	c, lost, err := st.build()
	if err == nil && len(lost) > 0 {
		err = fmt.Errorf("%w: state: work %q is with nobody", ErrLog, lost[0].rec.Work)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Core) dumpTimer(t *timer) *timerDump {
	if t.index < 0 {
		return nil
	}
	return &timerDump{t.at, c.timers.e[t.index].k2}
}

func (c *Core) dumpSeat(s *seat) seatDump {
	return seatDump{Agent: s.a.id, Queue: s.q.Name, State: s.state, Number: s.number, Slots: s.slots, At: s.at, Timer: c.dumpTimer(&s.timer)}
}

func (c *Core) dump() coreState {
	st := coreState{Version: stateVersion, Seq: c.seq, Now: c.now, Offers: c.offers, Turns: c.turns, RNG: c.rng, Rules: c.rules()}
	for _, a := range c.roster {
		st.Agents = append(st.Agents, agentDump{ID: a.id, State: a.state, Reason: a.reason, Since: a.since, Idle: a.idle, Turn: a.turn, Answered: a.answered,
			Talk: a.talk, Busy: a.busy, Unused: a.unused, Offer: a.offer, Next: a.next, NextWhy: a.nextWhy, Paused: a.paused, Devices: slices.Clone(a.devices),
			Skills: a.profile.skills, Timer: c.dumpTimer(&a.timer)})
		for _, s := range a.seats {
			if s.state == seatWrapUp {
				st.Wraps = append(st.Wraps, c.dumpSeat(s))
			}
		}
	}
	for _, q := range c.order {
		st.Queues = append(st.Queues, queueDump{q.Name, q.handle, q.waited, q.pointer})
	}
	for _, w := range c.open() {
		if w.state == selfService { // what it was in a queue no longer counts
			st.Works = append(st.Works, workDump{Record: w.rec, State: w.state, First: w.first})
			continue
		}
		d := workDump{Record: w.rec, State: w.state, Enqueued: w.enqueued, First: w.first, Virtual: w.virtual, Answered: w.answered, Order: w.key3,
			Pointer: w.pointer, Human: w.human, Ring: w.ring, Deadline: w.deadline, PreferEnd: w.preferEnd, AnnounceAt: w.announceAt,
			OverflowAt: w.overflowAt, Parked: w.parked, Announced: w.announced, Expired: w.expired, Callback: w.callback, Timer: c.dumpTimer(&w.timer)}
		d.Record.Offers = slices.Clone(w.rec.Offers) // the last one may yet get its result
		if w.class != nil {
			d.Needs = w.class.given
		}
		for _, m := range w.preferred() {
			d.Prefer = append(d.Prefer, m.a.id)
		}
		if w.choice != nil {
			d.Customer = w.choice.customer
		}
		for _, s := range w.seats {
			d.Seats = append(d.Seats, c.dumpSeat(s))
		}
		st.Works = append(st.Works, d)
	}
	for _, customer := range append(slices.Clone(c.last.ring[c.last.next:]), c.last.ring[:c.last.next]...) {
		st.Last = append(st.Last, [2]string{customer, c.last.of[customer]})
	}
	return st
}

// rules returns the rules in force, with skills as they are now.
func (c *Core) rules() Rules {
	r := Rules{Fairness: c.fairness, LastAgents: c.last.most}
	for _, ch := range c.channels {
		r.Channels = append(r.Channels, ch.Channel)
	}
	for _, a := range c.roster {
		r.Agents = append(r.Agents, Agent{ID: a.id, Skills: a.profile.skills, Slots: a.slots, Bot: a.bot})
	}
	for _, q := range c.order {
		r.Queues = append(r.Queues, q.Queue)
	}
	return r
}

// build makes a Core from a state. Works whose queue or agent the rules no longer have are lost: they are open, with nobody, in no line.
func (st *coreState) build() (*Core, []*work, error) {
	c := NewCore()
	c.seq, c.offers, c.turns, c.rng = st.Seq, st.Offers, st.Turns, st.RNG
	c.setClock(st.Now)
	c.build(st.Rules)
	for _, l := range st.Last {
		c.last.remember(l[0], l[1])
	}
	for _, d := range st.Queues {
		if q := c.queues[d.Name]; q != nil {
			q.handle, q.waited, q.pointer = d.Handle, d.Waited, min(d.Pointer, int64(q.size)-1)
		}
	}
	for i := range st.Agents {
		c.restoreAgent(&st.Agents[i])
	}
	for i := range st.Wraps {
		d := &st.Wraps[i]
		if a, q := c.agents[d.Agent], c.queues[d.Queue]; a != nil && q != nil && d.Timer != nil && d.State == seatWrapUp {
			c.restoreSeat(d, a, nil, q)
		}
	}
	var lost []*work
	for _, inLine := range []bool{false, true} { // who is with an agent decides what callbacks are kept back
		for i := range st.Works {
			if (st.Works[i].State == waiting) != inLine {
				continue
			}
			w, err := c.restoreWork(&st.Works[i])
			if err != nil {
				return nil, nil, err
			}
			if w != nil {
				lost = append(lost, w)
			}
		}
	}
	for _, a := range c.roster {
		c.restand(a)
	}
	for _, a := range slices.SortedFunc(slices.Values(c.roster), func(a, b *agent) int { return cmp.Or(cmp.Compare(a.idle, b.idle), cmp.Compare(a.turn, b.turn)) }) {
		c.refresh(a)
	}
	for _, q := range c.order { // in the order in which they began to ring
		slices.SortFunc(q.ringing, func(a, b *work) int { return cmp.Compare(a.seats[0].number, b.seats[0].number) })
	}
	return c, lost, nil
}

// restand corrects the state of an agent whose works are gone with their queue.
func (c *Core) restand(a *agent) {
	switch a.state {
	case Reserved, Ringing, Talking, WrapUp:
	default:
		return
	}
	switch {
	case a.pending != nil || a.works():
	case len(a.seats) > 0:
		c.moveTo(a, WrapUp)
	case a.paused:
		a.reason = ReasonRejected
		c.moveTo(a, NotReady)
	default:
		a.reason = a.nextWhy
		c.moveTo(a, a.next)
	}
}

// moveTo sets a state without telling.
func (c *Core) moveTo(a *agent, to AgentState) {
	for _, m := range a.members {
		m.q.states[a.state]--
		m.q.states[to]++
		if to == NotReady && a.reason == ReasonRejected {
			m.q.paused++
		}
	}
	a.state = to
}

func (c *Core) restoreAgent(d *agentDump) {
	a := c.agents[d.ID]
	if a == nil || d.State <= stateInvalid || d.State >= numStates || d.Next != Ready && d.Next != NotReady && d.Next != LoggedOut {
		return
	}
	a.reason = d.Reason
	c.moveTo(a, d.State)
	a.since, a.idle, a.turn, a.answered, a.talk, a.busy, a.unused = d.Since, d.Idle, d.Turn, d.Answered, d.Talk, d.Busy, d.Unused
	a.offer, a.next, a.nextWhy, a.paused, a.devices = d.Offer, d.Next, d.NextWhy, d.Paused, d.Devices
	c.restoreTimer(&a.timer, d.Timer)
}

func (c *Core) restoreTimer(t *timer, d *timerDump) {
	if d != nil {
		t.at = d.At
		c.timers.push(d.At, d.Turn, 0, t)
	}
}

func (c *Core) restoreSeat(d *seatDump, a *agent, w *work, q *queue) {
	s := &seat{a: a, w: w, q: q, state: d.State, number: d.Number, slots: d.Slots, at: d.At}
	s.timer = timer{index: -1, s: s}
	c.restoreTimer(&s.timer, d.Timer)
	a.seats = append(a.seats, s)
	if d.State == seatOffered {
		a.pending = s
	}
	if w != nil {
		w.seats = append(w.seats, s)
	}
}
