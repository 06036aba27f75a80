package sim

import (
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Result is what a simulation found.
type Result struct {
	Queues []QueueResult // in the order of Rules
	All    QueueResult   // all queues together, each wait by its own queue's targets; without a name
	// Occupancy is the time agents were at work (being rung, talking, in wrap-up) divided by the time they were at work or ready.
	Occupancy Estimate
	Events    uint64        // that the core was given, warm-up included
	Counted   time.Duration // simulated time that counted, over all replications
	Loss      *LossReport   // what became of Config.Loss; nil if there was none. Of replications, the sum
}

// QueueResult are the figures of one queue. A wait counts if it began in the counted time and had ended when the run did.
type QueueResult struct {
	Name           string
	Entered        int // waits begun
	Answered       int
	Abandoned      int
	ShortAbandoned int // of Abandoned, those before the queue's ShortAbandon
	Overflowed     int // given back by the queue
	InTarget       int // of Answered, those within the queue's ServiceTarget

	// Wait is the probability that no agent was free; who was turned away at the door is left out.
	Wait Estimate
	// Level is the service level: InTarget / (Answered + Abandoned - ShortAbandoned).
	Level Estimate
	// ASA is the mean wait of those answered, in seconds, ringing included.
	ASA Estimate
	// Abandon is Abandoned / (Answered + Abandoned).
	Abandon Estimate
	// Length is the mean number of works that wait or are being offered.
	Length Estimate
}

// result makes figures of batches, which are batches of one run or whole runs.
func result(queues []acd.Queue, batches []batch, confidence float64) Result {
	var out Result
	samples := make([]sample, len(batches))
	over := func(f func(b *batch) sample) Estimate {
		for i := range batches {
			samples[i] = f(&batches[i])
		}
		return ratio(samples, confidence)
	}
	figures := func(name string, of func(b *batch) counts) QueueResult {
		q := QueueResult{Name: name}
		for i := range batches {
			c := of(&batches[i])
			q.Entered += c.entered
			q.Answered += c.answered
			q.Abandoned += c.abandoned
			q.ShortAbandoned += c.short
			q.Overflowed += c.overflowed
			q.InTarget += c.inTarget
		}
		estimate := func(f func(c counts, span float64) sample) Estimate {
			return over(func(b *batch) sample { return f(of(b), b.span) })
		}
		q.Wait = estimate(func(c counts, _ float64) sample { return sample{float64(c.waited), float64(c.admitted)} })
		q.Level = estimate(func(c counts, _ float64) sample {
			return sample{float64(c.inTarget), float64(c.answered + c.abandoned - c.short)}
		})
		q.ASA = estimate(func(c counts, _ float64) sample { return sample{c.wait, float64(c.answered)} })
		q.Abandon = estimate(func(c counts, _ float64) sample {
			return sample{float64(c.abandoned), float64(c.answered + c.abandoned)}
		})
		q.Length = estimate(func(c counts, span float64) sample { return sample{c.area, span} })
		return q
	}
	for i, q := range queues {
		out.Queues = append(out.Queues, figures(q.Name, func(b *batch) counts { return b.queues[i] }))
	}
	out.All = figures("", func(b *batch) counts { return sum(b.queues) })
	out.Occupancy = over(func(b *batch) sample { return sample{b.busy, b.here} })
	var span float64
	for i := range batches {
		span += batches[i].span
	}
	out.Counted = time.Duration(span * float64(time.Second))
	return out
}

func sum(all []counts) (out counts) {
	for i := range all {
		c := &all[i]
		out.entered += c.entered
		out.admitted += c.admitted
		out.waited += c.waited
		out.answered += c.answered
		out.inTarget += c.inTarget
		out.abandoned += c.abandoned
		out.short += c.short
		out.overflowed += c.overflowed
		out.wait += c.wait
		out.area += c.area
	}
	return out
}

// fold makes one batch of all batches of a run.
func fold(batches []batch) batch {
	out := batch{queues: make([]counts, len(batches[0].queues))}
	for i := range batches {
		b := &batches[i]
		for q := range out.queues {
			out.queues[q] = sum([]counts{out.queues[q], b.queues[q]})
		}
		out.span += b.span
		out.busy += b.busy
		out.here += b.here
	}
	return out
}
