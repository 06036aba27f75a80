// Package provisiontest checks implementations of [provision.Store], and has one in memory.
//
// # Security
//
// None: it is for tests and for demonstrations.
//
// # Goroutines
//
// None that outlive a call.
//
// # Importing alone
//
// It imports package provision.
package provisiontest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/sip/provision"
)

// Memory is a Store that ends with the process. The zero value is empty. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records map[string]provision.Record
	// Fail is returned by all methods, which then do nothing. If nil, they work. It must not be set while they run.
	Fail error
}

// Load implements provision.Store.
func (m *Memory) Load(ctx context.Context, id string) (provision.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.Fail); err != nil {
		return provision.Record{}, err
	}
	r, ok := m.records[id]
	if !ok {
		return provision.Record{}, provision.ErrNotFound
	}
	return clone(r), nil
}

// Save implements provision.Store.
func (m *Memory) Save(ctx context.Context, r provision.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.Fail); err != nil {
		return err
	}
	if m.records[r.Device.ID].Version != r.Version {
		return provision.ErrConflict
	}
	if m.records == nil {
		m.records = make(map[string]provision.Record)
	}
	r = clone(r)
	r.Version++
	m.records[r.Device.ID] = r
	return nil
}

func clone(r provision.Record) provision.Record {
	r.Ticket, r.Certificate, r.Token = slices.Clone(r.Ticket), slices.Clone(r.Certificate), slices.Clone(r.Token)
	return r
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456000, time.UTC)

// Run checks a Store. fresh returns an empty one.
func Run(t *testing.T, fresh func(t *testing.T) provision.Store) {
	ctx := context.Background()
	full := provision.Record{
		Device: provision.Device{ID: "001565aabbcc", Family: provision.Snom, Realm: "acme.test", User: "10'01\"; DROP TABLE"},
		Ticket: []byte{1, 0, 255}, Expires: noon.Add(time.Hour), Used: noon, Certificate: []byte{2}, Token: []byte{3},
	}
	save := func(t *testing.T, s provision.Store, r provision.Record) {
		t.Helper()
		if err := s.Save(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	want := func(t *testing.T, s provision.Store, r provision.Record) {
		t.Helper()
		got, err := s.Load(ctx, r.Device.ID)
		if err != nil {
			t.Fatal(err)
		}
		got.Expires = got.Expires.UTC()
		if !got.Used.IsZero() {
			got.Used = got.Used.UTC()
		}
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v\nwant %+v", got, r)
		}
	}
	t.Run("what was written comes back", func(t *testing.T) {
		s := fresh(t)
		if _, err := s.Load(ctx, full.Device.ID); !errors.Is(err, provision.ErrNotFound) {
			t.Fatalf("a new store: %v", err)
		}
		save(t, s, full)
		r := full
		r.Version = 1
		want(t, s, r)
		r.Token, r.Used, r.Certificate = nil, time.Time{}, nil
		save(t, s, r)
		r.Version = 2
		want(t, s, r)
	})
	t.Run("the second of two is refused", func(t *testing.T) {
		s := fresh(t)
		save(t, s, full)
		for _, version := range []uint64{0, 2} {
			r := full
			r.Version, r.Token = version, []byte("other")
			if err := s.Save(ctx, r); !errors.Is(err, provision.ErrConflict) {
				t.Fatalf("version %d: %v", version, err)
			}
		}
		r := full
		r.Version = 1
		want(t, s, r)
		gone := full
		gone.Device.ID, gone.Version = "never-there", 1
		if err := s.Save(ctx, gone); !errors.Is(err, provision.ErrConflict) {
			t.Fatalf("a record that was never there was replaced: %v", err)
		}
	})
	t.Run("one of many at once", func(t *testing.T) {
		s := fresh(t)
		save(t, s, full)
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 20 {
			wg.Go(func() {
				r := full
				r.Version = 1
				err := s.Save(ctx, r)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, provision.ErrConflict):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Fatalf("%d were first", won)
		}
	})
	t.Run("a context that is over changes nothing", func(t *testing.T) {
		s := fresh(t)
		over, cancel := context.WithCancel(ctx)
		cancel()
		if s.Save(over, full) == nil {
			t.Fatal("written after the end of its context")
		}
		if _, err := s.Load(ctx, full.Device.ID); !errors.Is(err, provision.ErrNotFound) {
			t.Fatal(err)
		}
	})
}
