// Package acdtest holds what every implementation of acd's ports must pass.
//
// # Security
//
// For tests only.
//
// # Goroutines
//
// TestStore starts a few and waits for them.
//
// # Importing alone
//
// acdtest imports acd, acd/report and the standard library.
package acdtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// TestStore checks that a Store keeps acd's log as Center relies on. open opens the store of a given name; opening a name again
// must give a store with what was appended before, which is how TestStore looks past caches and restarts. It fails t with the first
// promise broken.
func TestStore(t *testing.T, open func(t *testing.T, name string) acd.Store) {
	t.Helper()
	for name, f := range map[string]func(t *testing.T, open func() acd.Store){
		"empty":       testEmpty,
		"roundtrip":   testRoundTrip,
		"order":       testOrder,
		"conflict":    testConflict,
		"atomic":      testAtomic,
		"cancelled":   testCancelled,
		"concurrency": testConcurrency,
		"large batch": testLargeBatch,
		"state":       testState,
	} {
		t.Run(name, func(t *testing.T) { f(t, func() acd.Store { t.Helper(); return open(t, name) }) })
	}
}

var start = time.Date(2026, 11, 22, 9, 0, 0, 123456789, time.UTC)

// events makes plain events with the given sequence numbers.
func events(first, last uint64) []acd.Event {
	var out []acd.Event
	for seq := first; seq <= last; seq++ {
		out = append(out, acd.Event{Seq: seq, At: start.Add(time.Duration(seq) * time.Millisecond), Kind: acd.KindArrived, Work: fmt.Sprintf("w%d", seq)})
	}
	return out
}

func load(t *testing.T, s acd.Store, after uint64) []acd.Event {
	t.Helper()
	var out []acd.Event
	for ev, err := range s.Load(t.Context(), after) {
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		out = append(out, ev)
	}
	return out
}

func appendTo(t *testing.T, s acd.Store, evs []acd.Event) {
	t.Helper()
	if err := s.Append(t.Context(), evs); err != nil {
		t.Fatalf("Append: %v", err)
	}
}

func same(t *testing.T, what string, got, want []acd.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d events, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !got[i].At.Equal(want[i].At) {
			t.Fatalf("%s: event %d at %v, want %v to the nanosecond", what, i, got[i].At, want[i].At)
		}
		g, w := got[i], want[i]
		g.At, w.At = time.Time{}, time.Time{}
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("%s: event %d\n got %+v\nwant %+v", what, i, g, w)
		}
	}
}

func testEmpty(t *testing.T, open func() acd.Store) {
	s := open()
	same(t, "an empty store", load(t, s, 0), nil)
	appendTo(t, s, nil)
	same(t, "after an empty batch", load(t, s, 0), nil)
}

// Every field comes back as it was.
func testRoundTrip(t *testing.T, open func() acd.Store) {
	evs := []acd.Event{
		{Seq: 1, At: start, Kind: acd.KindStarted, Rules: &acd.Rules{
			Agents: []acd.Agent{{ID: "1001"}},
			Queues: []acd.Queue{{Name: "sales", Members: []string{"1001"}, Strategy: acd.TopDown, RingTimeout: time.Second, RejectPause: 2, WrapUp: -1, MaxWaiting: 3, MaxWait: 4, NoAgents: acd.NoAgentsWait, ServiceTarget: 5, ShortAbandon: -6}},
		}},
		{Seq: 2, At: start.Add(1), Kind: acd.KindArrived, Work: "w", Attributes: map[string]string{"from": "+45 12 34", "ø": "\"\\\x00æ"}},
		{Seq: 3, At: start.Add(1), Kind: acd.KindEnqueued, Work: "w", Queue: "sales", Priority: -7},
		{Seq: 4, At: start.Add(2), Kind: acd.KindAccepted, Work: "w", Agent: "1001", Offer: 1 << 60},
		{Seq: 5, At: start.Add(3), Kind: acd.KindEnded, Work: "w", Reason: "caller; DROP TABLE"},
		{Seq: 6, At: start.Add(3), Kind: acd.KindEnqueued, Work: "x", Queue: "sales", Terms: &acd.Terms{
			Needs: []acd.Skill{{Name: "tax", Level: 7}}, Prefer: []string{"1001"}, PreferWait: 1, HeadStart: 2, KeepClock: true, Human: true, Customer: "c"}},
		{Seq: 7, At: start.Add(3), Kind: acd.KindSkills, Agent: "1001", Skills: []acd.Skill{{Name: "<&>", Level: 1}}},
		{Seq: 8, At: start.Add(3), Kind: acd.KindLogin, Agent: "1001", Device: "desk"},
		{Seq: 9, At: start.Add(3), Kind: acd.KindExtended, Agent: "1001", For: time.Minute},
		{Seq: 10, At: start.Add(4), Kind: acd.KindStarted, Resume: true, Callbacks: true, Rules: &acd.Rules{
			Agents:   []acd.Agent{{ID: "1001", Skills: []acd.Skill{{Name: "tax", Level: 3}}, Slots: 3, Bot: true}},
			Channels: []acd.Channel{{Name: "voice", Slots: 2, Max: 1, Interrupts: []string{"chat"}}}, Fairness: acd.FairAge, Seed: 1<<64 - 1, LastAgents: 5,
			Queues: []acd.Queue{{Name: "q", Channel: "voice", Tiers: map[string]int{"1001": 1}, Rings: []acd.Ring{{After: 1, Tier: 2}}, Ageing: 3,
				Overflow: []acd.Overflow{{Hours: []acd.Hours{{Days: []time.Weekday{0, 6}, From: 1}}, To: "q2"}}, Callback: acd.Callback{Expiry: 9}}},
		}},
	}
	s := open()
	appendTo(t, s, evs)
	same(t, "at once", load(t, s, 0), evs)
	same(t, "reopened", load(t, open(), 0), evs)
}

func testOrder(t *testing.T, open func() acd.Store) {
	s := open()
	for seq := uint64(1); seq <= 25; seq++ { // past any ordering of 10 before 9
		appendTo(t, s, events(seq, seq))
	}
	same(t, "all", load(t, s, 0), events(1, 25))
	same(t, "after 9", load(t, open(), 9), events(10, 25))
	same(t, "after the last", load(t, s, 25), nil)
	same(t, "far after the last", load(t, s, 1000), nil)
	for ev, err := range s.Load(t.Context(), 0) { // stopping early must be possible, and leave the store usable
		if err != nil || ev.Seq != 1 {
			t.Fatalf("first event %d, %v", ev.Seq, err)
		}
		break
	}
	appendTo(t, s, events(26, 26))
}

// A second process that believes it owns the log is stopped by its first write.
func testConflict(t *testing.T, open func() acd.Store) {
	a, b := open(), open()
	appendTo(t, a, events(1, 3))
	appendTo(t, b, events(4, 5))
	for name, evs := range map[string][]acd.Event{
		"repeated": events(4, 6), "gap after": events(7, 8), "gap inside": {events(6, 6)[0], events(8, 8)[0]}, "zero": events(0, 0), "reversed": {events(7, 7)[0], events(6, 6)[0]},
	} {
		if err := a.Append(t.Context(), evs); !errors.Is(err, acd.ErrConflict) {
			t.Errorf("%s: Append = %v, want ErrConflict", name, err)
		}
	}
	same(t, "after conflicts", load(t, a, 0), events(1, 5))
}

// A batch that cannot be added whole is not added at all.
func testAtomic(t *testing.T, open func() acd.Store) {
	s := open()
	evs := append(events(1, 3), events(3, 3)...)
	if err := s.Append(t.Context(), evs); !errors.Is(err, acd.ErrConflict) {
		t.Fatalf("Append = %v, want ErrConflict", err)
	}
	same(t, "after a broken batch", load(t, open(), 0), nil)
	appendTo(t, s, events(1, 3))
}

func testCancelled(t *testing.T, open func() acd.Store) {
	s := open()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, events(1, 1)); err == nil {
		t.Error("Append with a cancelled context succeeded")
	}
	appendTo(t, s, events(1, 1))
	n := 0
	for _, err := range s.Load(ctx, 0) {
		if err == nil {
			t.Error("Load with a cancelled context yields events")
		}
		n++
	}
	if n != 1 {
		t.Errorf("Load with a cancelled context yields %d times, want its error once", n)
	}
}

// Reading while writing sees a prefix of the log, in order.
func testConcurrency(t *testing.T, open func() acd.Store) {
	s := open()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 10 {
				want := uint64(1)
				for ev, err := range s.Load(t.Context(), 0) {
					if err != nil || ev.Seq != want {
						t.Errorf("event %d where %d belongs: %v", ev.Seq, want, err)
						return
					}
					want++
				}
			}
		})
	}
	for seq := uint64(1); seq <= 200; seq += 10 {
		appendTo(t, s, events(seq, seq+9))
	}
	wg.Wait()
}

func testLargeBatch(t *testing.T, open func() acd.Store) {
	s := open()
	appendTo(t, s, events(1, 5000))
	same(t, "reopened", load(t, open(), 0), events(1, 5000))
}

// A store that keeps states keeps the last one, whole, beside the log. Stores that keep none are right too.
func testState(t *testing.T, open func() acd.Store) {
	k, ok := open().(acd.StateKeeper)
	if !ok {
		t.Skip("the store keeps no states")
	}
	if state, err := k.LoadState(t.Context()); err != nil || state != nil {
		t.Fatalf("LoadState of an empty store = %q, %v; want nil", state, err)
	}
	appendTo(t, open(), events(1, 5))
	for seq, want := range map[uint64]string{3: `{"state":"three"}`, 5: `{"state":"five <&> \u00f8 ø"}`} {
		if err := k.SaveState(t.Context(), seq, []byte(want)); err != nil {
			t.Fatalf("SaveState: %v", err)
		}
		got, err := open().(acd.StateKeeper).LoadState(t.Context())
		if err != nil || string(got) != want {
			t.Fatalf("LoadState = %q, %v; want %q", got, err, want)
		}
	}
	same(t, "the log beside a state", load(t, open(), 0), events(1, 5))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := k.SaveState(ctx, 5, []byte("{}")); err == nil {
		t.Error("SaveState with a cancelled context succeeded")
	}
}
