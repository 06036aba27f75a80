package acd_test

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/stretchr/testify/require"
)

func TestRestartAfterACrash(t *testing.T) {
	cfg := config(&phones{does: map[string]func(context.Context) (bool, error){"a": accept}})
	crashed := &crashing{MemStore: &acd.MemStore{}}
	cfg.Store = crashed
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		_, err := enqueue(t, c, "w1", "sales").Wait(t.Context())
		require.NoError(t, err)
		enqueue(t, c, "w2", "wait")
		synctest.Wait()
		crashed.copy(t) // what the disk holds when the plug is pulled
	})
	cfg.Store = crashed.disk
	var records []acd.Record
	cfg.OnRecord = func(r acd.Record) { records = append(records, r) }
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		<-c.Started()
		synctest.Wait()
		require.Len(t, records, 2)
		require.Equal(t, acd.Answered, records[0].Outcome)
		require.Equal(t, acd.Abandoned, records[1].Outcome)
		require.Equal(t, acd.CauseNodeDied, records[1].Cause)
		require.Equal(t, acd.LoggedOut, c.Snapshot().Agents[0].State)
		require.EqualValues(t, 1, c.Snapshot().Agents[0].Answered)
		enqueue(t, c, "w1", "wait") // the id is free again
	})
}

type crashing struct {
	*acd.MemStore
	disk *acd.MemStore
}

func (s *crashing) copy(t *testing.T) {
	s.disk = &acd.MemStore{}
	for ev, err := range s.Load(t.Context(), 0) {
		require.NoError(t, err)
		require.NoError(t, s.disk.Append(t.Context(), []acd.Event{ev}))
	}
}

// moody is a store that fails while told to.
type moody struct {
	*acd.MemStore
	mu      sync.Mutex
	err     error
	batches int
}

func (s *moody) set(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *moody) Append(ctx context.Context, evs []acd.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batches++
	if s.err != nil {
		return s.err
	}
	return s.MemStore.Append(ctx, evs)
}

func TestStoreOutageDelaysEndsButNotCallers(t *testing.T) {
	cfg := config(&phones{does: map[string]func(context.Context) (bool, error){"a": accept}})
	store := &moody{MemStore: &acd.MemStore{}}
	cfg.Store = store
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		store.set(errors.New("disk full"))
		start := time.Now()
		_, err := enqueue(t, c, "w1", "sales").Wait(t.Context())
		require.NoError(t, err)
		require.Zero(t, time.Since(start), "callers are served during the outage")
		ended := make(chan error, 1)
		go func() { ended <- c.End(t.Context(), "w1", "") }()
		pass(time.Minute)
		require.Empty(t, ended, "End waits until its record is durable")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, c.Arrive(ctx, acd.Work{ID: "w2"}))
		require.ErrorIs(t, c.End(ctx, "w2", ""), context.Canceled)
		store.set(nil)
		require.NoError(t, <-ended)
		require.Less(t, store.batches, 60, "retries back off")
	})
}

func TestSecondWriterStopsTheCenter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config(&phones{})
		c, err := acd.New(cfg)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
		<-c.Started()
		synctest.Wait()
		require.NoError(t, cfg.Store.Append(t.Context(), []acd.Event{{Seq: 2, At: time.Now(), Kind: acd.KindTimer}}))
		require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w"}))
		require.ErrorIs(t, <-done, acd.ErrConflict)
		require.ErrorIs(t, c.Arrive(t.Context(), acd.Work{ID: "x"}), acd.ErrClosed)
		require.ErrorIs(t, c.Drain(t.Context()), acd.ErrClosed)
		_, err = c.Position("w")
		require.ErrorIs(t, err, acd.ErrClosed)
		require.ErrorIs(t, c.Run(t.Context()), acd.ErrRunning)
	})
}

type badLog struct {
	acd.MemStore
	ev  acd.Event
	err error
}

func (s *badLog) Load(context.Context, uint64) iter.Seq2[acd.Event, error] {
	return func(yield func(acd.Event, error) bool) { yield(s.ev, s.err) }
}

func TestUnreadableLogRefusesToStart(t *testing.T) {
	for _, s := range []*badLog{{err: acd.ErrLog}, {ev: acd.Event{Seq: 7}}} {
		cfg := config(&phones{})
		cfg.Store = s
		c, err := acd.New(cfg)
		require.NoError(t, err)
		require.ErrorIs(t, c.Run(t.Context()), acd.ErrLog)
		require.ErrorIs(t, c.Arrive(t.Context(), acd.Work{ID: "w"}), acd.ErrClosed)
	}
}
