package guard

import (
	"sync"
	"time"
)

// Known remembers flows of a datagram transport on which a user has proved a password, until they were silent for some time.
type Known struct {
	keep time.Duration
	mu   sync.Mutex
	seen table[string, time.Time]
}

// NewKnown remembers size flows for keep after the last datagram.
func NewKnown(keep time.Duration, size int) *Known {
	return &Known{keep: keep, seen: newTable[string, time.Time](size)}
}

// Add makes flow known.
func (k *Known) Add(flow string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, _ := k.seen.get(flow)
	*at = now
}

// Has reports whether flow is known, and if so keeps it for longer.
func (k *Known) Has(flow string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := k.seen.peek(flow)
	if at == nil {
		return false
	}
	if now.Sub(*at) > k.keep {
		k.seen.drop(flow)
		return false
	}
	at, _ = k.seen.get(flow)
	*at = now
	return true
}

// Len is how many flows are remembered.
func (k *Known) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.seen.items)
}
