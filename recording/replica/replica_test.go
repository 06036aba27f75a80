package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/replica"
)

var errAway = errors.New("the other place does not answer")

// flaky is a store that can be away, and slow.
type flaky struct {
	*filestore.Store
	away  atomic.Bool
	slow  chan struct{} // each write takes one from it; nil: writes are fast
	wrote atomic.Int64
}

func (f *flaky) Create(ctx context.Context, id string) (recording.BlobWriter, error) {
	if f.away.Load() {
		return nil, errAway
	}
	w, err := f.Store.Create(ctx, id)
	return &flakyWriter{w, f}, err
}

func (f *flaky) Append(ctx context.Context, id string) (recording.BlobWriter, int64, error) {
	if f.away.Load() {
		return nil, 0, errAway
	}
	w, n, err := f.Store.Append(ctx, id)
	return &flakyWriter{w, f}, n, err
}

func (f *flaky) Remove(ctx context.Context, id string) error {
	if f.away.Load() {
		return errAway
	}
	return f.Store.Remove(ctx, id)
}

type flakyWriter struct {
	recording.BlobWriter
	f *flaky
}

func (w *flakyWriter) Write(p []byte) (int, error) {
	if w.f.away.Load() {
		return 0, errAway
	}
	if w.f.slow != nil {
		<-w.f.slow
	}
	w.f.wrote.Add(int64(len(p)))
	return w.BlobWriter.Write(p)
}

func (w *flakyWriter) Sync() error {
	if w.f.away.Load() {
		return errAway
	}
	return w.BlobWriter.Sync()
}

type places struct {
	first, second *flaky
	*replica.Store
}

func newPlaces(t *testing.T, cfg replica.Config) *places {
	t.Helper()
	leaktest.Check(t)
	p := &places{}
	for _, f := range []**flaky{&p.first, &p.second} {
		s, err := filestore.Open(t.TempDir())
		require.NoError(t, err)
		*f = &flaky{Store: s}
	}
	p.open(t, cfg)
	return p
}

func (p *places) open(t *testing.T, cfg replica.Config) {
	t.Helper()
	cfg.Primary, cfg.Secondary = p.first, p.second
	if cfg.Retry == 0 {
		cfg.Retry = time.Millisecond
	}
	var err error
	p.Store, err = replica.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Store.Close()) })
}

func create(t *testing.T, b recording.Blobs, id string) recording.BlobWriter {
	t.Helper()
	w, err := b.Create(context.Background(), id)
	require.NoError(t, err)
	return w
}

func write(t *testing.T, w io.Writer, p []byte) {
	t.Helper()
	_, err := w.Write(p)
	require.NoError(t, err)
}

func content(t *testing.T, b recording.Blobs, id string) []byte {
	t.Helper()
	r, err := b.Open(context.Background(), id)
	require.NoError(t, err)
	defer r.Close()
	all, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	require.NoError(t, err)
	return all
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func segment(n int) []byte { return bytes.Repeat([]byte{byte(n)}, 16000) }

func TestConformance(t *testing.T) {
	recordingtest.TestBlobs(t, func(t *testing.T) recording.Blobs { return newPlaces(t, replica.Config{}) })
	recordingtest.TestCatalog(t, func(t *testing.T) recording.Catalog {
		c, err := replica.NewCatalog(&recordingtest.Catalog{}, &recordingtest.Catalog{})
		require.NoError(t, err)
		return c
	})
}

// Segments reach the other place while the recording is made, and Sync returns when all of it is there.
func TestSegmentsAreCopiedAsTheyAreWritten(t *testing.T) {
	control.Proves(t, "AVA-08")
	p := newPlaces(t, replica.Config{})
	w := create(t, p, "a")
	var want []byte
	for i := range 20 {
		write(t, w, segment(i))
		want = append(want, segment(i)...)
		// Near real time: each segment is there before the next could come, without anybody asking for it.
		require.Eventually(t, func() bool { return p.Lag() == replica.Lag{} }, time.Second, 100*time.Microsecond)
		require.Equal(t, want, content(t, p.second, "a"))
	}
	// Acknowledged means both: while the other place is away nothing is.
	p.second.away.Store(true)
	write(t, w, segment(99))
	acknowledged := make(chan error, 1)
	go func() { acknowledged <- w.Sync() }() // ends below
	require.Eventually(t, func() bool { return p.Lag().Err != nil }, 5*time.Second, time.Millisecond)
	lag := p.Lag()
	assert.Equal(t, 1, lag.Recordings)
	assert.EqualValues(t, len(segment(99)), lag.Bytes)
	assert.Positive(t, lag.Oldest)
	require.ErrorIs(t, lag.Err, errAway)
	select {
	case err := <-acknowledged:
		t.Fatalf("Sync = %v with one copy", err)
	default:
	}
	p.second.away.Store(false)
	require.NoError(t, <-acknowledged)
	require.Equal(t, append(want, segment(99)...), content(t, p.second, "a"))
	require.NoError(t, w.Close())
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	for b, err := range p.second.List(context.Background()) {
		require.NoError(t, err)
		assert.True(t, b.Finished)
	}
}

func TestSyncGivesUpInTime(t *testing.T) {
	p := newPlaces(t, replica.Config{Timeout: 20 * time.Millisecond})
	p.second.away.Store(true)
	w := create(t, p, "a")
	write(t, w, segment(1))
	require.ErrorIs(t, w.Sync(), replica.ErrBehind)
	require.NoError(t, w.Close())
	p.second.away.Store(false)
	require.NoError(t, p.Flush(within(t, 5*time.Second)), "and the copying goes on")
	require.Equal(t, segment(1), content(t, p.second, "a"))

	one := newPlaces(t, replica.Config{Acknowledge: replica.One})
	one.second.away.Store(true)
	w = create(t, one, "a")
	write(t, w, segment(1))
	require.NoError(t, w.Sync())
	require.NoError(t, w.Close())
}

// A slow line holds no writer up, and its lag can be seen.
func TestASlowLineHoldsNobodyUp(t *testing.T) {
	p := newPlaces(t, replica.Config{Copiers: 2})
	p.second.slow = make(chan struct{})
	const calls = 50
	var writers []recording.BlobWriter
	for i := range calls {
		w := create(t, p, fmt.Sprintf("r%d", i))
		write(t, w, segment(i))
		writers = append(writers, w)
	}
	assert.Equal(t, calls, p.Lag().Recordings)
	assert.EqualValues(t, calls*len(segment(0)), p.Lag().Bytes)
	close(p.second.slow)
	var wg sync.WaitGroup
	for _, w := range writers {
		wg.Go(func() { assert.NoError(t, errors.Join(w.Sync(), w.Close())) })
	}
	wg.Wait()
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	for i := range calls {
		require.Equal(t, segment(i), content(t, p.second, fmt.Sprintf("r%d", i)))
	}
	assert.Equal(t, replica.Lag{}, p.Lag())
}

// The primary burns down, and what was acknowledged is read from the other place; with the roles changed it is copied to a new one.
func TestAPlaceIsLost(t *testing.T) {
	p := newPlaces(t, replica.Config{})
	w := create(t, p, "a")
	write(t, w, segment(1))
	require.NoError(t, errors.Join(w.Sync(), w.Close()))
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	require.NoError(t, p.first.Store.Remove(context.Background(), "a"))
	require.Equal(t, segment(1), content(t, p, "a"))

	fresh, err := filestore.Open(t.TempDir())
	require.NoError(t, err)
	after, err := replica.Open(replica.Config{Primary: p.second, Secondary: fresh})
	require.NoError(t, err)
	defer after.Close()
	require.NoError(t, after.CatchUp(context.Background()))
	require.NoError(t, after.Flush(within(t, 5*time.Second)))
	require.Equal(t, segment(1), content(t, fresh, "a"))
}

// A process died in the middle of copying. The next one copies what is missing and no more.
func TestCatchUpGoesOn(t *testing.T) {
	ctx := context.Background()
	p := newPlaces(t, replica.Config{})
	for _, f := range []*flaky{p.first, p.second} { // both have the first segment, the primary two more
		w := create(t, f.Store, "a")
		write(t, w, segment(1))
		if f == p.first {
			write(t, w, segment(2))
			write(t, w, segment(3))
			require.NoError(t, w.Close())
		} else {
			defer w.Close() // its process is dead; nobody renames the file
		}
	}
	w := create(t, p.first.Store, "b")
	write(t, w, segment(4))
	require.NoError(t, w.Close())
	require.NoError(t, p.CatchUp(ctx))
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	require.Equal(t, content(t, p.first, "a"), content(t, p.second, "a"))
	require.Equal(t, segment(4), content(t, p.second, "b"))
	assert.EqualValues(t, 3*len(segment(0)), p.second.wrote.Load())
	require.NoError(t, p.CatchUp(ctx))
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	assert.EqualValues(t, 3*len(segment(0)), p.second.wrote.Load(), "nothing is copied twice")
}

// Removing means both places, and nothing comes back from a copier that was at it.
func TestRemovedIsGoneInBothPlaces(t *testing.T) {
	ctx := context.Background()
	p := newPlaces(t, replica.Config{})
	w := create(t, p, "a")
	for i := range 100 {
		write(t, w, segment(i))
	}
	require.NoError(t, p.Remove(ctx, "a"))
	for _, f := range []*flaky{p.first, p.second} {
		_, err := f.Open(ctx, "a")
		require.ErrorIs(t, err, recording.ErrNotFound)
	}
	require.NoError(t, w.Close())
	w = create(t, p, "b")
	require.NoError(t, w.Close())
	require.NoError(t, p.Flush(within(t, 5*time.Second)))
	p.second.away.Store(true)
	require.ErrorIs(t, p.Remove(ctx, "b"), errAway, "whoever destroys must know that it is not done")
	p.second.away.Store(false)
	require.NoError(t, p.Remove(ctx, "b"))
	_, err := p.second.Open(ctx, "b")
	require.ErrorIs(t, err, recording.ErrNotFound)
}

func TestTheSamePlaceIsRefused(t *testing.T) {
	dir := t.TempDir()
	a, err := filestore.Open(dir)
	require.NoError(t, err)
	b, err := filestore.Open(dir + "/../" + dir[len(dir)-3:])
	require.NoError(t, err)
	for name, cfg := range map[string]replica.Config{
		"one store":        {Primary: a, Secondary: a},
		"one folder":       {Primary: a, Secondary: b},
		"none":             {},
		"negative timeout": {Primary: a, Secondary: &recordingtest.Blobs{}, Timeout: -1},
		"policy":           {Primary: a, Secondary: &recordingtest.Blobs{}, Acknowledge: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := replica.Open(cfg)
			if err == nil {
				_ = s.Close()
			}
			require.ErrorIs(t, err, replica.ErrConfig)
		})
	}
	c := &recordingtest.Catalog{}
	_, err = replica.NewCatalog(c, c)
	require.ErrorIs(t, err, replica.ErrConfig)
}

func TestRepairOfACatalog(t *testing.T) {
	ctx := context.Background()
	first, second := &recordingtest.Catalog{}, &recordingtest.Catalog{}
	c, err := replica.NewCatalog(first, second)
	require.NoError(t, err)
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	row := func(id string) recording.Entry {
		return recording.Entry{ID: id, Class: "recording", State: recording.StateOpen, Created: at, KeyID: "k" + id, WrappedKey: []byte{1}, Meta: []byte{2}}
	}
	done := func(e recording.Entry) recording.Entry {
		e.State, e.Closed, e.Segments, e.Samples = recording.StateComplete, at.Add(time.Minute), 60, 480000
		return e
	}
	for _, id := range []string{"same", "open there", "missing there", "destroyed here", "destroyed there", "rewrapped here"} {
		e := row(id)
		require.NoError(t, first.Insert(ctx, e))
		if id != "missing there" {
			require.NoError(t, second.Insert(ctx, e))
		}
		require.NoError(t, first.Finish(ctx, done(e)))
		if id == "same" || id == "destroyed there" || id == "rewrapped here" {
			require.NoError(t, second.Finish(ctx, done(e)))
		}
	}
	require.NoError(t, first.Shred(ctx, "destroyed here", at))
	require.NoError(t, second.Shred(ctx, "destroyed there", at))
	require.NoError(t, first.Rewrap(ctx, "rewrapped here", []byte{1}, []byte{9}))
	n, err := c.Repair(ctx)
	require.NoError(t, err)
	assert.Equal(t, 5, n)
	for _, id := range []string{"same", "open there", "missing there", "destroyed here", "destroyed there", "rewrapped here"} {
		a, err := first.Get(ctx, id)
		require.NoError(t, err)
		b, err := second.Get(ctx, id)
		require.NoError(t, err)
		assert.Equal(t, a.State, b.State, id)
		assert.Equal(t, a.WrappedKey, b.WrappedKey, id)
	}
	n, err = c.Repair(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
}

// between is a catalog that lets a test do something before a row comes to it.
type between struct {
	recordingtest.Catalog
	before func()
}

func (b *between) step() {
	if f := b.before; f != nil {
		b.before = nil
		f()
	}
}

func (b *between) Insert(ctx context.Context, e recording.Entry) error {
	b.step()
	return b.Catalog.Insert(ctx, e)
}

func (b *between) Finish(ctx context.Context, e recording.Entry) error {
	b.step()
	return b.Catalog.Finish(ctx, e)
}

// A Repair that sees a row after the primary has it and before the secondary does takes nothing from who is writing it, and the other way round. Another
// recording of the same name is still refused.
func TestRepairBesideRunningCalls(t *testing.T) {
	ctx := context.Background()
	first, second := &recordingtest.Catalog{}, &between{}
	c, err := replica.NewCatalog(first, second)
	require.NoError(t, err)
	repair := func() {
		_, err := c.Repair(ctx)
		require.NoError(t, err)
	}
	e := recording.Entry{ID: "a", Class: "recording", State: recording.StateOpen, Created: time.Unix(0, 0).UTC(), KeyID: "ka", WrappedKey: []byte{1}, Meta: []byte{2}}
	second.before = repair
	require.NoError(t, c.Insert(ctx, e))
	e.State, e.Closed, e.Segments = recording.StateComplete, time.Unix(60, 0).UTC(), 60
	second.before = repair
	require.NoError(t, c.Finish(ctx, e))
	there, err := second.Get(ctx, "a")
	require.NoError(t, err)
	assert.Equal(t, recording.StateComplete, there.State)

	b := e
	b.ID, b.KeyID, b.State = "b", "kb", recording.StateOpen
	require.NoError(t, first.Insert(ctx, b))
	second.before = func() { require.NoError(t, second.Catalog.Insert(ctx, b)) } // by whoever is making it
	repair()

	other := b
	other.ID, other.KeyID = "c", "kc"
	require.NoError(t, second.Insert(ctx, other))
	other.KeyID = "kd"
	require.ErrorIs(t, c.Insert(ctx, other), recording.ErrExists)
}

// stuck is a catalog that takes no new keys while it is broken.
type stuck struct {
	recordingtest.Catalog
	broken bool
}

func (s *stuck) Rewrap(ctx context.Context, id string, old, wrapped []byte) error {
	if s.broken {
		return errors.New("the line is down")
	}
	return s.Catalog.Rewrap(ctx, id, old, wrapped)
}

// A key that is wrapped anew is so in both places, at the latest after Repair or another Rewrap; otherwise destroying the old wrapping key would cost one of them.
func TestRewrapReachesBothPlaces(t *testing.T) {
	ctx := context.Background()
	first, second := &recordingtest.Catalog{}, &stuck{}
	c, err := replica.NewCatalog(first, second)
	require.NoError(t, err)
	require.NoError(t, c.Insert(ctx, recording.Entry{ID: "r1", Class: "recording", State: recording.StateOpen, KeyID: "k", WrappedKey: []byte{1}, Meta: []byte{2}}))
	there := func() []byte {
		e, err := second.Get(ctx, "r1")
		require.NoError(t, err)
		return e.WrappedKey
	}
	second.broken = true
	require.Error(t, c.Rewrap(ctx, "r1", []byte{1}, []byte{2}))
	assert.Equal(t, []byte{1}, there())
	second.broken = false
	n, err := c.Repair(ctx)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, []byte{2}, there())
	second.broken = true
	require.Error(t, c.Rewrap(ctx, "r1", []byte{2}, []byte{3}))
	second.broken = false
	require.NoError(t, c.Rewrap(ctx, "r1", []byte{3}, []byte{4})) // what the Vault does: it reads the row again
	assert.Equal(t, []byte{4}, there())
	require.ErrorIs(t, c.Rewrap(ctx, "r1", []byte{3}, []byte{5}), recording.ErrConflict)
	assert.Equal(t, []byte{4}, there())
}
