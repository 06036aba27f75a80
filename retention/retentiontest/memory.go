package retentiontest

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/retention"
)

// Store is a retention.Store in memory. The zero Store is empty. Safe for concurrent use.
type Store struct {
	mu       sync.Mutex
	holds    []retention.Hold
	journal  []retention.Deletion
	receipts [][]byte
}

func (s *Store) begun(ref retention.Ref) int {
	return slices.IndexFunc(s.journal, func(d retention.Deletion) bool { return d.Ref() == ref })
}

// PlaceHold stores a hold.
func (s *Store) PlaceHold(_ context.Context, h retention.Hold) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.holds, func(o retention.Hold) bool { return o.ID == h.ID }) {
		return retention.ErrExists
	}
	for _, ref := range h.Items {
		if s.begun(ref) >= 0 {
			return retention.ErrErasing
		}
	}
	h.Items = slices.Clone(h.Items)
	s.holds = append(s.holds, h)
	return nil
}

// ReleaseHold ends a hold.
func (s *Store) ReleaseHold(_ context.Context, id string, at time.Time) (retention.Hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.holds {
		if s.holds[i].ID != id {
			continue
		}
		if !s.holds[i].Active() {
			return retention.Hold{}, retention.ErrReleased
		}
		s.holds[i].Released = at
		h := s.holds[i]
		h.Items = slices.Clone(h.Items)
		return h, nil
	}
	return retention.Hold{}, retention.ErrNotFound
}

// ListHolds yields all holds.
func (s *Store) ListHolds(context.Context) iter.Seq2[retention.Hold, error] {
	return func(yield func(retention.Hold, error) bool) {
		s.mu.Lock()
		holds := slices.Clone(s.holds)
		s.mu.Unlock()
		slices.SortStableFunc(holds, func(a, b retention.Hold) int { return cmp.Or(a.Placed.Compare(b.Placed), cmp.Compare(a.ID, b.ID)) })
		for _, h := range holds {
			h.Items = slices.Clone(h.Items)
			if !yield(h, nil) {
				return
			}
		}
	}
}

// Begin stores an erasure about to begin.
func (s *Store) Begin(_ context.Context, d retention.Deletion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.holds {
		if h.Active() && slices.Contains(h.Items, d.Ref()) {
			return retention.ErrHeld
		}
	}
	if s.begun(d.Ref()) < 0 {
		d.Erased, d.KeyIDs = time.Time{}, []string{}
		s.journal = append(s.journal, d)
	}
	return nil
}

// Done stores the end of an erasure.
func (s *Store) Done(_ context.Context, d retention.Deletion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.begun(d.Ref()); i >= 0 && s.journal[i].Erased.IsZero() {
		s.journal[i].Erased, s.journal[i].KeyIDs = d.Erased, append([]string{}, d.KeyIDs...)
	}
	return nil
}

// Pending returns the journal.
func (s *Store) Pending(context.Context) ([]retention.Deletion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal), nil
}

// LastReceipt returns the newest receipt.
func (s *Store) LastReceipt(context.Context) (uint64, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.receipts)
	if n == 0 {
		return 0, nil, nil
	}
	return uint64(n), slices.Clone(s.receipts[n-1]), nil
}

// SaveReceipt stores a receipt and takes what it lists out of the journal.
func (s *Store) SaveReceipt(_ context.Context, seq uint64, receipt []byte, listed []retention.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq != uint64(len(s.receipts))+1 {
		return retention.ErrConflict
	}
	for _, ref := range listed {
		if i := s.begun(ref); i < 0 || s.journal[i].Erased.IsZero() {
			return retention.ErrConflict
		}
	}
	s.journal = slices.DeleteFunc(s.journal, func(d retention.Deletion) bool { return slices.Contains(listed, d.Ref()) })
	s.receipts = append(s.receipts, slices.Clone(receipt))
	return nil
}

// ListReceipts yields all receipts.
func (s *Store) ListReceipts(context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s.mu.Lock()
		receipts := slices.Clone(s.receipts)
		s.mu.Unlock()
		for _, r := range receipts {
			if !yield(slices.Clone(r), nil) {
				return
			}
		}
	}
}

// Items is a retention.Catalog and a retention.Eraser of one class in memory: item IDs and when they were created. The key of item x is "key-x". The zero
// Items is empty. Safe for concurrent use.
type Items struct {
	mu     sync.Mutex
	m      map[string]time.Time
	fail   map[string]error
	Erased []string // in order; read it when nothing runs
}

// Add adds an item.
func (i *Items) Add(id string, created time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.m == nil {
		i.m = map[string]time.Time{}
	}
	i.m[id] = created
}

// Has reports whether an item is there.
func (i *Items) Has(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, ok := i.m[id]
	return ok
}

// Len returns the number of items.
func (i *Items) Len() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.m)
}

// Fail makes erasing an item fail with err from now on, until it is called with nil.
func (i *Items) Fail(id string, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fail == nil {
		i.fail = map[string]error{}
	}
	i.fail[id] = err
}

// Due yields the items created before t, oldest first.
func (i *Items) Due(_ context.Context, before time.Time) iter.Seq2[retention.Item, error] {
	return func(yield func(retention.Item, error) bool) {
		i.mu.Lock()
		var out []retention.Item
		for id, created := range i.m {
			if created.Before(before) {
				out = append(out, retention.Item{ID: id, Created: created})
			}
		}
		i.mu.Unlock()
		slices.SortFunc(out, func(a, b retention.Item) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
		for _, item := range out {
			if !yield(item, nil) {
				return
			}
		}
	}
}

// Erase removes an item.
func (i *Items) Erase(_ context.Context, id, _ string) ([]string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.fail[id]; err != nil {
		return nil, err
	}
	if _, ok := i.m[id]; ok {
		delete(i.m, id)
		i.Erased = append(i.Erased, id)
	}
	return []string{"key-" + id}, nil
}

// Signer is a retention.Signer whose key follows from a number. Safe for concurrent use.
type Signer struct{ private ed25519.PrivateKey }

// NewSigner returns the Signer of a number: the same number, the same key.
func NewSigner(n byte) *Signer {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = n
	}
	return &Signer{private: ed25519.NewKeyFromSeed(seed)}
}

// Sign signs a message.
func (s *Signer) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return ed25519.Sign(s.private, msg), nil
}

// PublicKey returns the key that checks signatures.
func (s *Signer) PublicKey(context.Context) (ed25519.PublicKey, error) {
	return s.private.Public().(ed25519.PublicKey), nil
}

// ErrDenied is what Deny answers.
var ErrDenied = errors.New("retentiontest: denied")

// Allow is an Authorizer that allows the actions it names, or all if it names none.
type Allow []string

// Allow returns nil for an action that is allowed, ErrDenied otherwise.
func (a Allow) Allow(_ context.Context, action, _ string) error {
	if len(a) == 0 || slices.Contains(a, action) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDenied, action)
}

// Deny is an Authorizer that allows nothing.
type Deny struct{}

// Allow returns ErrDenied.
func (Deny) Allow(_ context.Context, action, _ string) error {
	return fmt.Errorf("%w: %s", ErrDenied, action)
}

// Audit is an Auditor that remembers. The zero Audit is empty. Safe for concurrent use.
type Audit struct {
	mu      sync.Mutex
	entries []string
	fail    error
}

// Audit remembers "action object".
func (a *Audit) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.entries = append(a.entries, action+" "+object)
	return nil
}

// Entries returns what was recorded.
func (a *Audit) Entries() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.entries)
}

// Fail makes every Audit fail with err from now on, until it is called with nil.
func (a *Audit) Fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}
