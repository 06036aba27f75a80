package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ringfence/ringfence/recording"
)

// The pause after a failed upload doubles from the first to the second.
const (
	firstPause = time.Second
	maxPause   = time.Minute
)

// job is one recording on its way to the bucket.
type job struct {
	id     string
	since  time.Time
	next   time.Time // not before
	pause  time.Duration
	cancel context.CancelFunc // while it is being uploaded
	err    error              // why it failed last
}

// Pending is what the bucket does not have yet.
type Pending struct {
	Recordings int           // closed and not in the bucket
	Oldest     time.Duration // since the first of them was closed, or found by Open
	Err        error         // why the last try failed; nil if none did
}

// Pending returns what waits to be uploaded.
func (s *Store) Pending() Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := Pending{Recordings: len(s.jobs)}
	for _, j := range s.jobs {
		p.Oldest = max(p.Oldest, time.Since(j.since))
		if j.err != nil {
			p.Err = j.err
		}
	}
	return p
}

// Flush returns when the bucket has everything that was closed before, or ctx ends. It tries at once what waits for its pause.
func (s *Store) Flush(ctx context.Context) error {
	s.mu.Lock()
	for _, j := range s.jobs {
		j.next = time.Time{}
	}
	s.changedLocked()
	for len(s.jobs) > 0 {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("recording/s3store: %w", ctx.Err()), s.Pending().Err)
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}

func (s *Store) enqueue(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[id] = &job{id: id, since: time.Now()}
	s.changedLocked()
}

func (s *Store) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// giveUp ends the upload of a recording, and waits until it has ended.
func (s *Store) giveUp(ctx context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		j := s.jobs[id]
		if j == nil || j.cancel == nil {
			delete(s.jobs, id)
			s.changedLocked()
			return nil
		}
		j.cancel()
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
			s.mu.Lock()
		case <-ctx.Done():
			s.mu.Lock()
			return fmt.Errorf("recording/s3store: %w", ctx.Err())
		}
	}
}

// upload is a worker.
func (s *Store) upload() {
	for {
		j, ctx := s.take()
		if j == nil {
			return
		}
		err := s.put(ctx, j.id)
		s.done(j, err)
	}
}

// take returns the job that has waited longest and may be tried, once there is one; nil when the store is closed.
func (s *Store) take() (*job, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed {
		now := time.Now()
		var first *job
		wake := now.Add(maxPause)
		for _, j := range s.jobs {
			switch {
			case j.cancel != nil:
			case j.next.After(now):
				if j.next.Before(wake) {
					wake = j.next
				}
			case first == nil || j.since.Before(first.since):
				first = j
			}
		}
		if first != nil {
			var ctx context.Context
			ctx, first.cancel = context.WithCancel(s.ctx)
			return first, ctx
		}
		changed := s.changed
		s.mu.Unlock()
		timer := time.NewTimer(time.Until(wake))
		select {
		case <-changed:
		case <-timer.C:
		case <-s.ctx.Done():
		}
		timer.Stop()
		s.mu.Lock()
	}
	return nil, nil
}

func (s *Store) done(j *job, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j.cancel()
	j.cancel = nil
	if err == nil {
		delete(s.jobs, j.id)
	} else {
		j.err, j.pause = err, min(max(2*j.pause, firstPause), maxPause)
		j.next = time.Now().Add(j.pause)
		if s.ctx.Err() == nil {
			s.cfg.Logger.Warn("recording not uploaded, will be tried again", "in", j.pause, "err", err)
		}
	}
	s.changedLocked()
}

// put uploads one recording and takes it out of the spool.
func (s *Store) put(ctx context.Context, id string) error {
	name, err := s.object(id)
	if err != nil {
		return err
	}
	r, err := s.cfg.Spool.Open(ctx, id)
	if errors.Is(err, recording.ErrNotFound) {
		return nil // removed
	}
	if err != nil {
		return err
	}
	defer r.Close()
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: uint64(s.cfg.PartSize), DisableMultipart: r.Size() <= s.cfg.PartSize,
		Checksum: minio.ChecksumCRC32C} // checked by the service before it acknowledges
	opts.SetMatchETagExcept("*") // write once
	s.cfg.lock(&opts, time.Now())
	_, err = s.core.Client.PutObject(ctx, s.cfg.Bucket, name, io.NewSectionReader(r, 0, r.Size()), r.Size(), opts)
	if err != nil && minio.ToErrorResponse(err).StatusCode == http.StatusPreconditionFailed {
		err = s.same(ctx, name, r) // uploaded by a process that died before it could empty its spool
	}
	if err != nil {
		return fmt.Errorf("recording/s3store: %w", err)
	}
	return s.cfg.Spool.Remove(context.WithoutCancel(ctx), id)
}

// same returns nil if the bucket has under this name what r has.
func (s *Store) same(ctx context.Context, name string, r recording.BlobReader) error {
	there, info, _, err := s.core.GetObject(ctx, s.cfg.Bucket, name, minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer there.Close()
	if info.Size != r.Size() {
		return ErrConflict
	}
	here := io.NewSectionReader(r, 0, r.Size())
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(here, a)
		if m, _ := io.ReadFull(there, b[:n]); m != n || !bytes.Equal(a[:n], b[:n]) {
			return ErrConflict
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return err
		}
	}
}
