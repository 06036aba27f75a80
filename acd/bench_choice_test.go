package acd

import (
	"math/rand/v2"
	"time"
)

// ChoiceCycles measures the choice itself, in a Core with agents ready: for every work the agent is found and taken out of the index, and
// later put back as the idlest last. It is what the floor of the skill benchmark does, nothing around it. It returns nanoseconds per
// choice and return.
func ChoiceCycles(c *Core, queue string, needs []*Terms, n int, r *rand.Rand) float64 {
	const batch = 50
	q := c.queues[queue]
	var works [batch]work
	var got [batch]*agent
	var spent time.Duration
	for range n / batch {
		for i := range works {
			works[i] = work{queue: q, class: q.classOf(needs[r.IntN(len(needs))].Needs, -1, false)}
		}
		start := time.Now()
		for i := range works {
			got[i] = nil
			if m := c.choose(&works[i]); m != nil {
				got[i] = m.a
				m.a.paused = true
				c.refresh(m.a)
			}
		}
		for _, a := range got {
			if a != nil {
				c.turns++
				a.idle, a.turn, a.paused = c.now, c.turns, false
				c.refresh(a)
			}
		}
		spent += time.Since(start)
	}
	return float64(spent.Nanoseconds()) / float64(n)
}
