package sim

import (
	"fmt"

	"github.com/ringfence/ringfence/acd"
)

// follow does what customers and agents do upon a decision. It checks each against what must be true before it, so that a run is also a test
// of the core: nothing is offered twice, nobody is rung while busy, nothing is answered that was not offered, nothing ends twice.
func (e *engine) follow(d *acd.Decision) error {
	var p *person
	if d.Agent != "" && d.Kind != acd.DecideEnded {
		if p = e.agents[d.Agent]; p == nil {
			return e.broken(d, "nobody is called so")
		}
	}
	if d.Kind == acd.DecideState {
		e.meter.state(p.state, d.State, e.now)
		p.state = d.State
		return nil
	}
	j := e.jobs[d.Work]
	if j == nil {
		return e.broken(d, "no such work is open")
	}
	switch d.Kind {
	case acd.DecideOffer:
		return e.offered(d, j, p)
	case acd.DecideRevoke:
		if p.offer != d.Offer || p.job != j || j.offers == 0 {
			return e.broken(d, "it is not offered")
		}
		p.offer, p.job = 0, nil
		j.offers--
		if d.Reason == acd.OfferTimedOut && j.line.NoAnswer == acd.NoAnswerNotReady {
			p.rona = true
			e.agenda.add(item{at: e.now + int64(e.cfg.Return), do: doReturn, person: p})
		}
	case acd.DecideAnswered:
		if p.offer != d.Offer || p.job != j || j.state != inLine {
			return e.broken(d, "it is not offered")
		}
		p.offer, p.job = 0, nil
		p.talks++
		j.offers--
		j.state, j.ends = inTalk, e.now+j.talk
		j.line.grow(e.meter, -1, e.now)
		j.line.talking++
		e.meter.answered(j, e.now)
		e.agenda.add(item{at: j.ends, do: doFinish, job: j, gen: j.gen})
	case acd.DecideOverflow:
		return e.overflowed(d, j)
	case acd.DecideEnded:
		return e.ended(d, j)
	}
	return nil
}

func (e *engine) offered(d *acd.Decision, j *job, p *person) error {
	switch {
	case j.state != inLine || j.line.Name != d.Queue:
		return e.broken(d, "the work does not wait there")
	case j.offers > 0 && j.line.Strategy != acd.RingAll:
		return e.broken(d, "the work is offered already")
	case p.offer != 0 || p.gone || p.want != present || e.single && p.talks > 0:
		return e.broken(d, "the agent is not free")
	}
	p.offer, p.job = d.Offer, j
	j.offers++
	if j == e.entering {
		j.at = true
	}
	it := item{at: e.now, do: doAccept, job: j, gen: j.gen, person: p, offer: d.Offer}
	if e.cfg.Answer != nil {
		if delay := draw(e.cfg.Answer, e.answers); delay > 0 {
			ring := it
			ring.do = doRing
			e.agenda.add(ring)
			it.at += delay
		}
	}
	e.agenda.add(it)
	return nil
}

func (e *engine) overflowed(d *acd.Decision, j *job) error {
	if j.state != inLine || j.offers > 0 || j.line.Name != d.Queue {
		return e.broken(d, "it does not wait there")
	}
	j.line.grow(e.meter, -1, e.now)
	j.batch.queues[j.line.index].overflowed++
	j.state = inSelfService
	it := item{at: e.now, do: doGiveUp, job: j, gen: j.gen}
	if j.next = d.Reason; d.To != "" {
		it.do, j.next = doRequeue, d.To
	}
	e.agenda.add(it)
	return nil
}

func (e *engine) ended(d *acd.Decision, j *job) error {
	r := d.Record
	switch {
	case j.state == inTalk && r.Outcome == acd.Answered:
		j.line.talking--
		e.agents[r.Agent].talks--
		if r.Cause == acd.CauseRemoved && e.keeper != nil {
			e.keeper.cut = append(e.keeper.cut, *j)
		}
	case j.state == inLine && r.Outcome == acd.Abandoned && j.offers == 0:
		j.line.grow(e.meter, -1, e.now)
		e.meter.abandoned(j, e.now)
	case j.state == inSelfService && r.Outcome == acd.Overflowed:
	default:
		return e.broken(d, "it cannot have ended so")
	}
	delete(e.jobs, j.id)
	*j = job{gen: j.gen + 1}
	e.spare = append(e.spare, j)
	return nil
}

func (e *engine) broken(d *acd.Decision, why string) error {
	return fmt.Errorf("%w: event %d: %s of work %q in queue %q with agent %q: %s", ErrBroken, e.core.Seq(), d.Kind, d.Work, d.Queue, d.Agent, why)
}

// audit compares the whole core with what follows from its decisions.
func (e *engine) audit() error {
	s := e.core.Snapshot(e.clock)
	if s.Open != len(e.jobs) {
		return fmt.Errorf("%w: event %d: %d works are open, %d should be", ErrBroken, s.Seq, s.Open, len(e.jobs))
	}
	for _, a := range s.Agents {
		if p := e.agents[a.ID]; p.state != a.State {
			return fmt.Errorf("%w: event %d: agent %q is %v and said to be %v", ErrBroken, s.Seq, a.ID, a.State, p.state)
		}
	}
	for i, q := range s.Queues {
		l := e.lines[i]
		if q.Waiting+q.Offered != l.waiting || q.Talking != l.talking {
			return fmt.Errorf("%w: event %d: in queue %q %d wait and %d talk, %d and %d should", ErrBroken, s.Seq, q.Name, q.Waiting+q.Offered, q.Talking, l.waiting, l.talking)
		}
		if l.plain && q.Waiting > 0 && q.Members[acd.Ready] > 0 {
			return fmt.Errorf("%w: event %d: in queue %q %d wait while %d agents are ready", ErrBroken, s.Seq, q.Name, q.Waiting, q.Members[acd.Ready])
		}
	}
	return nil
}
