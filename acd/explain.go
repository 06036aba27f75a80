package acd

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Explanation is everything a Core looked at when it offered a work, or found nobody for it. Nothing of it is gathered unless somebody
// asks: Explain, or Core.ExplainNext.
type Explanation struct {
	Seq      uint64    `json:"seq"` // the event
	At       time.Time `json:"at"`
	Work     string    `json:"work"`
	Queue    string    `json:"queue"`
	Agent    string    `json:"agent,omitempty"` // chosen; empty if nobody was free for the work
	Strategy Strategy  `json:"strategy"`
	Needs    []Skill   `json:"needs,omitempty"` // of the work now, after rings
	Ring     int       `json:"ring"`            // rings reached, 0 before the first
	// Candidates are the free agents who could have had the work, the strategy's first choice first; for round-robin, sequential and the
	// random ones in order of place.
	Candidates []Candidate `json:"candidates,omitempty"`
	// Excluded are the other members of the queue, each with the first reason that kept it out.
	Excluded []Candidate `json:"excluded,omitempty"`
	// Rivals are the first works of each queue that the agent could have served, the chosen one included, the strongest claim first.
	// They are given where an agent chose among works: when it became free.
	Rivals []Rival `json:"rivals,omitempty"`
}

// Candidate is one agent in an Explanation.
type Candidate struct {
	Agent     string `json:"agent"`
	Preferred bool   `json:"preferred,omitempty"` // named by Terms.Prefer, or the customer's last agent: whatever its skills
	Tier      int    `json:"tier,omitempty"`
	Skill     int    `json:"skill,omitempty"`  // sum of its levels in what the work needs
	Score     int64  `json:"score,omitempty"`  // as in Why
	Reason    string `json:"reason,omitempty"` // why it was excluded
}

// Rival is one work in an Explanation.
type Rival struct {
	Work     string        `json:"work"`
	Queue    string        `json:"queue"`
	Priority int           `json:"priority,omitempty"`
	Age      time.Duration `json:"age"` // that counts for the order: head start and kept clock included
	Claim    int64         `json:"claim"`
}

// String explains in a few lines.
func (e Explanation) String() string {
	var b strings.Builder
	to := e.Agent
	if to == "" {
		to = "nobody"
	}
	fmt.Fprintf(&b, "event %d: %s of queue %s to %s by %s\n", e.Seq, e.Work, e.Queue, to, e.Strategy)
	for i, x := range e.Candidates {
		fmt.Fprintf(&b, "  %d. %s score %d tier %d skill %d\n", i+1, x.Agent, x.Score, x.Tier, x.Skill)
	}
	for _, x := range e.Excluded {
		fmt.Fprintf(&b, "  not %s: %s\n", x.Agent, x.Reason)
	}
	for i, x := range e.Rivals {
		fmt.Fprintf(&b, "  work %d. %s of %s priority %d age %v claim %d\n", i+1, x.Work, x.Queue, x.Priority, x.Age, x.Claim)
	}
	return b.String()
}

// explainer gathers explanations during one Apply.
type explainer struct{ list []Explanation }

// ExplainNext has the next Apply gather explanations, for Explanations. It changes no decision.
func (c *Core) ExplainNext() { c.explain = &explainer{} }

// Explanations returns what the last Apply gathered, in the order of the decisions; nil if ExplainNext was not called before it. A
// second call returns nil.
func (c *Core) Explanations() []Explanation {
	if c.explain == nil {
		return nil
	}
	list := c.explain.list
	c.explain = nil
	return list
}

// Explain replays a log up to an event and explains what was decided on it. The error is as of Replay; an event that is not in the log
// gives one that wraps ErrUnknown.
func Explain(log iter.Seq2[Event, error], seq uint64) ([]Explanation, error) {
	c := NewCore()
	for ev, err := range log {
		if err != nil {
			return nil, err
		}
		if ev.Seq == seq {
			c.ExplainNext()
		}
		if _, err := c.Apply(ev); err != nil {
			return nil, fmt.Errorf("%w: event %d: %w", ErrLog, ev.Seq, err)
		}
		if ev.Seq == seq {
			return c.Explanations(), nil
		}
	}
	return nil, fmt.Errorf("%w: event %d", ErrUnknown, seq)
}

// offer gathers one decision. m is who was chosen, nil if nobody; byAgent says that the agent chose among works.
func (x *explainer) offer(c *Core, m *member, w *work, byAgent bool) {
	q, cl := w.queue, w.class
	e := Explanation{Seq: c.seq, At: c.clock, Work: w.rec.Work, Queue: q.Name, Strategy: q.Strategy, Needs: slices.Clone(cl.needs), Ring: int(w.ring) + 1}
	if m != nil {
		e.Agent = m.a.id
	}
	type entry struct {
		Candidate
		rank, k1, k2, k3 int64
	}
	var free []entry
	for _, a := range c.roster {
		o := a.memberOf(q)
		if o == nil {
			continue
		}
		rank, ok := o.g.satisfies(cl, q.Strategy)
		cand := entry{Candidate: Candidate{Agent: a.id, Tier: int(o.tier), Score: o.score}, rank: rank}
		for _, n := range cl.needs {
			cand.Skill += a.profile.level(n.Name)
		}
		preferred := slices.Contains(w.preferred(), o)
		if cand.Preferred = preferred; preferred {
			cand.rank = int64(slices.Index(w.preferred(), o)) - 1<<40
		}
		switch reason := c.excluded(o, w); {
		case !ok && !preferred || reason != "":
			cand.Score, cand.Reason = 0, reason
			if reason == "" {
				cand.Reason = o.g.lacks(cl)
			}
			e.Excluded = append(e.Excluded, cand.Candidate)
		default:
			cand.k1, cand.k2, cand.k3 = c.keys(o)
			free = append(free, cand)
		}
	}
	slices.SortFunc(free, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.k1, b.k1), cmp.Compare(a.k2, b.k2), cmp.Compare(a.k3, b.k3))
	})
	for i := range free {
		e.Candidates = append(e.Candidates, free[i].Candidate)
	}
	if byAgent {
		e.Rivals = c.rivals(m.a)
	}
	x.list = append(x.list, e)
}

// excluded says why a member is not free for a work; empty if it is.
func (c *Core) excluded(m *member, w *work) string {
	a := m.a
	switch {
	case w.preferEnd > 0 && !slices.Contains(w.preferred(), m):
		return "the work is for others first"
	case w.human && a.bot:
		return "is a bot, and the customer wants a person"
	case m.free:
		return ""
	case a.paused:
		return "refused an offer a moment ago"
	case a.state == NotReady:
		return "not-ready " + a.reason
	case a.state == Ready || a.next == Ready && (a.state == Talking || a.state == WrapUp):
		return "no capacity left for " + m.q.Channel
	}
	return a.state.String()
}

// lacks says why a group does not satisfy a class.
func (g *group) lacks(cl *class) string {
	if int(g.tier) > cl.tier {
		return fmt.Sprintf("tier %d is not admitted yet", g.tier)
	}
	for _, n := range cl.needs {
		if level := g.p.level(n.Name); level < n.Level {
			return fmt.Sprintf("has %s at %d, needed is %d", n.Name, level, n.Level)
		}
	}
	return "does not match"
}

// rivals returns the first works of the queues an agent could serve.
func (c *Core) rivals(a *agent) []Rival {
	var works []*work
	for _, m := range a.members {
		if w := c.firstFor(m); w != nil {
			works = append(works, w)
		}
	}
	slices.SortFunc(works, func(w, o *work) int {
		switch {
		case w == o:
			return 0
		case c.before(w, o):
			return -1
		}
		return 1
	})
	out := make([]Rival, 0, len(works))
	for _, w := range works {
		claim, _ := c.claim(w)
		out = append(out, Rival{Work: w.rec.Work, Queue: w.queue.Name, Priority: w.rec.Priority, Age: time.Duration(c.now - w.virtual), Claim: claim})
	}
	return out
}
