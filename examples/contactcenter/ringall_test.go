package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
)

// ringing is an agent's phone that rings until the test picks it up, and tells when it has stopped ringing by itself.
type ringing struct {
	*softphone
	rings, stopped, pick chan struct{}
}

func (w *world) ringing(user string, freq float64) *ringing {
	r := &ringing{rings: make(chan struct{}, 8), stopped: make(chan struct{}, 8), pick: make(chan struct{}, 8)}
	r.softphone = w.agent("acme", user, freq, func(c *softphoneConfig) {
		c.answer = func(ctx context.Context, _ *sip.Call) error {
			r.rings <- struct{}{}
			select {
			case <-r.pick:
				return nil
			case <-ctx.Done():
				r.stopped <- struct{}{}
				return ctx.Err()
			}
		}
	})
	return r
}

func within(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatal(what)
	}
}

// Three phones ring at once. The first to answer has the caller, the others stop at once, and their agents did nothing wrong.
func TestRingAll(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Tenants[0].Queues[0].Strategy = "ring-all" })
	a, b, c := w.ringing("1001", 700), w.ringing("1002", 900), w.ringing("1003", 1100)
	call := w.dial(w.phone("acme", "1009", func(c *softphoneConfig) { c.voice = tone(t, 600) }), "9001")
	for _, r := range []*ringing{a, b, c} {
		within(t, "all phones ring", r.rings)
	}
	b.pick <- struct{}{}
	within(t, "the first stops ringing", a.stopped)
	within(t, "the third stops ringing", c.stopped)
	eventually(t, "the caller hears who was first", func() bool { return call.ears.hears(900) })
	taken := w.taken(b.softphone, 0)
	eventually(t, "and is heard", func() bool { return taken.ears.hears(600) })
	require.Empty(t, append(a.answered(), c.answered()...))
	for _, user := range []string{"1001", "1003"} {
		eventually(t, user+" is free", func() bool { s, why := w.state(0, user); return s == acd.Ready && why == "" })
	}
	// The next caller rings those who are free.
	next := w.dial(w.phone("acme", "1010", nil), "9001")
	within(t, "the first rings again", a.rings)
	within(t, "the third rings again", c.rings)
	next.hangup() // a caller who gives up stops all of them
	within(t, "the first stops", a.stopped)
	within(t, "the third stops", c.stopped)
	call.hangup()
	require.Equal(t, map[acd.Outcome]int{acd.Answered: 1, acd.Abandoned: 1}, w.accountedFor(2))
	results := map[string]int{}
	for _, e := range w.find(named("ended")) {
		for _, o := range e.Record.Offers {
			results[o.Result]++
		}
	}
	require.Equal(t, map[string]int{acd.OfferAccepted: 1, acd.OfferElsewhere: 2, acd.OfferWithdrawn: 2}, results)
	w.leftNothing()
}

// All answer in the same moment: one has the caller, the others are released, and are free.
func TestRingAllAnsweredByEverybodyAtOnce(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) { c.Tenants[0].Queues[0].Strategy = "ring-all" })
	var ring atomic.Int32
	all := make(chan struct{})
	var phones []*softphone
	for i, user := range []string{"1001", "1002", "1003"} {
		phones = append(phones, w.agent("acme", user, 700+200*float64(i), func(c *softphoneConfig) {
			c.answer = func(ctx context.Context, _ *sip.Call) error {
				if ring.Add(1) == 3 {
					close(all)
				}
				select {
				case <-all:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}))
	}
	call := w.dial(w.phone("acme", "1009", nil), "9001")
	eventually(t, "one is heard", func() bool { return call.ears.hears(700) || call.ears.hears(900) || call.ears.hears(1100) })
	eventually(t, "one is left, the others were hung up on", func() bool {
		on := 0
		for _, p := range phones {
			for _, c := range p.answered() {
				if c.call.Err() == nil {
					on++
				}
			}
		}
		return on == 1
	})
	eventually(t, "the others are free", func() bool {
		n := 0
		for _, x := range w.node.sites[0].center.Snapshot().Agents {
			if x.State == acd.Ready {
				n++
			}
		}
		return n == 2
	})
	call.hangup()
	require.Equal(t, map[acd.Outcome]int{acd.Answered: 1}, w.accountedFor(1))
	w.leftNothing()
}

// Ring-all and callback together: whoever is first calls the caller back.
func TestRingAllOffersCallbacks(t *testing.T) {
	t.Parallel()
	w := startWorld(t, func(c *config) {
		withCallbacks(c)
		c.Tenants[0].Queues[0].Strategy = "ring-all"
	})
	a, b := w.ringing("1001", 700), w.ringing("1002", 900)
	for _, r := range []*ringing{a, b} {
		_, err := r.dial(soon(t), codeNotReady)
		require.Error(t, err)
	}
	for _, user := range []string{"1001", "1002"} {
		eventually(t, "on a break", func() bool { s, _ := w.state(0, user); return s == acd.NotReady })
	}
	caller := w.agent("acme", "1009", 600, nil)
	w.asksForCallback(caller)
	w.back(a.softphone)
	within(t, "one rings", a.rings)
	w.back(b.softphone)
	within(t, "who comes later rings too", b.rings)
	b.pick <- struct{}{}
	within(t, "the other stops", a.stopped)
	back := w.taken(caller, 0)
	eventually(t, "the caller hears who was first", func() bool { return back.ears.hears(900) })
	back.hangup()
	require.Equal(t, map[acd.Outcome]int{acd.Answered: 1}, w.accountedFor(1))
	w.leftNothing()
}

// leftNothing waits until nothing is remembered of calls that are over.
func (w *world) leftNothing() {
	w.t.Helper()
	eventually(w.t, "nothing is left", func() bool {
		s := w.node.sites[0]
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sessions) == 0 && len(s.callers) == 0 && len(s.dialing) == 0 && w.node.engine.Stats().Legs == 0
	})
}

func TestStrategyConfiguration(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"": true, "ring-all": true, "ringall": true, "round-robin": true, "random": true, "manual": false, "best-skill": false, "weighted-random": false, "nearest": false} {
		_, err := queueConfig{Strategy: name}.strategy()
		require.Equal(t, ok, err == nil, "%s: %v", name, err)
	}
	for _, q := range []queueConfig{{RingMax: -1, Strategy: "ring-all"}, {RingMax: 3}} {
		_, err := q.strategy()
		require.Error(t, err)
	}
	s, err := queueConfig{Strategy: "ring-all", RingMax: 3}.strategy()
	require.NoError(t, err)
	require.Equal(t, acd.RingAll, s)
}
