package guard

import (
	"net/netip"
	"sync"
	"time"
)

// Sampler lets the first of many alike events through and counts the rest, so that a security log tells of every attacker and none can fill it.
type Sampler struct {
	every time.Duration
	limit int // in all, for each every
	mu    sync.Mutex
	seen  table[sampleKey, sample]
	from  time.Time
	told  int
}

type sampleKey struct {
	kind   string
	source netip.Addr
}

type sample struct {
	at    time.Time
	count int // since the last that was let through
}

// NewSampler lets one event of a kind and source through in every, and limit in all. It remembers size kinds and sources.
func NewSampler(every time.Duration, limit, size int) *Sampler {
	return &Sampler{every: every, limit: limit, seen: newTable[sampleKey, sample](size)}
}

// Count reports whether an event is to be told, and how many it stands for: itself and those alike since the last one told.
func (s *Sampler) Count(kind string, source netip.Addr, now time.Time) (n int, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, _ := s.seen.get(sampleKey{kind, source})
	x.count++
	if !x.at.IsZero() && now.Sub(x.at) < s.every {
		return 0, false
	}
	if now.Sub(s.from) >= s.every {
		s.from, s.told = now, 0
	}
	if s.told >= s.limit {
		return 0, false
	}
	s.told++
	n = x.count
	x.at, x.count = now, 0
	return n, true
}
