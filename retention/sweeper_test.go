package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
)

func TestNewRefusesMissingParts(t *testing.T) {
	k := newKit(t)
	for name, drop := range map[string]func(*retention.Config){
		"Classes":       func(c *retention.Config) { c.Classes = nil },
		"Store":         func(c *retention.Config) { c.Store = nil },
		"Signer":        func(c *retention.Config) { c.Signer = nil },
		"Authorizer":    func(c *retention.Config) { c.Authorizer = nil },
		"Auditor":       func(c *retention.Config) { c.Auditor = nil },
		"period":        func(c *retention.Config) { c.Classes[0].Keep = retention.Period{} },
		"class name":    func(c *retention.Config) { c.Classes[0].Name = "" },
		"Catalog":       func(c *retention.Config) { c.Classes[0].Catalog = nil },
		"Eraser":        func(c *retention.Config) { c.Classes[0].Eraser = nil },
		"one of a name": func(c *retention.Config) { c.Classes = append(c.Classes, c.Classes[0]) },
	} {
		cfg := k.cfg
		cfg.Classes = slices.Clone(cfg.Classes)
		drop(&cfg)
		if s, err := retention.New(cfg); !errors.Is(err, retention.ErrConfig) || s != nil {
			t.Errorf("without %s: %v, %v", name, s, err)
		}
	}
	_, err1 := k.s.For(nil, k.audit)
	_, err2 := k.s.For(retentiontest.Allow{}, nil)
	for _, err := range []error{err1, err2} {
		if !errors.Is(err, retention.ErrConfig) {
			t.Error(err)
		}
	}
}

// Items go one by one as each falls due, not by the month; never early, and at most one interval late.
func TestSweepsOnARollingBasis(t *testing.T) {
	control.Proves(t, "RET-03")
	synctest.Test(t, func(t *testing.T) {
		const interval, items = time.Hour, 60
		start := time.Now()
		keep := retention.Period{Days: 30}
		gone := map[string]time.Time{}
		list := &retentiontest.Items{}
		for i := range items {
			list.Add(fmt.Sprintf("r%02d", i), start.Add(time.Duration(i)*7*time.Hour+13*time.Minute)) // some are yet to be made
		}
		eraser := eraserFunc(func(ctx context.Context, id, reason string) ([]string, error) {
			gone[id] = time.Now()
			return list.Erase(ctx, id, reason)
		})
		k := newKit(t, func(c *retention.Config) {
			c.Classes = []retention.Class{{Name: "recording", Keep: keep, Catalog: list, Eraser: eraser}}
			c.Now = time.Now
		})
		ctx, cancel := context.WithTimeout(t.Context(), 60*24*time.Hour)
		defer cancel()
		perRun := map[int]int{}
		err := k.s.Serve(ctx, interval, func(r retention.Receipt, err error) {
			if err != nil {
				t.Error(err)
			}
			perRun[len(r.Erased)]++
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		for i := range items {
			id := fmt.Sprintf("r%02d", i)
			due := retention.Due(start.Add(time.Duration(i)*7*time.Hour+13*time.Minute), keep, nil)
			at, ok := gone[id]
			switch {
			case !ok:
				t.Errorf("%s was never erased", id)
			case at.Before(due):
				t.Errorf("%s was erased %v early", id, due.Sub(at))
			case at.Sub(due) > interval:
				t.Errorf("%s was erased %v late", id, at.Sub(due))
			}
		}
		if perRun[1] != items {
			t.Errorf("erased per run: %v; want one at a time", perRun)
		}
	})
}

type eraserFunc func(ctx context.Context, id, reason string) ([]string, error)

func (f eraserFunc) Erase(ctx context.Context, id, reason string) ([]string, error) {
	return f(ctx, id, reason)
}

var due = retention.Due(epoch, months, nil)

func TestRunAgainErasesNothing(t *testing.T) {
	k := newKit(t)
	k.items.Add("r1", epoch)
	k.run(t, due)
	if r := k.run(t, due); len(r.Erased) != 0 || !slices.Equal(k.items.Erased, []string{"r1"}) {
		t.Errorf("%+v; erased %v", r, k.items.Erased)
	}
}

// An item that cannot be erased is in the receipt and the error, keeps no other from going, and goes with the next run.
func TestFailureIsToldAndTriedAgain(t *testing.T) {
	k := newKit(t)
	for _, id := range []string{"a", "b", "c"} {
		k.items.Add(id, epoch)
	}
	broken := errors.New("disk on fire")
	k.items.Fail("b", broken)
	r, err := k.s.Run(context.Background(), due)
	if !errors.Is(err, retention.ErrErase) || !errors.Is(err, broken) || len(r.Erased) != 2 || !slices.Equal(r.Failed, []retention.Ref{item("b")}) {
		t.Errorf("%+v, %v", r, err)
	}
	if strings.Contains(string(r.Bytes()), "fire") {
		t.Error("an internal error is in the receipt")
	}
	if _, err := k.s.Place(context.Background(), retention.Hold{Ground: "g", Approver: "a", Review: k.now.AddDate(1, 0, 0), Items: []retention.Ref{item("b")}}); !errors.Is(err, retention.ErrErasing) {
		t.Errorf("a hold on an item that is half erased: %v", err)
	}
	k.items.Fail("b", nil)
	if r := k.run(t, due); len(r.Erased) != 1 || r.Erased[0].ID != "b" || k.items.Len() != 0 {
		t.Errorf("%+v", r)
	}
}

// However a run dies, the next one finishes it, and every erasure is in exactly one receipt.
func TestRunThatDiesIsFinishedByTheNext(t *testing.T) {
	for dieAt := 1; dieAt <= 14; dieAt++ {
		k := newKit(t)
		for _, id := range []string{"a", "b", "c"} {
			k.items.Add(id, epoch)
		}
		mortal := &mortalStore{Store: k.store, left: dieAt}
		cfg := k.cfg
		cfg.Store = mortal
		s, err := retention.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Run(context.Background(), due)
		k.now = k.now.Add(time.Hour)
		k.run(t, due)
		count := map[string]int{}
		for raw, rerr := range k.s.Receipts(context.Background()) {
			r, verr := retention.VerifyReceipt(k.public(t), raw)
			if rerr != nil || verr != nil {
				t.Fatal(rerr, verr)
			}
			for _, d := range r.Erased {
				count[d.ID]++
				if !slices.Equal(d.KeyIDs, []string{"key-" + d.ID}) {
					t.Errorf("death %d: %+v", dieAt, d)
				}
			}
		}
		if !maps.Equal(count, map[string]int{"a": 1, "b": 1, "c": 1}) || k.items.Len() != 0 {
			t.Errorf("death at store call %d (%v): receipts list %v, %d items left", dieAt, err, count, k.items.Len())
		}
		if _, err := retention.VerifyChain(k.public(t), k.s.Receipts(context.Background())); err != nil {
			t.Error(err)
		}
	}
}

// mortalStore fails every call from some number on, as a process that was killed does.
type mortalStore struct {
	retention.Store
	left int
}

var errDead = errors.New("dead")

func (m *mortalStore) alive() error {
	if m.left--; m.left < 0 {
		return errDead
	}
	return nil
}

func (m *mortalStore) Begin(ctx context.Context, d retention.Deletion) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Store.Begin(ctx, d)
}

func (m *mortalStore) Done(ctx context.Context, d retention.Deletion) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Store.Done(ctx, d)
}

func (m *mortalStore) Pending(ctx context.Context) ([]retention.Deletion, error) {
	if err := m.alive(); err != nil {
		return nil, err
	}
	return m.Store.Pending(ctx)
}

func (m *mortalStore) LastReceipt(ctx context.Context) (uint64, []byte, error) {
	if err := m.alive(); err != nil {
		return 0, nil, err
	}
	return m.Store.LastReceipt(ctx)
}

func (m *mortalStore) SaveReceipt(ctx context.Context, seq uint64, receipt []byte, listed []retention.Ref) error {
	if err := m.alive(); err != nil {
		return err
	}
	return m.Store.SaveReceipt(ctx, seq, receipt, listed)
}

func TestConcurrentRuns(t *testing.T) {
	k := newKit(t)
	for i := range 100 {
		k.items.Add(fmt.Sprintf("r%02d", i), epoch)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := k.s.Run(context.Background(), due); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k.run(t, due) // one of them may have ended after the last receipt of the others was made
	count := map[string]int{}
	for raw := range k.s.Receipts(context.Background()) {
		r, err := retention.VerifyReceipt(k.public(t), raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range r.Erased {
			count[d.ID]++
		}
	}
	if len(count) != 100 || k.items.Len() != 0 {
		t.Errorf("%d of 100 in receipts, %d left", len(count), k.items.Len())
	}
	if _, err := retention.VerifyChain(k.public(t), k.s.Receipts(context.Background())); err != nil {
		t.Error(err)
	}
}

func TestRunIsBounded(t *testing.T) {
	k := newKit(t, func(c *retention.Config) { c.MaxItems = 3 })
	for i := range 7 {
		k.items.Add(fmt.Sprint(i), epoch)
	}
	for _, want := range []struct {
		n    int
		more bool
	}{{3, true}, {3, true}, {1, false}} {
		if r := k.run(t, due); len(r.Erased) != want.n || r.More != want.more {
			t.Errorf("%+v, want %+v", r, want)
		}
	}
}

// Every verb is asked for by its own right and recorded; every erasure is recorded before it happens.
func TestEveryVerbIsAuthorisedAndAudited(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	k.items.Add("r1", epoch)
	h := k.hold(t, "other")
	verbs := map[string]func(s *retention.Sweeper) error{
		retention.ActionRun: func(s *retention.Sweeper) error { return second(s.Run(ctx, due)) },
		retention.ActionExplain: func(s *retention.Sweeper) error {
			return second(s.Explain(ctx, retention.Item{Class: "recording", ID: "r1", Created: epoch}, due))
		},
		retention.ActionPlace: func(s *retention.Sweeper) error {
			return second(s.Place(ctx, retention.Hold{Ground: "g", Approver: "a", Review: epoch.AddDate(1, 0, 0), Items: []retention.Ref{item("x")}}))
		},
		retention.ActionRelease: func(s *retention.Sweeper) error { return second(s.Release(ctx, h.ID, epoch)) },
		retention.ActionHolds: func(s *retention.Sweeper) error {
			for _, err := range s.Holds(ctx) {
				return err
			}
			return nil
		},
		retention.ActionReceipts: func(s *retention.Sweeper) error {
			for _, err := range s.Receipts(ctx) {
				return err
			}
			return nil
		},
	}
	all := slices.Collect(maps.Keys(verbs))
	for action, do := range verbs {
		audit := &retentiontest.Audit{}
		others, err := k.s.For(retentiontest.Allow(slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == action })), audit)
		if err != nil {
			t.Fatal(err)
		}
		if err := do(others); !errors.Is(err, retentiontest.ErrDenied) || len(audit.Entries()) != 1 || !strings.HasPrefix(audit.Entries()[0], action+" ") {
			t.Errorf("%s with all other rights: %v, recorded %v", action, err, audit.Entries())
		}
		full := errors.New("audit log is full")
		audit.Fail(full)
		unaudited, _ := k.s.For(retentiontest.Allow{}, audit)
		if err := do(unaudited); !errors.Is(err, full) {
			t.Errorf("%s without audit: %v", action, err)
		}
	}
	if !k.items.Has("r1") {
		t.Fatal("something was erased")
	}
	_, err := k.s.Lookup(ctx, item("r1"))
	if err != nil {
		t.Error(err)
	}
	for action, do := range verbs {
		only, _ := k.s.For(retentiontest.Allow{action}, k.audit)
		if err := do(only); err != nil {
			t.Errorf("%s with its right: %v", action, err)
		}
	}
}

// An auditor that fails after the run was recorded keeps every single item from being erased.
func TestNoErasureWithoutItsOwnAuditEntry(t *testing.T) {
	k := newKit(t)
	k.items.Add("r1", epoch)
	s, err := k.s.For(retentiontest.Allow{}, &failsAfter{n: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Run(context.Background(), due); !errors.Is(err, retention.ErrErase) || !k.items.Has("r1") {
		t.Errorf("%v; there: %v", err, k.items.Has("r1"))
	}
}

// failsAfter records n entries and no more.
type failsAfter struct{ n int }

func (f *failsAfter) Audit(context.Context, string, string, ...slog.Attr) error {
	if f.n--; f.n < 0 {
		return errors.New("audit log is full")
	}
	return nil
}

// Explain always says what Run then does.
func TestExplainEqualsRun(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		keep := retention.Period{Months: rapid.IntRange(0, 3).Draw(rt, "months"), Days: rapid.IntRange(1, 40).Draw(rt, "days")}
		k := newKit(t, func(c *retention.Config) { c.Classes[0].Keep = keep })
		now := epoch.AddDate(0, 4, 0)
		k.now = now
		n := rapid.IntRange(1, 8).Draw(rt, "items")
		items := make([]retention.Item, n)
		var named []string
		for i := range items {
			id := fmt.Sprint(i)
			items[i] = retention.Item{Class: "recording", ID: id, Created: now.AddDate(0, -rapid.IntRange(0, 5).Draw(rt, "age"), -rapid.IntRange(0, 31).Draw(rt, "age days"))}
			if rapid.IntRange(0, 9).Draw(rt, "exact") == 0 { // due exactly now, or one nanosecond off
				items[i].Created = now.AddDate(0, -keep.Months, -keep.Days).Add(time.Duration(rapid.IntRange(-1, 1).Draw(rt, "ns")))
			}
			k.items.Add(id, items[i].Created)
			if rapid.Bool().Draw(rt, "held") {
				named = append(named, id)
			}
		}
		if len(named) > 0 {
			h := k.hold(t, named...)
			if rapid.Bool().Draw(rt, "released") { // long before anything is due
				if _, err := k.s.Release(ctx, h.ID, epoch.AddDate(-50, 0, 0)); err != nil {
					rt.Fatal(err)
				}
			}
		}
		said := map[string]retention.Explanation{}
		for _, it := range items {
			e, err := k.s.Explain(ctx, it, now)
			if err != nil {
				rt.Fatal(err)
			}
			found, err := k.s.Lookup(ctx, it.Ref())
			if err != nil || !found.Created.Equal(it.Created) {
				rt.Fatalf("Lookup = %+v, %v", found, err)
			}
			said[it.ID] = e
		}
		r := k.run(t, now)
		for id, e := range said {
			erased := slices.ContainsFunc(r.Erased, func(d retention.Deletion) bool { return d.ID == id })
			held := slices.ContainsFunc(r.Held, func(h retention.Held) bool { return h.ID == id && slices.Equal(h.Holds, e.Holds) })
			did := retention.DecisionKeep
			if erased {
				did = retention.DecisionErase
			} else if held {
				did = retention.DecisionHold
			}
			if did != e.Decision || k.items.Has(id) == erased {
				rt.Errorf("said %v, did %v", e, did)
			}
		}
	})
}

func TestExplainUnknown(t *testing.T) {
	ctx := context.Background()
	k := newKit(t)
	if _, err := k.s.Explain(ctx, retention.Item{Class: "x", ID: "y"}, due); !errors.Is(err, retention.ErrClass) {
		t.Error(err)
	}
	if _, err := k.s.Lookup(ctx, item("y")); !errors.Is(err, retention.ErrNotFound) {
		t.Error(err)
	}
	if _, err := k.s.Lookup(ctx, retention.Ref{Class: "x", ID: "y"}); !errors.Is(err, retention.ErrClass) {
		t.Error(err)
	}
}
