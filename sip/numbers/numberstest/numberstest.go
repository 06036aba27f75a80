// Package numberstest says, as tests, what package numbers expects of a store.
//
// # Security
//
// For tests only.
//
// # Goroutines
//
// Those of a test, which end with it.
//
// # Importing alone
//
// Standard library and package numbers.
package numberstest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringfence/ringfence/sip/numbers"
)

// Store runs the conformance tests of numbers.Store. fresh returns an empty store for each.
func Store(t *testing.T, fresh func(t *testing.T) numbers.Store) {
	ctx := context.Background()
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	order := func(id, number string) numbers.Order {
		return numbers.Order{
			ID: id, Number: number, Owner: "acme", Destination: "flow:main", State: numbers.Requested, RequestedBy: "alice", Created: at, Changed: at, Version: 1,
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, err, target error) {
		t.Helper()
		if !errors.Is(err, target) {
			t.Fatalf("got %v, want %v", err, target)
		}
	}
	t.Run("what is put is what is got", func(t *testing.T) {
		s := fresh(t)
		o := order("1", "+4930111")
		o.ApprovedBy, o.CanceledBy, o.KeptState, o.Reference = "bob", "carol", numbers.Active, "ref"
		must(t, s.Put(ctx, o))
		got, err := s.Get(ctx, "1")
		must(t, err)
		held, err := s.Holder(ctx, o.Number)
		must(t, err)
		for _, g := range []*numbers.Order{&got, &held} {
			g.Created, g.Changed = g.Created.UTC(), g.Changed.UTC()
			if !reflect.DeepEqual(*g, o) {
				t.Fatalf("got %+v, want %+v", *g, o)
			}
		}
	})
	t.Run("what is not there is not found", func(t *testing.T) {
		s := fresh(t)
		_, err := s.Get(ctx, "1")
		want(t, err, numbers.ErrNotFound)
		_, err = s.Holder(ctx, "+4930111")
		want(t, err, numbers.ErrNotFound)
		list, err := s.List(ctx, "acme")
		must(t, err)
		if len(list) != 0 {
			t.Fatal("an empty store has orders")
		}
	})
	t.Run("versions follow one another", func(t *testing.T) {
		s := fresh(t)
		o := order("1", "+4930111")
		o.Version = 2
		want(t, s.Put(ctx, o), numbers.ErrConflict)
		o.Version = 1
		must(t, s.Put(ctx, o))
		want(t, s.Put(ctx, o), numbers.ErrConflict)
		o.Version = 3
		want(t, s.Put(ctx, o), numbers.ErrConflict)
		o.Version, o.State = 2, numbers.Approved
		must(t, s.Put(ctx, o))
	})
	t.Run("one live order for a number", func(t *testing.T) {
		s := fresh(t)
		first := order("1", "+4930111")
		must(t, s.Put(ctx, first))
		want(t, s.Put(ctx, order("2", "+4930111")), numbers.ErrTaken)
		first.State, first.Version = numbers.Rejected, 2
		must(t, s.Put(ctx, first))
		_, err := s.Holder(ctx, "+4930111")
		want(t, err, numbers.ErrNotFound)
		must(t, s.Put(ctx, order("2", "+4930111")))
		list, err := s.List(ctx, "acme")
		must(t, err)
		if len(list) != 2 || list[0].ID != "1" || list[1].ID != "2" {
			t.Fatalf("got %+v", list)
		}
		if other, err := s.List(ctx, "globex"); err != nil || len(other) != 0 {
			t.Fatal("orders of another owner")
		}
	})
	t.Run("of many at once one wins", func(t *testing.T) {
		s := fresh(t)
		race := func(put func(i int) error) int64 {
			var won atomic.Int64
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					if put(i) == nil {
						won.Add(1)
					}
				})
			}
			wg.Wait()
			return won.Load()
		}
		if n := race(func(i int) error { return s.Put(ctx, order(fmt.Sprint(i), "+4930111")) }); n != 1 {
			t.Fatalf("%d orders hold one number", n)
		}
		o, err := s.Holder(ctx, "+4930111")
		must(t, err)
		o.Version++
		if n := race(func(int) error { return s.Put(ctx, o) }); n != 1 {
			t.Fatalf("%d writers made one version", n)
		}
	})
}
