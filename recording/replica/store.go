package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording"
)

var (
	// ErrConfig is returned by Open and NewCatalog for a configuration with a required value missing, one out of range, or two stores at the same place.
	ErrConfig = errors.New("recording/replica: invalid configuration")
	// ErrBehind is returned by Sync when the secondary did not get everything in time. The primary has it, and the copying goes on.
	ErrBehind = errors.New("recording/replica: the second place does not have everything yet")
)

// What zero means in a Config.
const (
	DefaultCopiers = 4
	DefaultTimeout = 10 * time.Second
	DefaultRetry   = time.Second
)

// Copies says how many places must have a recording before it is acknowledged.
type Copies int

// The policies. The zero policy is the strict one.
const (
	Both Copies = iota // Sync waits for the secondary, at most Config.Timeout
	One                // Sync returns when the primary has it; a primary that burns down takes the lag with it
)

// Config describes a Store.
type Config struct {
	// Primary takes what is written and answers what is read. Required.
	Primary recording.Blobs
	// Secondary gets a copy, best far away. One that is also a recording.BlobAppender can be gone on with after a restart; otherwise its copy of a blob that was
	// being written is made anew. Required.
	Secondary recording.Blobs
	// Acknowledge is when Sync returns. If zero, when both have it.
	Acknowledge Copies
	// Timeout is how long Sync waits for the secondary. If 0, DefaultTimeout.
	Timeout time.Duration
	// Retry is the pause after a copy that failed; it doubles with each failure in a row, to a minute. If 0, DefaultRetry.
	Retry time.Duration
	// Copiers is how many blobs are copied at a time. If 0, DefaultCopiers.
	Copiers int
	// Logger gets failed copies. If nil, nobody does; watch Lag.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Retry == 0 {
		c.Retry = DefaultRetry
	}
	if c.Copiers == 0 {
		c.Copiers = DefaultCopiers
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c Config) validate() error {
	if c.Primary == nil || c.Secondary == nil {
		return fmt.Errorf("%w: Primary and Secondary are required", ErrConfig)
	}
	if c.Timeout < 0 || c.Retry < 0 || c.Copiers < 0 || c.Acknowledge < Both || c.Acknowledge > One {
		return fmt.Errorf("%w: value out of range", ErrConfig)
	}
	return apart(c.Primary, c.Secondary)
}

// apart refuses two stores at one place. Stores that do not say where they are, are compared as values.
func apart(a, b any) error {
	if pa, ok := a.(recording.Placer); ok {
		if pb, ok := b.(recording.Placer); ok {
			x, err := pa.Place()
			if err != nil {
				return err
			}
			y, err := pb.Place()
			if err != nil {
				return err
			}
			if x == y {
				return fmt.Errorf("%w: primary and secondary are the same place", ErrConfig)
			}
			return nil
		}
	}
	if a == b {
		return fmt.Errorf("%w: primary and secondary are the same store", ErrConfig)
	}
	return nil
}

// Store is a recording.Blobs in two places. Safe for concurrent use.
type Store struct {
	cfg  Config
	ctx  context.Context // ended by Close
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu      sync.Mutex
	streams map[string]*stream // what the secondary does not have completely, and what is being written
	ready   []*stream          // of them, what waits for a copier
	later   []*stream          // the same of what CatchUp found; it waits for what calls write
	wake    chan struct{}      // has room for each copier
	changed chan struct{}      // closed and made anew when a copier did something
}

// Open returns a Store and starts its copiers. ErrConfig if something is missing or the two stores are one.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, streams: map[string]*stream{}, wake: make(chan struct{}, cfg.Copiers), changed: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	for range cfg.Copiers {
		s.wg.Add(1)
		go func() { // Close stops it and waits
			defer s.wg.Done()
			s.copy()
		}()
	}
	return s, nil
}

// Close stops copying. What the secondary does not have yet, CatchUp of the next Store gives it. Writers should be closed before.
func (s *Store) Close() error {
	s.stop()
	s.wg.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, st := range s.streams {
		if st.retry != nil {
			st.retry.Stop()
		}
		err = errors.Join(err, st.release())
	}
	return err
}

// Create makes an empty blob in the primary; the secondary's follows. A secondary that is down holds nobody up.
func (s *Store) Create(ctx context.Context, id string) (recording.BlobWriter, error) {
	w, err := s.cfg.Primary.Create(ctx, id)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := &stream{id: id, synced: -1}
	s.streams[id] = st
	return &writer{s: s, st: st, first: w}, nil
}

// Open returns what is written so far, from the primary if it has it: recording.ErrNotFound if neither has.
func (s *Store) Open(ctx context.Context, id string) (recording.BlobReader, error) {
	r, err := s.cfg.Primary.Open(ctx, id)
	if err == nil {
		return r, nil
	}
	r, err2 := s.cfg.Secondary.Open(ctx, id)
	if err2 != nil {
		if errors.Is(err, recording.ErrNotFound) && !errors.Is(err2, recording.ErrNotFound) {
			return nil, err2 // it may be there
		}
		return nil, err
	}
	return r, nil
}

// Remove deletes a blob in both places. If one fails, the error says so, and removing again does the rest.
func (s *Store) Remove(ctx context.Context, id string) error {
	if err := s.giveUp(ctx, id); err != nil {
		return err
	}
	return errors.Join(s.cfg.Primary.Remove(ctx, id), s.cfg.Secondary.Remove(ctx, id))
}

// writer writes to the primary and tells the copiers.
type writer struct {
	s     *Store
	st    *stream
	first recording.BlobWriter
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.first.Write(p)
	if n > 0 {
		w.s.wrote(w.st, int64(n))
	}
	return n, err
}

// Sync returns when what was written survives a power cut in as many places as Config.Acknowledge wants: ErrBehind if the secondary is not there in time.
func (w *writer) Sync() error {
	if err := w.first.Sync(); err != nil {
		return err
	}
	if w.s.cfg.Acknowledge == One {
		return nil
	}
	return w.s.waitFor(w.st)
}

func (w *writer) Close() error {
	err := w.first.Close()
	w.s.closing(w.st)
	return err
}
