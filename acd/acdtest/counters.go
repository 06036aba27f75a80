package acdtest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd/report"
)

// TestCounterStore checks that a CounterStore keeps what report.Archive relies on. open opens the store of a given name; opening a name again
// must give a store with what was saved before. It fails t with the first promise broken.
func TestCounterStore(t *testing.T, open func(t *testing.T, name string) report.CounterStore) {
	t.Helper()
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	first := report.ArchiveState{Through: at.Add(time.Hour), Read: at, Counters: []report.Counters{
		{From: at, To: at.AddDate(0, 1, 0), Queue: "a \"quoted\" name, öäü", Entered: 12, Contacts: 11, TotalAnswer: 123456789},
		{From: at, To: at.AddDate(0, 1, 0), Queue: "b", Entered: 1},
	}}
	load := func(t *testing.T, s report.CounterStore) report.ArchiveState {
		t.Helper()
		st, err := s.LoadCounters(t.Context())
		if err != nil {
			t.Fatalf("LoadCounters: %v", err)
		}
		return st
	}
	save := func(t *testing.T, s report.CounterStore, st report.ArchiveState) {
		t.Helper()
		if err := s.SaveCounters(t.Context(), st); err != nil {
			t.Fatalf("SaveCounters: %v", err)
		}
	}
	t.Run("empty", func(t *testing.T) {
		if st := load(t, open(t, "empty")); len(st.Counters) > 0 || !st.Through.IsZero() || !st.Read.IsZero() {
			t.Errorf("a new store keeps %+v", st)
		}
	})
	t.Run("roundtrip", func(t *testing.T) {
		s := open(t, "roundtrip")
		save(t, s, first)
		sameState(t, load(t, s), first)
		sameState(t, load(t, open(t, "roundtrip")), first)
		second := report.ArchiveState{Through: at.Add(2 * time.Hour), Counters: first.Counters[1:]}
		save(t, s, second)
		sameState(t, load(t, open(t, "roundtrip")), second)
	})
	t.Run("no alias", func(t *testing.T) {
		s := open(t, "alias")
		mine := report.ArchiveState{Counters: append([]report.Counters(nil), first.Counters...)}
		save(t, s, mine)
		mine.Counters[0].Entered = 99
		load(t, s).Counters[1].Entered = 99
		sameState(t, load(t, s), report.ArchiveState{Counters: first.Counters})
	})
	t.Run("cancelled", func(t *testing.T) {
		s := open(t, "cancelled")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.SaveCounters(ctx, first); !errors.Is(err, context.Canceled) {
			t.Errorf("SaveCounters after the end of its context: %v", err)
		}
		if st := load(t, s); len(st.Counters) > 0 {
			t.Errorf("a cancelled SaveCounters kept %+v", st)
		}
	})
}

func sameState(t *testing.T, got, want report.ArchiveState) {
	t.Helper()
	utc := func(st report.ArchiveState) report.ArchiveState {
		st.Through, st.Read = st.Through.UTC(), st.Read.UTC()
		st.Counters = append([]report.Counters(nil), st.Counters...)
		for i := range st.Counters {
			st.Counters[i].From, st.Counters[i].To = st.Counters[i].From.UTC(), st.Counters[i].To.UTC()
		}
		return st
	}
	if g, w := utc(got), utc(want); !reflect.DeepEqual(g, w) {
		t.Fatalf("the store keeps\n%+v\nsaved was\n%+v", g, w)
	}
}
