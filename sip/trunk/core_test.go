package trunk

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func plain(priority, weight int) limits {
	return limits{priority: priority, weight: weight, maxCalls: 1000, rate: 1000, trip: 3, cooldown: 10 * time.Second, maxRest: 5 * time.Minute, downAfter: 3, upAfter: 2}
}

func lots(seed uint64) func(int) int { return rand.New(rand.NewPCG(seed, seed)).IntN }

// TestHuntLaw plays random outcomes against a search and looks at what is tried after each.
func TestHuntLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 4).Draw(t, "carriers")
		var order []int
		for i := range n {
			order = append(order, i)
		}
		emergency := rapid.Bool().Draw(t, "emergency")
		h := newHunt(order, start.Add(30*time.Second), emergency)
		now := start
		tried := map[[2]int]bool{}
		stop := false // from here on nothing may be tried
		for {
			i, ok := h.carrier(now)
			if !ok {
				break
			}
			if stop {
				t.Fatal("another carrier after the end")
			}
			h.found(rapid.IntRange(0, 3).Draw(t, "servers"))
			only := false // no other server of this carrier
			for {
				j, ok := h.target(now)
				if !ok {
					break
				}
				switch {
				case stop || only:
					t.Fatal("another server after the end")
				case tried[[2]int{i, j}]:
					t.Fatal("the same server twice")
				case !now.Before(start.Add(30 * time.Second)):
					t.Fatal("after the deadline")
				}
				tried[[2]int{i, j}] = true
				o := outcome{fate: fate(rapid.IntRange(int(answered), int(ours)).Draw(t, "fate")), rang: rapid.IntRange(0, 3).Draw(t, "rang") == 0}
				if o.fate == refused {
					o.status = rapid.OneOf(rapid.IntRange(300, 699), rapid.SampledFrom([]int{503, 500, 486, 404, 603, 408})).Draw(t, "status")
				}
				h.ended(o)
				now = now.Add(time.Duration(rapid.IntRange(0, 12).Draw(t, "s")) * time.Second)
				stop = o.rang || o.fate == answered || o.fate == stopped || o.fate == ours && !emergency || o.status >= 600
				next := []int{401, 407, 408, 415, 488, 500, 501, 502, 503, 504, 505, 513}
				stop = stop || !emergency && o.fate == refused && o.status >= 400 && !slices.Contains(next, o.status)
				only = o.fate == refused && o.status != 503 || o.fate == ours
			}
		}
		if !stop && now.Before(start.Add(30*time.Second)) && n > 0 && h.at != n-1 {
			t.Fatal("a carrier was left out")
		}
	})
}

// TestBreakerLaw compares a carrier with what may be said of any breaker, over random histories of calls that overlap.
func TestBreakerLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := plain(0, 1)
		l.maxCalls, l.rate = 5, 3
		c := newCore([]limits{l}, lots(1), start)
		k := &c.carriers[0]
		now := start
		var held []place
		var sickRun int
		var rest time.Duration
		var admitted []time.Time
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 8000).Draw(t, "ms")) * time.Millisecond)
			before := k.state(now)
			switch rapid.SampledFrom([]string{"call", "call", "end", "emergency"}).Draw(t, "step") {
			case "emergency":
				p, ok := c.admit(0, now, true)
				if !ok || len(c.plan(now, true)) != 1 {
					t.Fatal("an emergency call is never refused")
				}
				c.release(p)
				c.settle(p, now, verdict{}, 0)
			case "call":
				trials := 0
				for _, p := range held {
					if p.trial {
						trials++
					}
				}
				p, ok := c.admit(0, now, false)
				if !ok {
					break
				}
				if before == Open || before == HalfOpen && trials > 0 || len(held) >= 5 {
					t.Fatalf("admitted while %s, with %d trials and %d calls", before, trials, len(held))
				}
				held = append(held, p)
				admitted = append(admitted, now)
				inSecond := 0
				for _, a := range admitted {
					if now.Sub(a) < time.Second {
						inSecond++
					}
				}
				if inSecond > 6 {
					t.Fatal("more than rate and burst in a second")
				}
			case "end":
				if len(held) == 0 {
					break
				}
				p := held[0]
				held = held[1:]
				v := rapid.SampledFrom([]verdict{{sick: true}, {sick: true}, {well: true}, {}}).Draw(t, "verdict")
				after := time.Duration(rapid.SampledFrom([]int{0, 0, 0, 20, 1 << 30}).Draw(t, "retryAfter")) * time.Second
				c.settle(p, now, v, after)
				c.release(p)
				got := k.state(now)
				switch {
				case v.well:
					sickRun, rest = 0, 0
					if got != Closed {
						t.Fatal("a call that gets through closes the breaker")
					}
				case !v.sick:
					if got != before {
						t.Fatal("what says nothing changes nothing")
					}
				case before == Closed:
					sickRun++
					if open := sickRun >= 3 || after > 0; open != (got == Open) {
						t.Fatalf("after %d failures in a row it is %s", sickRun, got)
					}
				case before == HalfOpen && p.trial:
					if got != Open || k.rest < min(2*rest, l.maxRest) {
						t.Fatal("a failed trial opens it for longer")
					}
				case before == HalfOpen && got != HalfOpen:
					t.Fatal("only the trial decides")
				}
				if got == Open && k.until.Sub(now) > l.maxRest {
					t.Fatal("rests longer than it may")
				}
				if got == Closed && before != Closed {
					sickRun = 0
				}
				rest = k.rest
			}
			if k.live != len(held) {
				t.Fatal("places are lost or made")
			}
		}
		// Whatever happened, a carrier that works comes back.
		for _, p := range held {
			c.settle(p, now, verdict{}, 0)
			c.release(p)
		}
		now = now.Add(l.maxRest)
		p, ok := c.admit(0, now, false)
		if !ok {
			t.Fatal("never tried again")
		}
		if c.settle(p, now, verdict{well: true}, 0); k.state(now) != Closed {
			t.Fatal("never closed again")
		}
	})
}

func TestCooldownGrows(t *testing.T) {
	c := newCore([]limits{plain(0, 1)}, lots(1), start)
	now := start
	for range 3 {
		p, ok := c.admit(0, now, false)
		require.True(t, ok)
		c.settle(p, now, verdict{sick: true}, 0)
	}
	for _, want := range []int{10, 20, 40, 80, 160, 300, 300} {
		require.Equal(t, time.Duration(want)*time.Second, c.carriers[0].until.Sub(now))
		_, ok := c.admit(0, now.Add(time.Duration(want)*time.Second-1), false)
		require.False(t, ok)
		now = now.Add(time.Duration(want) * time.Second)
		p, ok := c.admit(0, now, false)
		require.True(t, ok)
		_, ok = c.admit(0, now, false)
		require.False(t, ok, "one at a time")
		c.settle(p, now, verdict{sick: true}, 0)
	}
}

func TestPlan(t *testing.T) {
	c := newCore([]limits{plain(20, 1), plain(10, 1), plain(10, 3), plain(10, 1)}, lots(7), start)
	first := map[int]int{}
	for range 5000 {
		p := c.plan(start, false)
		require.Len(t, p, 4)
		require.Equal(t, 0, p[3], "the lower priority comes last")
		first[p[0]]++
	}
	require.InDelta(t, 1000, first[1], 150, "weights within bounds")
	require.InDelta(t, 3000, first[2], 200)
	require.InDelta(t, 1000, first[3], 150, "nobody starves")

	c.carriers[1].live = 1000 // full
	for range 3 {
		c.probed(2, false)
	}
	pl, _ := c.admit(3, start, false)
	c.settle(pl, start, verdict{sick: true}, time.Minute)
	require.Equal(t, []int{0}, c.plan(start, false))
	require.Equal(t, []int{0, 1, 2, 3}, c.plan(start, true), "an emergency call tries what is full, what is down and what is open, in this order")
}

func TestProbesNeedSeveralInARow(t *testing.T) {
	c := newCore([]limits{plain(0, 1)}, lots(1), start)
	for _, s := range []struct{ ok, changed, down bool }{
		{false, false, false}, {false, false, false}, {true, false, false}, {false, false, false}, {false, false, false}, {false, true, true}, {true, false, true},
		{false, false, true}, {true, false, true}, {true, true, false},
	} {
		require.Equal(t, s.changed, c.probed(0, s.ok))
		require.Equal(t, s.down, c.carriers[0].down)
	}
}

func TestResting(t *testing.T) {
	c := newCore([]limits{plain(0, 1)}, lots(1), start)
	c.keepOff(0, "a", start, time.Hour)
	require.True(t, c.rests(0, "a", start.Add(5*time.Minute-1)))
	require.False(t, c.rests(0, "a", start.Add(5*time.Minute)), "no carrier can send itself away for longer than Config.MaxCooldown")
	for i := range 1000 {
		c.keepOff(0, string(rune('b'+i)), start, time.Hour)
	}
	require.LessOrEqual(t, len(c.carriers[0].resting), maxResting)
}
