package s3store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ringfence/ringfence/recording"
)

// Store is a recording.Blobs in a bucket, with a spool. Safe for concurrent use; one process at a time uses one spool.
type Store struct {
	cfg       Config
	core      *minio.Core
	transport *http.Transport

	stop    context.CancelFunc // ends the uploads
	ctx     context.Context
	workers sync.WaitGroup

	mu      sync.Mutex
	jobs    map[string]*job // by ID: what waits for its upload or is being uploaded
	changed chan struct{}   // closed and made anew when jobs changes
	closed  bool
}

// Open connects to the bucket and takes up what a process before left in the spool. The errors are ErrConfig, also for a bucket that is not there or cannot
// lock, and what the service or the spool says.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	core, transport, err := cfg.client()
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, core: core, transport: transport, jobs: map[string]*job{}, changed: make(chan struct{})}
	if err := cfg.check(ctx, core); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	if err := s.takeUp(ctx); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	for range cfg.Uploads {
		s.workers.Add(1)
		go func() { // Close stops it and waits
			defer s.workers.Done()
			s.upload()
		}()
	}
	return s, nil
}

// takeUp queues what is in the spool. A file that was not closed was being written when its process died, and nobody will write it any more.
func (s *Store) takeUp(ctx context.Context) error {
	for b, err := range s.cfg.Spool.List(ctx) {
		if err != nil {
			return err
		}
		if !b.Finished {
			w, _, err := s.cfg.Spool.Append(ctx, b.ID)
			if err == nil {
				err = errors.Join(w.Sync(), w.Close())
			}
			if err != nil {
				return err
			}
		}
		s.jobs[b.ID] = &job{id: b.ID, since: time.Now()}
	}
	return nil
}

// Close stops the uploads. What was not uploaded stays in the spool for the next Open. Writers should be closed before.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.workers.Wait()
	s.transport.CloseIdleConnections()
}

// object is the name in the bucket. A hash spreads the names, as the services advise for many of them.
func (s *Store) object(id string) (string, error) {
	if !recording.ValidID(id) { // before it becomes a path: "../x" must not be one
		return "", fmt.Errorf("%w: not an ID", recording.ErrInvalid)
	}
	sum := sha256.Sum256([]byte(id))
	return s.cfg.Prefix + hex.EncodeToString(sum[:1]) + "/" + id + ".rec", nil
}

// Create makes an empty recording in the spool: recording.ErrExists if the spool or the bucket has one.
func (s *Store) Create(ctx context.Context, id string) (recording.BlobWriter, error) {
	name, err := s.object(id)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	switch _, err := s.core.StatObject(ctx, s.cfg.Bucket, name, minio.StatObjectOptions{}); {
	case err == nil:
		return nil, fmt.Errorf("%w: %s", recording.ErrExists, id)
	case !missing(err):
		// The call must be recorded, whatever the network does. IDs are unique by the catalog; the upload will not replace anything either.
		s.cfg.Logger.Warn("recording begun without an answer of the bucket", "err", err)
	}
	w, err := s.cfg.Spool.Create(ctx, id)
	if err != nil {
		return nil, err
	}
	return &writer{BlobWriter: w, s: s, id: id}, nil
}

// writer writes to the spool.
type writer struct {
	recording.BlobWriter
	s  *Store
	id string
}

// Close hands the recording over to be uploaded.
func (w *writer) Close() error {
	if err := w.BlobWriter.Close(); err != nil {
		return err
	}
	w.s.enqueue(w.id)
	return nil
}

// Remove deletes a recording from the spool and all its versions from the bucket: ErrLocked if the bucket keeps it. Removing what is not there is no error.
func (s *Store) Remove(ctx context.Context, id string) error {
	name, err := s.object(id)
	if err != nil {
		return err
	}
	if err := s.giveUp(ctx, id); err != nil {
		return err
	}
	if err := s.cfg.Spool.Remove(ctx, id); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.cfg.remove(ctx, s.core, name)
}

// missing reports that the service has no such object. A service may say so with a bare 404 to a HEAD.
func missing(err error) bool {
	r := minio.ToErrorResponse(err)
	return r.Code == minio.NoSuchKey || r.StatusCode == http.StatusNotFound
}
