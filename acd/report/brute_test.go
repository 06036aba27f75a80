package report_test

import (
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
)

// brute is a second computation, over whole lists instead of running counts: stays in queues, conversations, wrap-ups and stretches of agents'
// states, each with begin and end; what is asked for is filtered out of them.
type brute struct {
	stays    []stay
	talks    []stretch
	wraps    []stretch
	states   []stretch
	offers   []dot
	records  []acd.Record
	arrivals []time.Time
	answers  []time.Time
	end      time.Time
}

type stay struct {
	work, queue, channel string
	from, to             time.Time // to is zero while it goes on
	fate                 string    // answered, abandoned, overflowed
	callback             time.Time // zero: none
	human, transfer      bool
	again, been          bool // in any queue before, in this one before
	agent                string
	bot                  bool
	rules                acd.Queue // when it ended
	promised             bool
}

type stretch struct {
	queue, channel, agent string
	state                 acd.AgentState
	from, to              time.Time
}

type dot struct {
	at             time.Time
	queue, channel string
	what           string
	bot            bool
}

func bruteForce(entries []acd.Entry, end time.Time) *brute {
	b := &brute{end: end}
	rules, channel, bots := map[string]acd.Queue{}, map[string]string{}, map[string]bool{}
	transfers := map[string]bool{}
	var last time.Time
	lastTalk := map[string]stretch{} // by agent
	current := map[string]stretch{}  // by agent
	stop := func(agent string, at time.Time) {
		s, ok := current[agent]
		if !ok {
			return
		}
		delete(current, agent)
		s.to = at
		b.states = append(b.states, s)
		if l, ok := lastTalk[agent]; ok && s.state == acd.WrapUp {
			b.wraps = append(b.wraps, stretch{queue: l.queue, channel: l.channel, agent: agent, from: s.from, to: at})
		}
	}
	waits := func(work string) *stay {
		for i := len(b.stays) - 1; i >= 0; i-- {
			if b.stays[i].work == work {
				if b.stays[i].to.IsZero() {
					return &b.stays[i]
				}
				break
			}
		}
		return nil
	}
	for _, e := range entries {
		ev := e.Event
		switch ev.Kind {
		case acd.KindArrived:
			b.arrivals = append(b.arrivals, ev.At)
			transfers[ev.Work] = ev.Attributes["continues"] != ""
		case acd.KindEnqueued:
			s := stay{work: ev.Work, queue: ev.Queue, channel: channel[ev.Queue], from: ev.At, human: ev.Terms != nil && ev.Terms.Human, promised: rules[ev.Queue].KeepEstimate}
			for _, o := range b.stays {
				s.again = s.again || o.work == ev.Work
				s.been = s.been || o.work == ev.Work && o.queue == ev.Queue && o.channel == s.channel
			}
			s.transfer = transfers[ev.Work] && !s.again
			b.stays = append(b.stays, s)
		case acd.KindStarted:
			at := last
			if ev.Resume {
				at = ev.At
			}
			for agent := range current {
				stop(agent, at)
			}
			for _, a := range ev.Rules.Agents {
				bots[a.ID] = a.Bot
			}
		}
		for _, d := range e.Decisions {
			s := waits(d.Work)
			leave := func(fate string) {
				s.to, s.fate, s.rules = d.At, fate, rules[s.queue]
			}
			switch d.Kind {
			case acd.DecideState:
				stop(d.Agent, d.At)
				current[d.Agent] = stretch{agent: d.Agent, state: d.State, from: d.At}
			case acd.DecideOffer, acd.DecideDial:
				b.offers = append(b.offers, dot{d.At, d.Queue, channel[d.Queue], string(d.Kind), bots[d.Agent]})
			case acd.DecideRevoke:
				b.offers = append(b.offers, dot{d.At, d.Queue, channel[d.Queue], d.Reason, bots[d.Agent]})
			case acd.DecideCallback:
				s.callback = d.At
			case acd.DecideAnswered:
				b.answers = append(b.answers, d.At)
				leave("answered")
				s.agent, s.bot = d.Agent, bots[d.Agent]
			case acd.DecideOverflow:
				leave("overflowed")
			case acd.DecideEnded:
				b.records = append(b.records, *d.Record)
				if s != nil {
					leave("abandoned")
				}
				if d.Record.Outcome == acd.Answered {
					i := slices.IndexFunc(b.stays, func(s stay) bool { return s.work == d.Work && s.fate == "answered" })
					talk := stretch{queue: b.stays[i].queue, channel: b.stays[i].channel, agent: d.Record.Agent, from: d.Record.AnsweredAt, to: d.Record.EndedAt}
					b.talks = append(b.talks, talk)
					lastTalk[d.Record.Agent] = talk
				}
			}
		}
		if ev.Kind == acd.KindStarted {
			for _, q := range ev.Rules.WithDefaults().Queues {
				rules[q.Name], channel[q.Name] = q, q.Channel
			}
		}
		last = ev.At
	}
	for agent := range current { // they go on
		s := current[agent]
		s.to = end
		b.states = append(b.states, s)
	}
	return b
}

// window answers what happened from a time on and before another, as of then.
type window struct{ from, to time.Time }

func (w window) has(t time.Time) bool { return !t.IsZero() && !t.Before(w.from) && t.Before(w.to) }

// overlap is how much of a stretch is in the window.
func (w window) overlap(s stretch) time.Duration {
	from, to := s.from, s.to
	if from.Before(w.from) {
		from = w.from
	}
	if w.to.Before(to) {
		to = w.to
	}
	return max(0, to.Sub(from))
}

func within(h *report.Histogram, d time.Duration) {
	i, _ := slices.BinarySearch(report.Bounds(), d)
	h[i]++
}

// figures computes the Waits of what keep keeps, by queue and channel.
func (b *brute) figures(w window, keep func(queue, channel string) bool) report.Waits {
	var f report.Waits
	answerers := map[[2]string]map[string]bool{}
	for _, s := range b.stays {
		if !keep(s.queue, s.channel) {
			continue
		}
		begun := s.from.Before(w.to)
		over := !s.to.IsZero() && s.to.Before(w.to)
		if w.has(s.from) {
			f.Entered++
			f.Contacts += is(!s.been)
			f.Requeued += is(s.again)
			f.Transfers += is(s.transfer)
			f.HumanOnly += is(s.human)
		}
		f.CallbacksRequested += is(w.has(s.callback))
		line := s.callback.IsZero() || !s.callback.Before(w.to)
		if begun && !over {
			f.Waiting++
			if line {
				f.CurrentWait = max(f.CurrentWait, w.to.Sub(s.from))
				f.LongestWait = max(f.LongestWait, w.to.Sub(s.from))
			}
		}
		if !w.has(s.to) {
			continue
		}
		wait := s.to.Sub(s.from)
		if line {
			f.LongestWait = max(f.LongestWait, wait)
		}
		switch s.fate {
		case "answered":
			f.Answered++
			f.BotAnswers += is(s.bot)
			if answerers[[2]string{s.queue, s.channel}] == nil {
				answerers[[2]string{s.queue, s.channel}] = map[string]bool{}
			}
			answerers[[2]string{s.queue, s.channel}][s.agent] = true
			if line {
				f.TotalAnswer += wait
				f.InTarget += is(wait <= s.rules.ServiceTarget)
				within(&f.AnsweredWithin, wait)
			} else {
				f.CallbacksKept++
			}
		case "abandoned":
			f.Abandoned++
			if line {
				f.TotalAbandon += wait
				f.ShortAbandoned += is(wait < s.rules.ShortAbandon)
				f.AbandonedInTarget += is(wait <= s.rules.ServiceTarget)
				within(&f.AbandonedWithin, wait)
			} else {
				f.CallbacksLost++
			}
		case "overflowed":
			f.Overflowed++
			if line {
				f.TotalOverflow += wait
			} else {
				f.CallbacksRemoved++
			}
		}
	}
	for _, who := range answerers {
		f.Agents = max(f.Agents, len(who))
	}
	for _, o := range b.offers {
		if keep(o.queue, o.channel) && w.has(o.at) {
			f.Offers += is(o.what == string(acd.DecideOffer))
			f.BotOffers += is(o.what == string(acd.DecideOffer) && o.bot)
			f.CallbackAttempts += is(o.what == string(acd.DecideDial))
			f.NoAnswer += is(o.what == acd.OfferTimedOut)
			f.Rejected += is(o.what == acd.OfferRejected)
			f.CallbacksUnreached += is(o.what == acd.OfferUnreached)
		}
	}
	for _, s := range b.talks {
		if keep(s.queue, s.channel) && w.has(s.to) {
			f.Handled++
			f.TalkTime += s.to.Sub(s.from)
		}
	}
	for _, s := range b.wraps {
		if keep(s.queue, s.channel) && w.has(s.to) {
			f.WrapUpTime += s.to.Sub(s.from)
		}
	}
	for _, r := range b.records {
		if r.Outcome != acd.Answered || !r.CallbackAt.IsZero() || !w.has(r.EndedAt) {
			continue
		}
		i := slices.IndexFunc(b.stays, func(s stay) bool { return s.work == r.Work && s.fate == "answered" })
		if s := b.stays[i]; s.promised && keep(s.queue, s.channel) {
			excess := r.EWT - s.to.Sub(s.from)
			f.Promises++
			f.PromiseExcess += excess
			f.PromiseError += time.Duration(max(int64(excess), -int64(excess)))
			f.PromisesKept += is(excess.Abs() <= time.Minute)
		}
	}
	return f
}

func is(b bool) int {
	if b {
		return 1
	}
	return 0
}

// staff computes the times in states, and adherence to a schedule.
func (b *brute) staff(w window, schedule []report.Shift, alive []stretch) report.Staff {
	var f report.Staff
	for _, s := range b.states {
		d := w.overlap(s)
		switch s.state {
		case acd.NotReady:
			f.NotReady += d
		case acd.Ready:
			f.Ready += d
		case acd.Reserved:
			f.Reserved += d
		case acd.Ringing:
			f.Ringing += d
		case acd.Talking:
			f.Talking += d
		case acd.WrapUp:
			f.WrapUp += d
		}
	}
	for _, shift := range schedule {
		in := window{shift.From, shift.To}
		var planned, worked time.Duration
		for _, p := range alive {
			if d := in.overlap(p); d > 0 {
				planned += w.overlap(stretch{from: latest(p.from, in.from), to: earliest(p.to, in.to)})
			}
		}
		for _, s := range b.states {
			if s.agent == shift.Agent && s.state > acd.NotReady {
				worked += w.overlap(stretch{from: latest(s.from, in.from), to: earliest(s.to, in.to)})
			}
		}
		f.Scheduled += planned
		if shift.Away {
			worked = planned - worked
		}
		f.Adherent += worked
	}
	return f
}

// alive are the times in which a process ran.
func alive(entries []acd.Entry, end time.Time) []stretch {
	var out []stretch
	for i, e := range entries {
		if e.Event.Kind == acd.KindStarted && (i == 0 || !e.Event.Resume) {
			if i > 0 {
				out[len(out)-1].to = entries[i-1].Event.At
			}
			out = append(out, stretch{from: e.Event.At, to: end})
		}
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
