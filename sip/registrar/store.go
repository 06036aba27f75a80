package registrar

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// Record is a binding and whose it is, as a Store keeps it.
type Record struct {
	Realm, User string
	Binding     Binding
}

// Change is one write to a Store.
type Change struct {
	// ID is that of the binding, which is unique among all users.
	ID string
	// Put says that Record takes the place of what the Store has under ID. If false, that is removed, and the Binding in Record is empty.
	Put    bool
	Record Record
}

// Store keeps bindings across a restart. Registrar calls Apply one at a time. Package registrartest checks an implementation.
type Store interface {
	// Load yields every record, in any order. It stops at the first error.
	Load(ctx context.Context) iter.Seq2[Record, error]
	// Apply writes changes, of which no two have the same ID, all or none. It returns when they are durable.
	Apply(ctx context.Context, changes []Change) error
}

// Open returns a Registrar with what store holds. Bindings that ended before now are dropped; of the others those are reachable whose flow
// Config.Survives. Neither OnChange nor OnEvent is told of what was there before, but for OnChange of users who are reachable. The caller must
// see to it that Flush is called: an endpoint does.
func Open(ctx context.Context, cfg Config, store Store, now time.Time) (*Registrar, error) {
	r := New(cfg)
	r.store = store
	r.mu.Lock()
	defer r.mu.Unlock()
	users := make(map[key][]*Binding)
	for rec, err := range store.Load(ctx) {
		if err != nil {
			return nil, fmt.Errorf("registrar: load: %w", err)
		}
		b := rec.Binding
		if b.ID == "" || !b.Expires.After(now) {
			if b.ID != "" {
				r.write(Change{ID: b.ID, Record: Record{Realm: rec.Realm, User: rec.User}})
			}
			continue
		}
		b.Gone = cfg.Survives == nil || !cfg.Survives(b.Flow)
		k := key{rec.Realm, rec.User}
		users[k] = append(users[k], &b)
	}
	stale := r.dirty // what put marks as new is what was just read
	r.dirty = make(map[string]Change)
	for k, bs := range users {
		r.put(k, bs, nil)
	}
	r.dirty = stale
	return r, nil
}

// write remembers what Flush will write. Later changes of one binding take the place of earlier ones.
func (r *Registrar) write(c Change) {
	if r.store != nil {
		r.dirty[c.ID] = c
	}
}

// Flush writes what has changed since the last one, in one transaction, and does nothing if nothing has. What could not be written is tried again by the
// next Flush. It is safe to call concurrently; REGISTER requests do not wait for it.
func (r *Registrar) Flush(ctx context.Context) error {
	r.flush.Lock()
	defer r.flush.Unlock()
	r.mu.Lock()
	batch := r.dirty
	if len(batch) == 0 {
		r.mu.Unlock()
		return nil
	}
	r.dirty = make(map[string]Change)
	r.mu.Unlock()
	changes := make([]Change, 0, len(batch))
	for _, c := range batch {
		changes = append(changes, c)
	}
	err := r.store.Apply(ctx, changes)
	if err == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range batch {
		if _, newer := r.dirty[id]; !newer {
			r.dirty[id] = c
		}
	}
	return fmt.Errorf("registrar: flush: %w", err)
}
