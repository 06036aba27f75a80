package sim

import (
	"time"

	"github.com/ringfence/ringfence/acd"
)

// counts are what is counted of one queue in one batch. A wait counts in the batch in which it began.
type counts struct {
	entered    int // waits begun
	admitted   int // of them, those not turned away at once
	waited     int // of those, those for whom no agent was free
	answered   int
	inTarget   int // of answered, those within the queue's ServiceTarget
	abandoned  int
	short      int // of abandoned, those before the queue's ShortAbandon
	overflowed int
	wait       float64 // seconds, of answered
	area       float64 // seconds times works that wait
}

// batch is what is counted in one part of a run.
type batch struct {
	queues     []counts
	span       float64 // seconds
	busy, here float64 // seconds times agents: at work, and at work or ready
}

// meter counts. It takes everything from the core's decisions.
type meter struct {
	batches []batch
	now     *batch // what counts go to; in the warm-up one that is thrown away
	lines   []*line
	start   int64 // of the present batch
	since   int64 // up to when busy and here are counted
	busy    int
	here    int
}

func newMeter(lines []*line, start int64, batches int) *meter {
	return &meter{lines: lines, start: start, since: start, now: &batch{queues: make([]counts, len(lines))},
		batches: make([]batch, 0, batches+1)} // jobs point into it, so it never moves
}

// turn ends a batch and begins the next.
func (m *meter) turn(at int64) {
	m.settle(at)
	for _, l := range m.lines {
		l.settle(m, at)
	}
	m.now.span = float64(at-m.start) / float64(time.Second)
	m.start = at
	m.batches = append(m.batches, batch{queues: make([]counts, len(m.lines))})
	m.now = &m.batches[len(m.batches)-1]
}

// end ends the last batch.
func (m *meter) end(at int64) {
	m.turn(at)
	m.batches = m.batches[:len(m.batches)-1]
}

func (m *meter) settle(at int64) {
	d := float64(at-m.since) / float64(time.Second)
	m.now.busy += d * float64(m.busy)
	m.now.here += d * float64(m.here)
	m.since = at
}

// state counts agents at work and ready.
func (m *meter) state(from, to acd.AgentState, at int64) {
	fromBusy, fromHere := atWork(from)
	toBusy, toHere := atWork(to)
	if fromBusy == toBusy && fromHere == toHere {
		return
	}
	m.settle(at)
	m.busy += toBusy - fromBusy
	m.here += toHere - fromHere
}

func atWork(s acd.AgentState) (busy, here int) {
	switch s {
	case acd.Ready:
		return 0, 1
	case acd.Reserved, acd.Ringing, acd.Talking, acd.WrapUp:
		return 1, 1
	}
	return 0, 0
}

// line is one queue.
type line struct {
	acd.Queue
	index   int
	waiting int // works that wait or are being offered
	talking int
	since   int64 // up to when the area is counted
	plain   bool  // every ready member may have every work that waits
}

func (l *line) settle(m *meter, at int64) {
	m.now.queues[l.index].area += float64(at-l.since) / float64(time.Second) * float64(l.waiting)
	l.since = at
}

// grow changes how many wait.
func (l *line) grow(m *meter, by int, at int64) {
	l.settle(m, at)
	l.waiting += by
}

func (m *meter) answered(j *job, at int64) {
	c, wait := &j.batch.queues[j.line.index], time.Duration(at-j.entered)
	c.answered++
	c.wait += wait.Seconds()
	if wait <= j.line.ServiceTarget {
		c.inTarget++
	}
}

func (m *meter) abandoned(j *job, at int64) {
	c := &j.batch.queues[j.line.index]
	c.abandoned++
	if time.Duration(at-j.entered) < j.line.ShortAbandon {
		c.short++
	}
}
