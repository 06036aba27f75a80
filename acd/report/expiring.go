package report

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// MessageLife is how long the body of a message may be kept after it arrived, at the latest.
const MessageLife = 7 * 24 * time.Hour

// Why a body is to be erased.
const (
	Delivered = "delivered" // an agent has the work: the last recipient has the message
	Ended     = "ended"     // the work is over without one
	Expired   = "expired"   // MessageLife is over
)

// Due is a work whose message body is to be erased.
type Due struct {
	Work string
	At   time.Time // since when
	Why  string    // Delivered, Ended or Expired
}

// Expiring tells which message bodies are to be erased. acd has no bodies: whoever keeps them feeds an Expiring as a Tally is fed, erases what is
// Due, and says so with Erased. After a restart the log fed again gives the same list, so nothing is forgotten and erasing twice does
// no harm. It is safe for concurrent use.
type Expiring struct {
	mu       sync.Mutex
	channels []string
	queues   map[string]string // channel by queue
	bodies   map[string]*body
}

type body struct {
	arrived time.Time
	due     Due
	spared  bool // it is in a queue of another channel
}

// NewExpiring watches the works of the given channels. A work that no queue has shown to be of another channel is watched too, so that a
// message that never left self-service is not forgotten.
func NewExpiring(channels ...string) *Expiring {
	return &Expiring{channels: slices.Clone(channels), queues: map[string]string{}, bodies: map[string]*body{}}
}

// Observe takes one entry, in order and from the beginning of the log.
func (x *Expiring) Observe(e acd.Entry) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch ev := &e.Event; {
	case ev.Kind == acd.KindStarted && ev.Rules != nil:
		for _, q := range ev.Rules.WithDefaults().Queues {
			x.queues[q.Name] = q.Channel
		}
	case ev.Kind == acd.KindArrived:
		x.bodies[ev.Work] = &body{arrived: ev.At}
	case ev.Kind == acd.KindEnqueued:
		if b := x.bodies[ev.Work]; b != nil {
			b.spared = !slices.Contains(x.channels, x.queues[ev.Queue])
		}
	}
	for i := range e.Decisions {
		d := &e.Decisions[i]
		b := x.bodies[d.Work]
		if b == nil {
			continue
		}
		switch {
		case d.Kind == acd.DecideEnded && b.spared:
			delete(x.bodies, d.Work)
		case d.Kind == acd.DecideAnswered && b.due.Why == "":
			b.due = Due{d.Work, d.At, Delivered}
		case d.Kind == acd.DecideEnded && b.due.Why == "":
			b.due = Due{d.Work, d.At, Ended}
		}
	}
}

// Due returns what is to be erased at a time, what was due first comes first.
func (x *Expiring) Due(now time.Time) []Due {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []Due
	for work, b := range x.bodies {
		due := b.due
		if end := b.arrived.Add(MessageLife); due.Why == "" || end.Before(due.At) {
			due = Due{work, end, Expired}
		}
		if !b.spared && !due.At.After(now) {
			out = append(out, due)
		}
	}
	slices.SortFunc(out, func(a, b Due) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Work, b.Work)) })
	return out
}

// Erased takes a work off the list once its body is gone.
func (x *Expiring) Erased(work string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.bodies, work)
}
