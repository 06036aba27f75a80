package voicemailtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

var day = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)

// TestStore is the conformance suite of voicemail.Store. open returns an empty store, anew for each subtest.
func TestStore(t *testing.T, open func(t *testing.T) voicemail.Store) {
	ctx := context.Background()
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, err, target error) {
		t.Helper()
		if !errors.Is(err, target) {
			t.Errorf("error is %v, want %v", err, target)
		}
	}
	box := func(n string) voicemail.Box {
		return voicemail.Box{Number: n, Hash: "hash", Zone: "Europe/Berlin", Created: day}
	}
	item := func(id, box string, n int) voicemail.Item {
		return voicemail.Item{ID: id, Box: box, Kind: voicemail.Message, State: voicemail.StatePending, Created: day.Add(time.Duration(n) * time.Second), Length: time.Minute}
	}
	with := func(t *testing.T, boxes ...string) voicemail.Store {
		s := open(t)
		for _, b := range boxes {
			must(t, s.CreateBox(ctx, box(b)))
		}
		return s
	}
	t.Run("boxes", func(t *testing.T) {
		s := with(t, "2", "1")
		want(t, s.CreateBox(ctx, box("1")), voicemail.ErrExists)
		got, err := s.Box(ctx, "1")
		must(t, err)
		if got != box("1") {
			t.Errorf("got %+v", got)
		}
		_, err = s.Box(ctx, "3")
		want(t, err, voicemail.ErrNoBox)
		all, err := s.Boxes(ctx)
		must(t, err)
		if len(all) != 2 || all[0].Number != "1" {
			t.Errorf("boxes %+v", all)
		}
		must(t, s.SetTries(ctx, "1", false, voicemail.Tries{}, voicemail.Tries{Failed: 9}))
		must(t, s.SetHash(ctx, "1", "other"))
		got, _ = s.Box(ctx, "1")
		tries, _ := s.Tries(ctx, "1", false)
		if got.Hash != "other" || tries != (voicemail.Tries{}) {
			t.Errorf("after SetHash: %+v, %+v", got, tries)
		}
		want(t, s.SetHash(ctx, "3", "x"), voicemail.ErrNoBox)
		must(t, s.Add(ctx, item("a", "1", 0), voicemail.Quota{}))
		want(t, s.DeleteBox(ctx, "1"), voicemail.ErrConflict)
		must(t, s.Remove(ctx, "a"))
		must(t, s.DeleteBox(ctx, "1"))
		want(t, s.DeleteBox(ctx, "1"), voicemail.ErrNoBox)
	})
	t.Run("tries are counted once each, own ones apart", func(t *testing.T) {
		s := with(t, "1")
		_, err := s.Tries(ctx, "3", false)
		want(t, err, voicemail.ErrNoBox)
		want(t, s.SetTries(ctx, "3", false, voicemail.Tries{}, voicemail.Tries{Failed: 1}), voicemail.ErrNoBox)
		var wg sync.WaitGroup
		for range 8 {
			wg.Add(1)
			go func() { // ends with its own work, waited for below
				defer wg.Done()
				for {
					old, err := s.Tries(ctx, "1", false)
					if err != nil {
						t.Error(err)
						return
					}
					err = s.SetTries(ctx, "1", false, old, voicemail.Tries{Failed: old.Failed + 1, Until: day.Add(time.Duration(old.Failed))})
					if err == nil {
						return
					}
					if !errors.Is(err, voicemail.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}()
		}
		wg.Wait()
		got, err := s.Tries(ctx, "1", false)
		must(t, err)
		if got.Failed != 8 || !got.Until.Equal(day.Add(7)) {
			t.Errorf("tries %+v", got)
		}
		if got, _ := s.Tries(ctx, "1", true); got != (voicemail.Tries{}) {
			t.Errorf("own tries %+v", got)
		}
	})
	t.Run("items", func(t *testing.T) {
		s := with(t, "1", "2")
		want(t, s.Add(ctx, item("x", "3", 0), voicemail.Quota{}), voicemail.ErrNoBox)
		for i, id := range []string{"c", "b", "a"} {
			must(t, s.Add(ctx, item(id, "1", i), voicemail.Quota{}))
		}
		must(t, s.Add(ctx, item("other", "2", 0), voicemail.Quota{}))
		want(t, s.Add(ctx, item("a", "2", 0), voicemail.Quota{}), voicemail.ErrExists)
		got, err := s.Items(ctx, "1")
		must(t, err)
		if !reflect.DeepEqual(got, []voicemail.Item{item("c", "1", 0), item("b", "1", 1), item("a", "1", 2)}) {
			t.Errorf("items %+v", got)
		}
		b := item("b", "1", 1)
		b.State, b.Length, b.Incomplete = voicemail.StateNew, time.Second, true
		must(t, s.Update(ctx, b, voicemail.StatePending))
		want(t, s.Update(ctx, b, voicemail.StatePending), voicemail.ErrConflict)
		want(t, s.Update(ctx, item("nobody", "1", 0), voicemail.StatePending), voicemail.ErrNotFound)
		one, err := s.Item(ctx, "b")
		must(t, err)
		if one != b {
			t.Errorf("item %+v", one)
		}
		c := item("c", "1", 0)
		c.State = voicemail.StateSaved
		must(t, s.Update(ctx, c, voicemail.StatePending))
		if n, err := s.Counts(ctx, "1"); err != nil || n != (voicemail.Counts{New: 1, Saved: 1}) {
			t.Errorf("counts %+v, %v", n, err)
		}
		if n, err := s.Counts(ctx, "3"); err != nil || n != (voicemail.Counts{}) {
			t.Errorf("counts of no box %+v, %v", n, err)
		}
		c.State = voicemail.StateDeleting
		must(t, s.Update(ctx, c, voicemail.StateSaved))
		open, err := s.Unsettled(ctx)
		must(t, err)
		if len(open) != 3 || open[0].ID != "c" {
			t.Errorf("unsettled %+v", open)
		}
		must(t, errors.Join(s.Remove(ctx, "c"), s.Remove(ctx, "c")))
		_, err = s.Item(ctx, "c")
		want(t, err, voicemail.ErrNotFound)
	})
	t.Run("a quota holds against many at once", func(t *testing.T) {
		for name, q := range map[string]voicemail.Quota{"messages": {Messages: 3}, "length": {Length: 3*time.Minute + time.Second}} {
			s := with(t, "1", "2")
			del := item("deleting", "1", 0)
			del.State = voicemail.StateDeleting
			greeting := item("greeting", "1", 0)
			greeting.Kind = voicemail.Greeting
			must(t, errors.Join(s.Add(ctx, del, voicemail.Quota{}), s.Add(ctx, greeting, voicemail.Quota{}), s.Add(ctx, item("elsewhere", "2", 0), q)))
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				wg.Add(1)
				go func() { // ends with its own work, waited for below
					defer wg.Done()
					errs[i] = s.Add(ctx, item(fmt.Sprint("m", i), "1", i), q)
				}()
			}
			wg.Wait()
			added := 0
			for _, err := range errs {
				if err == nil {
					added++
				} else {
					want(t, err, voicemail.ErrFull)
				}
			}
			if added != 3 {
				t.Errorf("%s: %d were added, want 3", name, added)
			}
		}
	})
	t.Run("greetings replace those of their schedule", func(t *testing.T) {
		s := with(t, "1", "2")
		night := voicemail.Schedule{First: "2026-12-24", Last: "2026-12-26", Days: 3, From: 1080, Until: 480}
		add := func(id, box string, when voicemail.Schedule) {
			it := item(id, box, 0)
			it.Kind, it.Schedule = voicemail.Greeting, when
			must(t, s.Add(ctx, it, voicemail.Quota{Messages: 1}))
		}
		add("day1", "1", voicemail.Schedule{})
		add("night1", "1", night)
		add("day2", "1", voicemail.Schedule{})
		add("theirs", "2", voicemail.Schedule{})
		for _, id := range []string{"day1", "night1", "theirs"} {
			old, err := s.Activate(ctx, id, time.Second)
			if err != nil || len(old) != 0 {
				t.Fatalf("Activate(%s) = %+v, %v", id, old, err)
			}
		}
		old, err := s.Activate(ctx, "day2", 2*time.Second)
		must(t, err)
		if len(old) != 1 || old[0].ID != "day1" || old[0].State != voicemail.StateDeleting {
			t.Errorf("replaced %+v", old)
		}
		_, err = s.Activate(ctx, "day2", time.Second)
		want(t, err, voicemail.ErrConflict)
		_, err = s.Activate(ctx, "nobody", time.Second)
		want(t, err, voicemail.ErrNotFound)
		it, err := s.Item(ctx, "night1")
		must(t, err)
		if it.State != voicemail.StateActive || it.Schedule != night || it.Length != time.Second {
			t.Errorf("night %+v", it)
		}
	})
}
