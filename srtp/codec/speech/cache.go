package speech

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// CacheConfig describes a Cache.
type CacheConfig struct {
	// MaxBytes is how much audio is kept. If zero, 64 MiB: about 25 minutes at 22050 Hz.
	MaxBytes int
}

const cacheBytes = 64 << 20

// Cache is a Synthesizer in front of another. It keeps what was spoken, the least recently used of which goes first, and when several callers want the same
// at the same time one of them has it spoken and the others wait. Failures are not kept. It is safe for concurrent use.
type Cache struct {
	engine Synthesizer
	max    int

	mu      sync.Mutex
	size    int
	entries map[cacheKey]*list.Element
	recent  *list.List // of *cacheEntry, the last used first
	flights map[cacheKey]*flight
}

// cacheKey is a hash, so that no text stays in memory.
type cacheKey [sha256.Size]byte

type cacheEntry struct {
	key cacheKey
	wav []byte
}

// flight is one text being spoken. wav, err and left are written before done is closed.
type flight struct {
	done chan struct{}
	wav  []byte
	err  error
	left bool // the caller who had it spoken went away: somebody else has to
}

// NewCache makes an empty Cache in front of engine, which must not be nil.
func NewCache(engine Synthesizer, cfg CacheConfig) *Cache {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = cacheBytes
	}
	return &Cache{engine: engine, max: cfg.MaxBytes, entries: map[cacheKey]*list.Element{}, recent: list.New(), flights: map[cacheKey]*flight{}}
}

// Synthesize returns what is kept, or asks the engine.
func (c *Cache) Synthesize(ctx context.Context, voice, text string, wordsPerMinute int) ([]byte, error) {
	if wordsPerMinute == 0 {
		wordsPerMinute = usualSpeed
	}
	key := keyOf(voice, text, wordsPerMinute)
	for {
		c.mu.Lock()
		if e := c.entries[key]; e != nil {
			c.recent.MoveToFront(e)
			c.mu.Unlock()
			return e.Value.(*cacheEntry).wav, nil
		}
		f := c.flights[key]
		if f == nil {
			f = &flight{done: make(chan struct{}), left: true}
			c.flights[key] = f
			c.mu.Unlock()
			return c.speak(ctx, key, f, voice, text, wordsPerMinute)
		}
		c.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if !f.left {
			return f.wav, f.err
		}
	}
}

// speak asks the engine, and tells those who wait. It does so even if the engine panics: then one of them is next.
func (c *Cache) speak(ctx context.Context, key cacheKey, f *flight, voice, text string, wordsPerMinute int) ([]byte, error) {
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		if !f.left && f.err == nil {
			c.keep(key, f.wav)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	wav, err := c.engine.Synthesize(ctx, voice, text, wordsPerMinute)
	f.wav, f.err = wav, err
	f.left = err != nil && ctx.Err() != nil
	return wav, err
}

// keep makes room and remembers. The caller holds mu.
func (c *Cache) keep(key cacheKey, wav []byte) {
	if len(wav) > c.max {
		return
	}
	for c.size+len(wav) > c.max {
		last := c.recent.Back()
		e := last.Value.(*cacheEntry)
		c.recent.Remove(last)
		delete(c.entries, e.key)
		c.size -= len(e.wav)
	}
	c.entries[key] = c.recent.PushFront(&cacheEntry{key, wav})
	c.size += len(wav)
}

// keyOf is the SHA-256 of all that makes a difference, each with its length before it, so that no two requests share one.
func keyOf(voice, text string, wordsPerMinute int) (key cacheKey) {
	h := sha256.New()
	var n [8]byte
	for _, s := range []string{voice, text} {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	binary.BigEndian.PutUint64(n[:], uint64(wordsPerMinute))
	h.Write(n[:])
	h.Sum(key[:0])
	return key
}
