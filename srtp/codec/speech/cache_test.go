package speech_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec/speech"
)

// engine says what it was asked, when it is let.
type engine struct {
	mu    sync.Mutex
	calls []string
	gate  chan struct{} // nil: at once
	err   error
}

func (e *engine) Synthesize(ctx context.Context, voice, text string, wpm int) ([]byte, error) {
	e.mu.Lock()
	e.calls = append(e.calls, voice+":"+text)
	err := e.err
	e.mu.Unlock()
	if e.gate != nil {
		select {
		case <-e.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	return []byte(strings.Repeat(text, 10)), nil
}

func (e *engine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

func TestCacheKeeps(t *testing.T) {
	e := &engine{}
	c := speech.NewCache(e, speech.CacheConfig{MaxBytes: 30})
	say := func(voice, text string, wpm int) {
		wav, err := c.Synthesize(t.Context(), voice, text, wpm)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(text, 10), string(wav))
	}
	say("en", "a", 0)
	say("en", "a", 160) // the same as zero
	require.Equal(t, 1, e.count())
	say("de", "a", 0)
	say("en", "a", 200)
	require.Equal(t, 3, e.count(), "voice and speed make a difference")
	say("en", "a", 0)
	say("en", "b", 0) // pushes out de
	say("en", "a", 0)
	require.Equal(t, 4, e.count())
	say("de", "a", 0)
	require.Equal(t, 5, e.count(), "the least recently used goes first")
	say("en", "long", 0)
	say("en", "long", 0)
	require.Equal(t, 7, e.count(), "what is larger than the cache is not kept")
	e.err = errors.New("broken")
	_, err := c.Synthesize(t.Context(), "en", "new", 0)
	require.Error(t, err)
	e.err = nil
	say("en", "new", 0)
}

func TestCacheSpeaksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{gate: make(chan struct{})}
		c := speech.NewCache(e, speech.CacheConfig{})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				wav, err := c.Synthesize(t.Context(), "en", "hello", 0)
				assert.NoError(t, err)
				assert.Len(t, wav, 50)
			})
		}
		synctest.Wait()
		require.Equal(t, 1, e.count())
		close(e.gate)
		wg.Wait()
		require.Equal(t, 1, e.count())
	})
}

// The caller who had it spoken hangs up: another one has it spoken, and one who waits can leave.
func TestCacheLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &engine{gate: make(chan struct{})}
		c := speech.NewCache(e, speech.CacheConfig{})
		first, leave := context.WithCancel(t.Context())
		got := make(chan error, 3)
		ask := func(ctx context.Context) {
			_, err := c.Synthesize(ctx, "en", "hello", 0)
			got <- err
		}
		go ask(first)
		synctest.Wait()
		go ask(t.Context())
		second, bored := context.WithCancel(t.Context())
		go ask(second)
		synctest.Wait()
		require.Equal(t, 1, e.count())
		bored()
		require.ErrorIs(t, <-got, context.Canceled)
		leave()
		require.ErrorIs(t, <-got, context.Canceled)
		synctest.Wait()
		require.Equal(t, 2, e.count())
		close(e.gate)
		require.NoError(t, <-got)
	})
}
