package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/minio-go/v7"

	"github.com/ringfence/ringfence/recording"
)

// pageSize is how much is fetched at least: a minute of a two-party call. keptPages are kept for the next reads nearby.
const (
	pageSize  = 1 << 20
	keptPages = 2
)

// Open returns a recording, from the spool or the bucket: recording.ErrNotFound if neither has it. Reads of one reader wait for each other; ctx bounds this
// call only, Config.Timeout every read.
func (s *Store) Open(ctx context.Context, id string) (recording.BlobReader, error) {
	name, err := s.object(id)
	if err != nil {
		return nil, err
	}
	r, err := s.cfg.Spool.Open(ctx, id)
	if err == nil || !errors.Is(err, recording.ErrNotFound) {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	info, err := s.core.StatObject(ctx, s.cfg.Bucket, name, minio.StatObjectOptions{})
	if missing(err) {
		return nil, fmt.Errorf("%w: %s", recording.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/s3store: %w", err)
	}
	o := &object{s: s, name: name, etag: info.ETag, size: info.Size}
	o.ctx, o.close = context.WithCancel(context.Background())
	return o, nil
}

// object reads one object by ranges.
type object struct {
	s          *Store
	name, etag string
	size       int64
	ctx        context.Context // ended by Close
	close      context.CancelFunc

	mu    sync.Mutex
	pages []page // the latest last
}

type page struct {
	at   int64
	data []byte
}

func (o *object) Size() int64 { return o.size }

func (o *object) Close() error {
	o.close()
	return nil
}

// ReadAt fetches whole pages, so that a reader of small pieces does not make a request of each.
func (o *object) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("recording/s3store: negative offset")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for n < len(p) && off+int64(n) < o.size {
		at := off + int64(n)
		data, err := o.page(at - at%pageSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], data[at%pageSize:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (o *object) page(at int64) ([]byte, error) {
	for _, p := range o.pages {
		if p.at == at {
			return p.data, nil
		}
	}
	ctx, cancel := context.WithTimeout(o.ctx, o.s.cfg.Timeout)
	defer cancel()
	var opts minio.GetObjectOptions
	end := min(at+pageSize, o.size)
	if err := errors.Join(opts.SetRange(at, end-1), opts.SetMatchETag(o.etag)); err != nil {
		return nil, fmt.Errorf("recording/s3store: %w", err)
	}
	body, _, _, err := o.s.core.GetObject(ctx, o.s.cfg.Bucket, o.name, opts)
	if missing(err) {
		return nil, fmt.Errorf("%w: removed meanwhile", recording.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/s3store: %w", err)
	}
	defer body.Close()
	data := make([]byte, end-at)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, fmt.Errorf("recording/s3store: %w", err)
	}
	if len(o.pages) == keptPages {
		o.pages = o.pages[:copy(o.pages, o.pages[1:])]
	}
	o.pages = append(o.pages, page{at, data})
	return data, nil
}
