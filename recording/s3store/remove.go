package s3store

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"
)

// remove deletes all versions of an object and what an upload that was cut off left: ErrLocked if the bucket keeps one.
func (s Service) remove(ctx context.Context, core *minio.Core, name string) error {
	if err := core.RemoveIncompleteUpload(ctx, s.Bucket, name); err != nil {
		return fmt.Errorf("recording/s3store: %w", err)
	}
	for v := range core.ListObjectsIter(ctx, s.Bucket, minio.ListObjectsOptions{Prefix: name, Recursive: true, WithVersions: true}) {
		if v.Err != nil {
			return fmt.Errorf("recording/s3store: %w", v.Err)
		}
		if v.Key != name {
			continue // a longer name that begins like this one
		}
		err := core.RemoveObject(ctx, s.Bucket, name, minio.RemoveObjectOptions{VersionID: v.VersionID})
		switch {
		case err == nil:
		case minio.ToErrorResponse(err).StatusCode == http.StatusForbidden || s.locked(ctx, core, name, v.VersionID):
			return fmt.Errorf("%w: %w", ErrLocked, err)
		default:
			return fmt.Errorf("recording/s3store: %w", err)
		}
	}
	return nil
}

// locked reports whether a version's retention is still running.
func (s Service) locked(ctx context.Context, core *minio.Core, name, version string) bool {
	_, until, err := core.GetObjectRetention(ctx, s.Bucket, name, version)
	return err == nil && until != nil && until.After(time.Now())
}
