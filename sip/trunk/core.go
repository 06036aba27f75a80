package trunk

import (
	"slices"
	"time"
)

// State is that of a circuit breaker.
type State string

const (
	// Closed: calls pass.
	Closed State = "closed"
	// Open: the carrier failed too often and rests.
	Open State = "open"
	// HalfOpen: it has rested; one call at a time is tried.
	HalfOpen State = "half-open"
)

// limits are the numbers of a carrier that the core decides by.
type limits struct {
	priority, weight   int
	maxCalls           int
	rate               float64 // calls a second
	trip               int
	cooldown, maxRest  time.Duration
	downAfter, upAfter int
}

// condition is what the core knows of a carrier.
type condition struct {
	limits
	live   int
	tokens float64
	filled time.Time

	failures int // in a row
	open     bool
	until    time.Time
	rest     time.Duration // of the last opening
	trial    bool          // half-open, with its one call under way

	down      bool // by OPTIONS
	good, bad int  // probes in a row

	resting map[string]time.Time // servers that asked not to be asked (RFC 3261 section 21.5.4)
}

// core decides which carriers a call may try. It is told the time and draws lots with rnd, so it can be replayed. It is not safe for concurrent use.
type core struct {
	carriers []condition
	rnd      func(n int) int
}

func newCore(ls []limits, rnd func(n int) int, now time.Time) *core {
	c := &core{rnd: rnd}
	for _, l := range ls {
		c.carriers = append(c.carriers, condition{limits: l, tokens: burst(l.rate), filled: now, resting: make(map[string]time.Time)})
	}
	return c
}

func burst(rate float64) float64 { return max(1, rate) }

func (k *condition) fill(now time.Time) {
	if d := now.Sub(k.filled); d > 0 {
		k.tokens = min(burst(k.rate), k.tokens+d.Seconds()*k.rate)
		k.filled = now
	}
}

func (k *condition) state(now time.Time) State {
	switch {
	case !k.open:
		return Closed
	case now.Before(k.until):
		return Open
	}
	return HalfOpen
}

// sound says that the carrier works as far as is known; room, that it may take one more call now.
func (k *condition) sound(now time.Time) bool {
	return !k.down && (!k.open || !now.Before(k.until) && !k.trial)
}

func (k *condition) room(now time.Time) bool {
	k.fill(now)
	return k.live < k.maxCalls && k.tokens >= 1
}

// plan is the order in which a call tries carriers: by priority, and by lot among equals. An emergency call gets every carrier: full ones after
// free ones, then those whose probes fail, and open ones last rather than never.
func (c *core) plan(now time.Time, emergency bool) []int {
	classes := make([][]int, 4)
	for i := range c.carriers {
		k := &c.carriers[i]
		class := 0
		switch {
		case k.sound(now) && k.room(now):
		case k.sound(now):
			class = 1
		case k.state(now) == Closed:
			class = 2
		default:
			class = 3
		}
		classes[class] = append(classes[class], i)
	}
	if !emergency {
		return c.draw(classes[0])
	}
	var out []int
	for _, class := range classes {
		out = append(out, c.draw(class)...)
	}
	return out
}

// draw orders carriers by priority, and equals by lot with their weights.
func (c *core) draw(in []int) []int {
	slices.SortStableFunc(in, func(a, b int) int { return c.carriers[a].priority - c.carriers[b].priority })
	var out []int
	for len(in) > 0 {
		same, sum := 0, 0
		for same < len(in) && c.carriers[in[same]].priority == c.carriers[in[0]].priority {
			sum += c.carriers[in[same]].weight
			same++
		}
		lot, at := c.rnd(sum), 0
		for lot >= c.carriers[in[at]].weight {
			lot -= c.carriers[in[at]].weight
			at++
		}
		out = append(out, in[at])
		in = slices.Delete(in, at, at+1)
	}
	return out
}

// place is what a call holds on a carrier until release.
type place struct {
	carrier int
	trial   bool // it is the one call of a half-open breaker
}

// admit takes a place on carrier i.
func (c *core) admit(i int, now time.Time, emergency bool) (place, bool) {
	k := &c.carriers[i]
	if !emergency && (!k.sound(now) || !k.room(now)) {
		return place{}, false
	}
	k.fill(now)
	k.tokens = max(0, k.tokens-1)
	k.live++
	p := place{i, k.state(now) == HalfOpen && !k.trial}
	k.trial = k.trial || p.trial
	return p, true
}

// release gives back the place of a call that is over, or that this carrier did not carry.
func (c *core) release(p place) { c.carriers[p.carrier].live-- }

// settle takes what a call said of its carrier. retryAfter is how long all of its servers asked to be left alone. Whoever gets through closes the
// breaker; only its trial opens a half-open one again, not a call that is left over from before.
func (c *core) settle(p place, now time.Time, v verdict, retryAfter time.Duration) {
	k := &c.carriers[p.carrier]
	was := k.state(now)
	if p.trial {
		k.trial = false
	}
	retryAfter = min(retryAfter, k.maxRest)
	switch {
	case v.well:
		k.open, k.failures, k.rest = false, 0, 0
	case !v.sick:
	case was == Closed:
		if k.failures++; k.failures >= k.trip || retryAfter > 0 {
			k.rest = max(k.rest, k.cooldown)
			k.open, k.until = true, now.Add(max(k.rest, retryAfter))
		}
	case p.trial:
		k.rest = min(2*k.rest, k.maxRest)
		k.until = now.Add(max(k.rest, retryAfter))
	case was == Open: // it rests already; only the carrier itself can make that longer
		if t := now.Add(retryAfter); t.After(k.until) {
			k.until = t
		}
	}
}

// probed takes the result of an OPTIONS. It needs several in a row to change its mind, so that one lost packet moves no traffic.
func (c *core) probed(i int, ok bool) (changed bool) {
	k := &c.carriers[i]
	if ok {
		k.good, k.bad = k.good+1, 0
	} else {
		k.good, k.bad = 0, k.bad+1
	}
	was := k.down
	switch {
	case k.down && k.good >= k.upAfter:
		k.down = false
	case !k.down && k.bad >= k.downAfter:
		k.down = true
	}
	return was != k.down
}

// keepOff leaves a server alone until a time.
func (c *core) keepOff(i int, address string, now time.Time, d time.Duration) {
	k := &c.carriers[i]
	for a, until := range k.resting {
		if !now.Before(until) || len(k.resting) >= maxResting {
			delete(k.resting, a)
		}
	}
	k.resting[address] = now.Add(min(d, k.maxRest))
}

func (c *core) rests(i int, address string, now time.Time) bool {
	return now.Before(c.carriers[i].resting[address])
}

const maxResting = 64 // servers of one carrier that are remembered
