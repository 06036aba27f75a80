package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ringfence/ringfence/recording"
)

const (
	// pieceSize is how much is read from the primary at a time.
	pieceSize = 256 << 10
	// maxPause is the longest pause after a failure; failuresPerWriter is how often one writer of the secondary may fail in a row.
	maxPause          = time.Minute
	failuresPerWriter = 3
)

// stream is the way of one blob to the secondary. Its fields are guarded by Store.mu, except those of the copier that has it.
type stream struct {
	id      string
	written int64     // bytes the primary has
	sent    int64     // bytes the secondary has
	synced  int64     // bytes of it that survive a power cut; -1 while not even an empty blob does
	waits   int       // callers of Sync
	since   time.Time // since when sent is behind written; zero if it is not
	closed  bool      // no more is written
	gone    bool      // removed: copy no more
	queued  bool      // it waits for a copier
	busy    bool      // a copier has it
	late    bool      // CatchUp found it: nobody waits for it
	err     error     // why it failed last
	failed  int       // how often in a row
	retry   *time.Timer

	second recording.BlobWriter // the copier's; nil until it made the blob
}

// behind reports that there is something to do for a copier.
func (st *stream) behind() bool {
	return !st.gone && (st.sent < st.written || st.waits > 0 && st.synced < st.sent || st.closed)
}

// release closes the secondary's writer, wherever it is.
func (st *stream) release() error {
	if st.second == nil {
		return nil
	}
	err := st.second.Close()
	st.second = nil
	return err
}

// Lag is what the secondary does not have.
type Lag struct {
	Recordings int           // blobs that are not there completely
	Bytes      int64         // of them
	Oldest     time.Duration // how long the longest has been behind
	Err        error         // why the last copy failed; nil if none did
}

// Lag returns how far the secondary is behind.
func (s *Store) Lag() Lag {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l Lag
	for _, st := range s.streams {
		if st.sent >= st.written || st.gone {
			continue
		}
		l.Recordings++
		l.Bytes += st.written - st.sent
		if !st.since.IsZero() {
			l.Oldest = max(l.Oldest, time.Since(st.since))
		}
		if st.err != nil {
			l.Err = st.err
		}
	}
	return l
}

// CatchUp gives the secondary what it does not have of the primary, after a restart, an outage or the change of a place. Both must be recording.BlobListers.
// It returns when everything is queued, behind what is written meanwhile; Flush waits. What only the secondary has stays as it is.
func (s *Store) CatchUp(ctx context.Context) error {
	first, ok1 := s.cfg.Primary.(recording.BlobLister)
	second, ok2 := s.cfg.Secondary.(recording.BlobLister)
	if !ok1 || !ok2 {
		return fmt.Errorf("%w: a store cannot list what it holds", ErrConfig)
	}
	there := map[string]recording.BlobInfo{}
	for b, err := range second.List(ctx) {
		if err != nil {
			return err
		}
		there[b.ID] = b
	}
	for b, err := range first.List(ctx) {
		if err != nil {
			return err
		}
		copied, ok := there[b.ID]
		s.mu.Lock()
		if _, busy := s.streams[b.ID]; !busy && (!ok || copied.Size < b.Size || b.Finished && !copied.Finished) {
			st := &stream{id: b.ID, synced: -1, written: b.Size, closed: true, late: true, since: time.Now()}
			s.streams[b.ID] = st
			s.enqueueLocked(st)
		}
		s.mu.Unlock()
	}
	return nil
}

// Flush returns when the secondary has everything that was written before, or ctx ends.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.streams {
		s.enqueueLocked(st) // without its pause
	}
	return s.until(ctx, func() bool {
		for _, st := range s.streams {
			if st.sent < st.written || st.closed {
				return false
			}
		}
		return true
	})
}

// until waits for a condition on the streams. The lock is held when it is called and when it returns.
func (s *Store) until(ctx context.Context, done func() bool) error {
	for !done() {
		changed := s.changed
		s.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		case <-s.ctx.Done():
			err = recording.ErrClosed
		}
		s.mu.Lock()
		if err != nil {
			return fmt.Errorf("recording/replica: %w", err)
		}
	}
	return nil
}

func (s *Store) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Store) wrote(st *stream, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.written += n; st.since.IsZero() {
		st.since = time.Now()
	}
	if st.failed == 0 { // else its pause ends first
		s.enqueueLocked(st)
	}
}

func (s *Store) closing(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.closed = true
	if st.failed == 0 {
		s.enqueueLocked(st)
	}
}

// enqueueLocked gives a stream to the next free copier, if there is something to do and none has it.
func (s *Store) enqueueLocked(st *stream) {
	if st.queued || st.busy || !st.behind() {
		return
	}
	st.queued = true
	if st.late {
		s.later = append(s.later, st)
	} else {
		s.ready = append(s.ready, st)
	}
	select {
	case s.wake <- struct{}{}:
	default: // as many are awake as there are copiers
	}
}

// waitFor returns when the secondary holds all that was written to st so far.
func (s *Store) waitFor(st *stream) error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	upTo := st.written
	st.waits++
	defer func() { st.waits-- }()
	s.enqueueLocked(st)
	if err := s.until(ctx, func() bool { return st.synced >= upTo || st.gone }); err != nil {
		return errors.Join(ErrBehind, st.err)
	}
	return nil
}

// giveUp ends the copying of a blob, and waits for a copier that has it.
func (s *Store) giveUp(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.streams[id]
	if st == nil {
		return nil
	}
	st.gone = true
	if st.retry != nil {
		st.retry.Stop()
	}
	if err := s.until(ctx, func() bool { return !st.busy }); err != nil {
		return err
	}
	delete(s.streams, id)
	s.changedLocked()
	return st.release()
}

// copy is a copier.
func (s *Store) copy() {
	piece := make([]byte, pieceSize)
	for {
		st := s.take()
		if st == nil {
			return
		}
		sent, synced, closed, err := s.carry(st, piece)
		s.mu.Lock()
		st.busy, st.sent, st.synced, st.err = false, sent, synced, err
		switch {
		case err != nil:
			s.pauseLocked(st)
		case closed:
			delete(s.streams, st.id)
		default:
			st.failed = 0
			s.enqueueLocked(st) // more was written meanwhile
		}
		if st.sent >= st.written {
			st.since = time.Time{}
		}
		s.changedLocked()
		s.mu.Unlock()
	}
}

// pauseLocked has a stream wait after a failure. When it fails again and again, the secondary's writer itself may be what is broken, and another is made.
func (s *Store) pauseLocked(st *stream) {
	if s.ctx.Err() != nil || st.gone {
		return
	}
	st.failed++
	s.cfg.Logger.Warn("recording not copied, will be tried again", "times", st.failed, "err", st.err)
	if st.failed%failuresPerWriter == 0 {
		_ = st.release() // begin finds what came of it
	}
	pause := min(s.cfg.Retry<<min(st.failed-1, 6), maxPause)
	st.retry = time.AfterFunc(pause, func() { // stopped by giveUp and Close; it waits for nothing
		s.mu.Lock()
		defer s.mu.Unlock()
		s.enqueueLocked(st)
	})
}

// take returns the stream that has waited longest for a copier, once there is one; nil when the store is closed. What CatchUp found comes last: behind a hundred
// thousand old recordings no new one would be acknowledged in time.
func (s *Store) take() *stream {
	for {
		s.mu.Lock()
		if s.ctx.Err() != nil {
			s.mu.Unlock()
			return nil
		}
		for len(s.ready)+len(s.later) > 0 {
			from := &s.ready
			if len(s.ready) == 0 {
				from = &s.later
			}
			st := (*from)[0]
			*from = (*from)[1:]
			if st.queued = false; !st.gone {
				st.busy = true
				s.mu.Unlock()
				return st
			}
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-s.ctx.Done():
		}
	}
}

// carry copies what the secondary does not have of one blob, and closes it there if it is closed here.
func (s *Store) carry(st *stream, piece []byte) (sent, synced int64, closed bool, err error) {
	s.mu.Lock()
	upTo, last, sync := st.written, st.closed, st.waits > 0 || st.closed
	sent, synced = st.sent, st.synced
	s.mu.Unlock()
	if st.second == nil {
		if sent, err = s.begin(st); err != nil {
			return sent, -1, false, err
		}
		synced = -1
	}
	if sent < upTo {
		if sent, err = s.pieces(st, sent, upTo, piece); err != nil {
			return sent, synced, false, err
		}
	}
	if sync && synced < sent || last {
		if err := st.second.Sync(); err != nil {
			return sent, synced, false, err
		}
		synced = sent
	}
	if last {
		if err := st.release(); err != nil {
			return sent, synced, false, err
		}
	}
	return sent, synced, last, nil
}

// begin makes the secondary's blob, or goes on with the one that it has. It returns how much that one holds.
func (s *Store) begin(st *stream) (int64, error) {
	w, err := s.cfg.Secondary.Create(s.ctx, st.id)
	if err == nil {
		st.second = w
		return 0, nil
	}
	if !errors.Is(err, recording.ErrExists) {
		return 0, err
	}
	if a, ok := s.cfg.Secondary.(recording.BlobAppender); ok {
		w, size, err := a.Append(s.ctx, st.id)
		if err == nil {
			st.second = w
			return size, nil
		}
		if !errors.Is(err, recording.ErrNotFound) {
			return 0, err
		}
	}
	// Closed there and shorter than here, or of a store that cannot go on: made anew. What is here is the longer one.
	if err := s.cfg.Secondary.Remove(s.ctx, st.id); err != nil {
		return 0, err
	}
	if st.second, err = s.cfg.Secondary.Create(s.ctx, st.id); err != nil {
		return 0, err
	}
	return 0, nil
}

// pieces copies from sent to upTo and returns how far it came.
func (s *Store) pieces(st *stream, sent, upTo int64, piece []byte) (int64, error) {
	r, err := s.cfg.Primary.Open(s.ctx, st.id)
	if err != nil {
		return sent, err
	}
	defer r.Close()
	for sent < upTo {
		p := piece[:min(int64(len(piece)), upTo-sent)]
		if n, err := r.ReadAt(p, sent); n < len(p) {
			return sent, fmt.Errorf("recording/replica: primary: %w", errors.Join(err, io.ErrUnexpectedEOF))
		}
		if _, err := st.second.Write(p); err != nil {
			return sent, fmt.Errorf("recording/replica: secondary: %w", err)
		}
		sent += int64(len(p))
		s.mu.Lock()
		st.sent = sent
		s.mu.Unlock()
	}
	return sent, nil
}
