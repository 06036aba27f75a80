package voicemailtest

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording/voicemail"
)

// Store is a voicemail.Store in memory. The zero Store is empty. Safe for concurrent use.
type Store struct {
	mu    sync.Mutex
	boxes map[string]voicemail.Box
	tries map[tryKey]voicemail.Tries
	items map[string]voicemail.Item
}

type tryKey struct {
	number string
	own    bool
}

var _ voicemail.Store = (*Store)(nil)

// CreateBox adds a box.
func (s *Store) CreateBox(_ context.Context, b voicemail.Box) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.boxes[b.Number]; ok {
		return voicemail.ErrExists
	}
	if s.boxes == nil {
		s.boxes, s.tries, s.items = map[string]voicemail.Box{}, map[tryKey]voicemail.Tries{}, map[string]voicemail.Item{}
	}
	s.boxes[b.Number] = b
	return nil
}

// Box returns a box.
func (s *Store) Box(_ context.Context, number string) (voicemail.Box, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.boxLocked(number)
}

func (s *Store) boxLocked(number string) (voicemail.Box, error) {
	b, ok := s.boxes[number]
	if !ok {
		return b, voicemail.ErrNoBox
	}
	return b, nil
}

// Boxes returns all boxes by number.
func (s *Store) Boxes(context.Context) ([]voicemail.Box, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []voicemail.Box
	for _, b := range s.boxes {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b voicemail.Box) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// SetHash changes a PIN's hash.
func (s *Store) SetHash(_ context.Context, number, hash string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.boxLocked(number)
	if err != nil {
		return err
	}
	b.Hash = hash
	s.boxes[number] = b
	s.forgetLocked(number)
	return nil
}

func (s *Store) forgetLocked(number string) {
	delete(s.tries, tryKey{number, true})
	delete(s.tries, tryKey{number, false})
}

// DeleteBox removes a box.
func (s *Store) DeleteBox(_ context.Context, number string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.boxLocked(number); err != nil {
		return err
	}
	if len(s.itemsLocked(func(it voicemail.Item) bool { return it.Box == number })) > 0 {
		return voicemail.ErrConflict
	}
	delete(s.boxes, number)
	s.forgetLocked(number)
	return nil
}

// Tries returns the failed tries in a row.
func (s *Store) Tries(_ context.Context, number string, own bool) (voicemail.Tries, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.boxLocked(number)
	return s.tries[tryKey{number, own}], err
}

// SetTries changes them.
func (s *Store) SetTries(_ context.Context, number string, own bool, old, tries voicemail.Tries) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.boxLocked(number); err != nil {
		return err
	}
	if now := s.tries[tryKey{number, own}]; now.Failed != old.Failed || !now.Until.Equal(old.Until) {
		return voicemail.ErrConflict
	}
	s.tries[tryKey{number, own}] = tries
	return nil
}

// Add adds an item.
func (s *Store) Add(_ context.Context, it voicemail.Item, quota voicemail.Quota) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.boxLocked(it.Box); err != nil {
		return err
	}
	if _, ok := s.items[it.ID]; ok {
		return voicemail.ErrExists
	}
	if !quota.Fits(s.itemsLocked(func(x voicemail.Item) bool { return x.Box == it.Box }), it.Length) {
		return voicemail.ErrFull
	}
	s.items[it.ID] = it
	return nil
}

// Item returns an item.
func (s *Store) Item(_ context.Context, id string) (voicemail.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.itemLocked(id)
}

func (s *Store) itemLocked(id string) (voicemail.Item, error) {
	it, ok := s.items[id]
	if !ok {
		return it, voicemail.ErrNotFound
	}
	return it, nil
}

func (s *Store) itemsLocked(want func(voicemail.Item) bool) []voicemail.Item {
	var out []voicemail.Item
	for _, it := range s.items {
		if want(it) {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, func(a, b voicemail.Item) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out
}

// Items returns what is in a box.
func (s *Store) Items(_ context.Context, box string) ([]voicemail.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.itemsLocked(func(it voicemail.Item) bool { return it.Box == box }), nil
}

// Unsettled returns what is pending or being deleted.
func (s *Store) Unsettled(context.Context) ([]voicemail.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.itemsLocked(func(it voicemail.Item) bool {
		return it.State == voicemail.StatePending || it.State == voicemail.StateDeleting
	}), nil
}

// Update changes an item.
func (s *Store) Update(_ context.Context, it voicemail.Item, from voicemail.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, err := s.itemLocked(it.ID)
	if err != nil {
		return err
	}
	if old.State != from {
		return voicemail.ErrConflict
	}
	old.State, old.Length, old.Incomplete = it.State, it.Length, it.Incomplete
	s.items[it.ID] = old
	return nil
}

// Activate makes a pending greeting the active one.
func (s *Store) Activate(_ context.Context, id string, length time.Duration) ([]voicemail.Item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it, err := s.itemLocked(id)
	if err != nil {
		return nil, err
	}
	if it.State != voicemail.StatePending || it.Kind != voicemail.Greeting {
		return nil, voicemail.ErrConflict
	}
	replaced := s.itemsLocked(func(x voicemail.Item) bool {
		return x.Box == it.Box && x.Kind == voicemail.Greeting && x.State == voicemail.StateActive && x.Schedule == it.Schedule
	})
	for i := range replaced {
		replaced[i].State = voicemail.StateDeleting
		s.items[replaced[i].ID] = replaced[i]
	}
	it.State, it.Length = voicemail.StateActive, length
	s.items[id] = it
	return replaced, nil
}

// Remove removes an item.
func (s *Store) Remove(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.items, id)
	return nil
}

// Counts returns the messages of a box.
func (s *Store) Counts(_ context.Context, box string) (voicemail.Counts, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c voicemail.Counts
	for _, it := range s.items {
		switch {
		case it.Box != box || it.Kind != voicemail.Message:
		case it.State == voicemail.StateNew:
			c.New++
		case it.State == voicemail.StateSaved:
			c.Saved++
		}
	}
	return c, nil
}
