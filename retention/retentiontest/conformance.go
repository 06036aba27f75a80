package retentiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/retention"
)

// TestStore is the conformance suite of retention.Store. open returns an empty store, anew for each subtest.
func TestStore(t *testing.T, open func(t *testing.T) retention.Store) {
	ctx := context.Background()
	t0 := time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC)
	ref := func(id string) retention.Ref { return retention.Ref{Class: "recording", ID: id} }
	hold := func(id string, items ...string) retention.Hold {
		h := retention.Hold{ID: id, Ground: "file 7", Approver: "counsel", Review: t0.AddDate(1, 0, 0), Placed: t0}
		for _, item := range items {
			h.Items = append(h.Items, ref(item))
		}
		return h
	}
	deletion := func(id string) retention.Deletion {
		return retention.Deletion{Class: "recording", ID: id, Reason: "kept P13M", Created: t0, Due: t0.AddDate(1, 1, 0), Began: t0.AddDate(1, 1, 1), KeyIDs: []string{}}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(t *testing.T, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	holds := func(t *testing.T, s retention.Store) (out []retention.Hold) {
		t.Helper()
		for h, err := range s.ListHolds(ctx) {
			must(t, err)
			out = append(out, h)
		}
		return out
	}
	t.Run("holds come back as placed, and once released stay released", func(t *testing.T) {
		s := open(t)
		a, b := hold("a", "1", "2"), hold("b", "2")
		b.Placed = t0.Add(time.Second)
		must(t, s.PlaceHold(ctx, b))
		must(t, s.PlaceHold(ctx, a))
		is(t, s.PlaceHold(ctx, a), retention.ErrExists)
		if got := holds(t, s); fmt.Sprint(got) != fmt.Sprint([]retention.Hold{a, b}) {
			t.Errorf("got  %v\nwant %v", got, []retention.Hold{a, b})
		}
		at := t0.Add(time.Hour)
		got, err := s.ReleaseHold(ctx, "a", at)
		must(t, err)
		if a.Released = at; fmt.Sprint(got) != fmt.Sprint(a) {
			t.Errorf("got  %v\nwant %v", got, a)
		}
		_, err = s.ReleaseHold(ctx, "a", at)
		is(t, err, retention.ErrReleased)
		_, err = s.ReleaseHold(ctx, "c", at)
		is(t, err, retention.ErrNotFound)
	})
	t.Run("a hold keeps an erasure from beginning, until the last hold is released", func(t *testing.T) {
		s := open(t)
		must(t, s.PlaceHold(ctx, hold("a", "1")))
		must(t, s.PlaceHold(ctx, hold("b", "1", "2")))
		is(t, s.Begin(ctx, deletion("1")), retention.ErrHeld)
		must(t, s.Begin(ctx, deletion("3")))
		other := deletion("1")
		other.Class = "voicemail" // the same ID in another class is another item
		must(t, s.Begin(ctx, other))
		_, err := s.ReleaseHold(ctx, "a", t0)
		must(t, err)
		is(t, s.Begin(ctx, deletion("1")), retention.ErrHeld)
		_, err = s.ReleaseHold(ctx, "b", t0)
		must(t, err)
		must(t, s.Begin(ctx, deletion("1")))
	})
	t.Run("a begun erasure refuses a hold, whole", func(t *testing.T) {
		s := open(t)
		must(t, s.Begin(ctx, deletion("2")))
		is(t, s.PlaceHold(ctx, hold("a", "1", "2")), retention.ErrErasing)
		if got := holds(t, s); len(got) != 0 {
			t.Errorf("left %v", got)
		}
		must(t, s.Begin(ctx, deletion("1"))) // the refused hold holds nothing
	})
	t.Run("the journal keeps an erasure from begin to receipt", func(t *testing.T) {
		s := open(t)
		first, second := deletion("1"), deletion("2")
		second.Began = first.Began.Add(time.Second)
		must(t, s.Begin(ctx, second))
		must(t, s.Begin(ctx, first))
		again := first
		again.Reason = "another"
		must(t, s.Begin(ctx, again)) // changes nothing
		done := first
		done.Erased, done.KeyIDs = t0.AddDate(2, 0, 0), []string{"dek-1", "dek-2"}
		must(t, s.Done(ctx, done))
		later := done
		later.Erased, later.KeyIDs = t0.AddDate(3, 0, 0), nil
		must(t, s.Done(ctx, later)) // the first end stays
		must(t, s.Done(ctx, deletion("unknown")))
		got, err := s.Pending(ctx)
		must(t, err)
		slices.SortFunc(got, func(a, b retention.Deletion) int { return a.Began.Compare(b.Began) })
		if want := []retention.Deletion{done, second}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		is(t, s.SaveReceipt(ctx, 1, []byte("r"), []retention.Ref{first.Ref(), second.Ref()}), retention.ErrConflict) // the second is not erased
		must(t, s.SaveReceipt(ctx, 1, []byte("r"), []retention.Ref{first.Ref()}))
		got, err = s.Pending(ctx)
		must(t, err)
		if len(got) != 1 || got[0].ID != "2" {
			t.Errorf("journal after the receipt: %v", got)
		}
		must(t, s.Done(ctx, done)) // no longer there: no error
	})
	t.Run("receipts are numbered without gap or repetition", func(t *testing.T) {
		s := open(t)
		seq, raw, err := s.LastReceipt(ctx)
		if seq != 0 || raw != nil || err != nil {
			t.Errorf("empty: %d, %q, %v", seq, raw, err)
		}
		is(t, s.SaveReceipt(ctx, 2, []byte("two"), nil), retention.ErrConflict)
		must(t, s.SaveReceipt(ctx, 1, []byte("one"), nil))
		is(t, s.SaveReceipt(ctx, 1, []byte("uno"), nil), retention.ErrConflict)
		must(t, s.SaveReceipt(ctx, 2, []byte("two"), nil))
		if seq, raw, err = s.LastReceipt(ctx); seq != 2 || string(raw) != "two" || err != nil {
			t.Errorf("last: %d, %q, %v", seq, raw, err)
		}
		var all []string
		for raw, err := range s.ListReceipts(ctx) {
			must(t, err)
			all = append(all, string(raw))
		}
		if !slices.Equal(all, []string{"one", "two"}) {
			t.Errorf("all: %v", all)
		}
	})
	t.Run("hold and erasure of one item at once: exactly one of them", func(t *testing.T) {
		s := open(t)
		for i := range 20 {
			id := fmt.Sprint(i)
			var held, begun error
			var wg sync.WaitGroup
			wg.Go(func() { held = s.PlaceHold(ctx, hold("h"+id, id)) })
			wg.Go(func() { begun = s.Begin(ctx, deletion(id)) })
			wg.Wait()
			if (held == nil) == (begun == nil) {
				t.Errorf("item %d: hold %v, erasure %v", i, held, begun)
			}
		}
	})
	t.Run("one receipt per number, however many try", func(t *testing.T) {
		s := open(t)
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for i := range cap(errs) {
			wg.Go(func() { errs <- s.SaveReceipt(ctx, 1, fmt.Append(nil, i), nil) })
		}
		wg.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
			} else {
				is(t, err, retention.ErrConflict)
			}
		}
		if won != 1 {
			t.Errorf("%d won", won)
		}
	})
}
