package report

import (
	"cmp"
	"slices"
	"time"
)

// Line is one line read out of an Archive.
type Line struct {
	Counters
	// Suppressed says that there is nothing in Counters but From, To and Queue: fewer contacts or agents than the least group, or a line that
	// would tell about such a one by subtraction.
	Suppressed bool `json:"suppressed,omitempty"`
	// Withheld names the sums of times that are zero because too few waits or conversations are in them.
	Withheld []string `json:"withheld,omitempty"`
}

// Summary is one period read out of an Archive.
type Summary struct {
	Total  Line   `json:"total"`  // over all queues; Queue is empty
	Queues []Line `json:"queues"` // by name; queues in which nothing happened are absent
}

// sums are the times of a Line that are withheld one by one. Each is about the contacts that its count counts.
var sums = []struct {
	name   string
	agents bool
	count  func(*Counters) int
	field  func(*Counters) *time.Duration
}{
	{"TotalAnswer", false, func(c *Counters) int { return c.Answered - c.CallbacksKept }, func(c *Counters) *time.Duration { return &c.TotalAnswer }},
	{"TotalAbandon", false, func(c *Counters) int { return c.Abandoned - c.CallbacksLost }, func(c *Counters) *time.Duration { return &c.TotalAbandon }},
	{"TotalOverflow", false, func(c *Counters) int { return c.Overflowed - c.CallbacksRemoved }, func(c *Counters) *time.Duration { return &c.TotalOverflow }},
	{"TalkTime", true, func(c *Counters) int { return c.Handled }, func(c *Counters) *time.Duration { return &c.TalkTime }},
	{"WrapUpTime", true, func(c *Counters) int { return c.Handled }, func(c *Counters) *time.Duration { return &c.WrapUpTime }},
}

// Read returns the periods that are over, oldest first, without anything that tells about fewer than the least group: lines with too few contacts
// or agents, and as many other lines as it takes that the total minus the lines shown does not tell about them either. There is no total
// over periods, for the same reason. A period that was read takes no more counts; let the Tally Advance first.
//
// The attacker knows one contact or colleague and when that person was in a queue, and would learn the rest from figures that everybody may see.
// Several contacts of one person count as several: no counter can know.
func (a *Archive) Read(now time.Time) []Summary {
	a.mu.Lock()
	st := a.stateLocked()
	if now.After(a.read) {
		a.read = now
	}
	a.mu.Unlock()
	var out []Summary
	for len(st.Counters) > 0 {
		n := slices.IndexFunc(st.Counters, func(c Counters) bool { return !c.From.Equal(st.Counters[0].From) })
		if n < 0 {
			n = len(st.Counters)
		}
		if !st.Counters[0].To.After(now) {
			out = append(out, a.summary(st.Counters[:n]))
		}
		st.Counters = st.Counters[n:]
	}
	return out
}

// group is who stands behind what one line contributes to one measure.
type group struct {
	present        bool
	people, agents int
}

// small says whether a group must not be seen alone.
func (a *Archive) small(g group) bool {
	return g.people < a.cfg.MinGroup || g.agents > 0 && g.agents < a.cfg.MinAgents
}

// hide extends the hidden lines until neither a line nor the total minus the others shows a small group.
func (a *Archive) hide(groups []group, hidden []bool) {
	for i, g := range groups {
		hidden[i] = hidden[i] || g.present && a.small(g)
	}
	for {
		n, rest, next := 0, group{}, -1
		for i, g := range groups {
			switch {
			case !g.present:
			case hidden[i]:
				n++
				rest.people += g.people
				rest.agents = max(rest.agents, g.agents)
			case next < 0 || g.people < groups[next].people:
				next = i
			}
		}
		if n == 0 || next < 0 || n > 1 && !a.small(rest) {
			return
		}
		hidden[next] = true
	}
}

func (a *Archive) summary(counters []Counters) Summary {
	total := Counters{From: counters[0].From, To: counters[0].To}
	groups := make([]group, len(counters))
	for i := range counters {
		total = total.plus(&counters[i])
		groups[i] = group{true, counters[i].people(), counters[i].Agents}
	}
	out := Summary{Total: Line{Counters: total}, Queues: make([]Line, len(counters))}
	gone := make([]bool, len(counters))
	a.hide(groups, gone)
	out.Total.Suppressed = a.small(group{true, total.people(), total.Agents})
	for i := range counters {
		out.Queues[i] = Line{Counters: counters[i], Suppressed: gone[i] || out.Total.Suppressed}
	}
	for _, s := range sums {
		hidden := slices.Clone(gone)
		whole := group{people: s.count(&total)}
		for i := range counters {
			groups[i] = group{present: s.count(&counters[i]) > 0, people: s.count(&counters[i])}
			if s.agents && groups[i].present {
				groups[i].agents = counters[i].Agents
				whole.agents = max(whole.agents, counters[i].Agents)
			}
		}
		a.hide(groups, hidden)
		for i := range out.Queues {
			if hidden[i] {
				out.Queues[i].withhold(s.name, s.field(&out.Queues[i].Counters))
			}
		}
		if whole.people > 0 && a.small(whole) {
			out.Total.withhold(s.name, s.field(&out.Total.Counters))
		}
	}
	for i := range out.Queues {
		out.Queues[i].blank()
	}
	out.Total.blank()
	slices.SortFunc(out.Queues, func(x, y Line) int { return cmp.Compare(x.Queue, y.Queue) })
	return out
}

func (l *Line) withhold(name string, d *time.Duration) {
	*d = 0
	l.Withheld = append(l.Withheld, name)
}

// blank empties a suppressed line.
func (l *Line) blank() {
	if l.Suppressed {
		l.Counters, l.Withheld = Counters{From: l.From, To: l.To, Queue: l.Queue}, nil
	}
}
