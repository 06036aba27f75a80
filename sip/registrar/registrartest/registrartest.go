// Package registrartest checks implementations of [registrar.Store], and has one in memory for tests.
//
// # Security
//
// None: it is for tests.
//
// # Goroutines
//
// None that outlive a call.
//
// # Importing alone
//
// It imports package registrar.
package registrartest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/sip/registrar"
)

// Memory is a Store that ends with the process. The zero value is empty. It is safe for concurrent use.
type Memory struct {
	mu      sync.Mutex
	records map[string]registrar.Record
	// Fail is returned by Apply, which then writes nothing. If nil, Apply works. It must not be set while Apply runs.
	Fail error
}

// Load implements registrar.Store.
func (m *Memory) Load(context.Context) iter.Seq2[registrar.Record, error] {
	return func(yield func(registrar.Record, error) bool) {
		m.mu.Lock()
		var all []registrar.Record
		for _, r := range m.records {
			r.Binding.Path = slices.Clone(r.Binding.Path)
			all = append(all, r)
		}
		m.mu.Unlock()
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Apply implements registrar.Store.
func (m *Memory) Apply(ctx context.Context, changes []registrar.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.Fail); err != nil {
		return err
	}
	if m.records == nil {
		m.records = make(map[string]registrar.Record)
	}
	for _, c := range changes {
		if delete(m.records, c.ID); c.Put {
			m.records[c.ID] = c.Record
		}
	}
	return nil
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.UTC)

// Run checks a Store. reopen returns a Store on the same data each time it is called within one test; what it returned before is not used again then.
func Run(t *testing.T, fresh func(t *testing.T) (reopen func() registrar.Store)) {
	ctx := context.Background()
	full := registrar.Record{Realm: "acme.test", User: "1001", Binding: registrar.Binding{
		Contact: "sip:1001@192.0.2.1:5061;transport=tls;ob", Flow: "tls/192.0.2.1:5061;1;ab", Instance: "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", RegID: 4294967295,
		Q: 700, Path: []string{"<sip:p1.test;lr;ob>", "<sip:p2.test;lr>"}, Params: `;methods="INVITE, BYE";audio`, CallID: "call'id\"; DROP TABLE", CSeq: 1<<31 - 1,
		Expires: noon.Add(time.Hour), Agent: "Téléphone 'X'", ID: "id1", Since: noon, Updated: noon.Add(time.Minute), Epoch: "0123",
	}}
	put := func(r registrar.Record) registrar.Change {
		return registrar.Change{ID: r.Binding.ID, Put: true, Record: r}
	}
	t.Run("what was written comes back", func(t *testing.T) {
		reopen := fresh(t)
		s := reopen()
		if got := load(t, s); len(got) != 0 {
			t.Fatalf("a new store holds %v", got)
		}
		bare := registrar.Record{Realm: "globex.test", User: "1001", Binding: registrar.Binding{Contact: "sip:a@b", ID: "id2", Expires: noon, Since: noon, Updated: noon}}
		apply(t, s, put(full), put(bare))
		want(t, reopen(), full, bare)
	})
	t.Run("put replaces and remove removes", func(t *testing.T) {
		reopen := fresh(t)
		s := reopen()
		apply(t, s, put(full))
		newer := full
		newer.Binding.CSeq, newer.Binding.Path, newer.Binding.Contact = 7, nil, "sip:other@host"
		apply(t, s, put(newer), registrar.Change{ID: "never there"})
		want(t, s, newer)
		apply(t, s, registrar.Change{ID: "id1"})
		want(t, reopen())
	})
	t.Run("many at once", func(t *testing.T) {
		reopen := fresh(t)
		s := reopen()
		var all []registrar.Record
		var changes []registrar.Change
		for i := range 1500 {
			r := full
			r.User, r.Binding.ID = fmt.Sprint(i), fmt.Sprintf("id%06d", i)
			all, changes = append(all, r), append(changes, put(r))
		}
		apply(t, s, changes...)
		want(t, reopen(), all...)
	})
	t.Run("a context that is over writes nothing", func(t *testing.T) {
		reopen := fresh(t)
		s := reopen()
		over, cancel := context.WithCancel(ctx)
		cancel()
		if err := s.Apply(over, []registrar.Change{put(full)}); err == nil {
			t.Fatal("written after the end of its context")
		}
		want(t, s)
	})
	t.Run("a reader may stop", func(t *testing.T) {
		reopen := fresh(t)
		s := reopen()
		other := full
		other.Binding.ID = "id2"
		apply(t, s, put(full), put(other))
		for range s.Load(ctx) {
			break
		}
		apply(t, s, registrar.Change{ID: "id2"})
		want(t, s, full)
	})
}

func apply(t *testing.T, s registrar.Store, changes ...registrar.Change) {
	t.Helper()
	if err := s.Apply(context.Background(), changes); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, s registrar.Store) []registrar.Record {
	t.Helper()
	var out []registrar.Record
	for r, err := range s.Load(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []*time.Time{&r.Binding.Expires, &r.Binding.Since, &r.Binding.Updated} {
			*at = at.UTC()
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b registrar.Record) int { return strings.Compare(a.Binding.ID, b.Binding.ID) })
	return out
}

func want(t *testing.T, s registrar.Store, records ...registrar.Record) {
	t.Helper()
	got := load(t, s)
	if len(got) != len(records) {
		t.Fatalf("got %d records, want %d", len(got), len(records))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], records[i]) {
			t.Fatalf("got\n%+v\nwant\n%+v", got[i], records[i])
		}
	}
}
