package s3store

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/minio/minio-go/v7"

	"github.com/ringfence/ringfence/recording"
)

var (
	_ recording.BlobLister = (*Store)(nil)
	_ recording.Placer     = (*Store)(nil)
)

// List yields what the spool holds, then what the bucket holds besides.
func (s *Store) List(ctx context.Context) iter.Seq2[recording.BlobInfo, error] {
	return func(yield func(recording.BlobInfo, error) bool) {
		seen := map[string]bool{}
		for b, err := range s.cfg.Spool.List(ctx) {
			if err == nil {
				seen[b.ID] = true
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
		for o := range s.core.ListObjectsIter(ctx, s.cfg.Bucket, minio.ListObjectsOptions{Prefix: s.cfg.Prefix, Recursive: true}) {
			if o.Err != nil {
				yield(recording.BlobInfo{}, fmt.Errorf("recording/s3store: %w", o.Err))
				return
			}
			id := strings.TrimSuffix(o.Key[strings.LastIndexByte(o.Key, '/')+1:], ".rec")
			if name, err := s.object(id); err != nil || name != o.Key || seen[id] {
				continue // not ours, or told already
			}
			if !yield(recording.BlobInfo{ID: id, Size: o.Size, Finished: true}, nil) {
				return
			}
		}
	}
}

// Place says where the recordings end up, so that a copy of them can be refused the same place.
func (s *Store) Place() (string, error) {
	return s.cfg.place(), nil
}

func (s Service) place() string { return "s3://" + s.Endpoint + "/" + s.Bucket + "/" + s.Prefix }
