package acd

import (
	"context"
	"fmt"
	"iter"
	"sync"
)

// MemStore is a Store that forgets everything with the process. It is for tests and for centers that keep no history. The zero MemStore is
// empty and ready; it is safe for concurrent use and must not be copied.
type MemStore struct {
	mu  sync.RWMutex
	log []Event
}

// Append implements [Store].
func (s *MemStore) Append(ctx context.Context, events []Event) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, ev := range events {
		if want := uint64(len(s.log) + i + 1); ev.Seq != want {
			return fmt.Errorf("%w: event %d where %d belongs", ErrConflict, ev.Seq, want)
		}
	}
	s.log = append(s.log, events...)
	return nil
}

// Load implements [Store]. It yields what was in the log when the iteration began.
func (s *MemStore) Load(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		s.mu.RLock()
		log := s.log[min(after, uint64(len(s.log))):]
		s.mu.RUnlock()
		for _, ev := range log {
			if err := ctx.Err(); err != nil {
				yield(Event{}, err)
				return
			}
			if !yield(ev, nil) {
				return
			}
		}
	}
}
