package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/backup"
)

var _ backup.Target = (*Target)(nil)

// Target is a backup.Target in a bucket, best with another provider than the production's. Safe for concurrent use.
type Target struct {
	cfg       Service
	core      *minio.Core
	transport *http.Transport
}

// OpenTarget connects to the bucket. A Service.Lock keeps rows and blobs of what is destroyed until it ends, the newest row of them without a key but older
// versions with it: lock a backup only if that is meant. The errors are those of Open.
func OpenTarget(ctx context.Context, cfg Service) (*Target, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	core, transport, err := cfg.client()
	if err != nil {
		return nil, err
	}
	if err := cfg.check(ctx, core); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	return &Target{cfg, core, transport}, nil
}

// Close lets idle connections go.
func (t *Target) Close() { t.transport.CloseIdleConnections() }

func (t *Target) object(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if !recording.ValidID(part) {
			return "", fmt.Errorf("%w: name", recording.ErrInvalid)
		}
	}
	return t.cfg.Prefix + name, nil
}

// Put uploads an object, in parts if it is long. A bucket with versions would keep the row it replaces, wrapped key and all, so the older ones are deleted.
func (t *Target) Put(ctx context.Context, name string, r io.Reader, size int64) error {
	key, err := t.object(name)
	if err != nil {
		return err
	}
	opts := minio.PutObjectOptions{ContentType: "application/octet-stream", PartSize: uint64(t.cfg.PartSize), DisableMultipart: size <= t.cfg.PartSize, Checksum: minio.ChecksumCRC32C}
	t.cfg.lock(&opts, time.Now())
	info, err := t.core.Client.PutObject(ctx, t.cfg.Bucket, key, &exactly{r: r, left: size}, size, opts)
	if err != nil {
		return fmt.Errorf("recording/s3store: %w", err)
	}
	for v := range t.core.ListObjectsIter(ctx, t.cfg.Bucket, minio.ListObjectsOptions{Prefix: key, Recursive: true, WithVersions: true}) {
		if v.Err != nil {
			return fmt.Errorf("recording/s3store: %w", v.Err)
		}
		if v.Key != key || v.VersionID == info.VersionID || t.cfg.Lock.For > 0 {
			continue
		}
		if err := t.core.RemoveObject(ctx, t.cfg.Bucket, key, minio.RemoveObjectOptions{VersionID: v.VersionID}); err != nil {
			return fmt.Errorf("recording/s3store: %w", err)
		}
	}
	return nil
}

// exactly fails where a reader ends early, before the client takes what there is for the whole.
type exactly struct {
	r    io.Reader
	left int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.left)])
	if e.left -= int64(n); e.left > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Get reads an object. Its bytes are checked by whoever knows what they should be.
func (t *Target) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	key, err := t.object(name)
	if err != nil {
		return nil, err
	}
	body, _, _, err := t.core.GetObject(ctx, t.cfg.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		if missing(err) {
			return nil, fmt.Errorf("%w: %s", recording.ErrNotFound, name)
		}
		return nil, fmt.Errorf("recording/s3store: %w", err)
	}
	return body, nil
}

// Remove deletes all versions of an object.
func (t *Target) Remove(ctx context.Context, name string) error {
	key, err := t.object(name)
	if err != nil {
		return err
	}
	return t.cfg.remove(ctx, t.core, key)
}

// Sizes lists the bucket.
func (t *Target) Sizes(ctx context.Context, prefix string) iter.Seq2[backup.Object, error] {
	return func(yield func(backup.Object, error) bool) {
		for o := range t.core.ListObjectsIter(ctx, t.cfg.Bucket, minio.ListObjectsOptions{Prefix: t.cfg.Prefix + prefix, Recursive: true}) {
			if o.Err != nil {
				yield(backup.Object{}, fmt.Errorf("recording/s3store: %w", o.Err))
				return
			}
			if !yield(backup.Object{Name: strings.TrimPrefix(o.Key, t.cfg.Prefix), Size: o.Size}, nil) {
				return
			}
		}
	}
}

// Place says where the copies are.
func (t *Target) Place() (string, error) { return t.cfg.place(), nil }
