package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/recording"
)

var (
	_ recording.BlobLister   = (*Store)(nil)
	_ recording.BlobAppender = (*Store)(nil)
	_ recording.Placer       = (*Store)(nil)
)

// List yields all files in the order of their folders and names. What was created or removed meanwhile may be among them or not.
func (s *Store) List(ctx context.Context) iter.Seq2[recording.BlobInfo, error] {
	return func(yield func(recording.BlobInfo, error) bool) {
		if err := s.there(); err != nil { // nothing found would read as nothing kept
			yield(recording.BlobInfo{}, err)
			return
		}
		err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, fs.ErrNotExist) && path != s.dir:
				return nil // removed meanwhile
			case err != nil:
				return err
			}
			id, done := strings.CutSuffix(d.Name(), finished)
			if !done {
				var ok bool
				if id, ok = strings.CutSuffix(d.Name(), partial); !ok {
					return nil
				}
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(recording.BlobInfo{ID: id, Size: info.Size(), Finished: done}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(recording.BlobInfo{}, fmt.Errorf("recording/filestore: %w", err))
		}
	}
}

// Place says where the files are, so that a copy of them can be refused the same place: the path without symbolic links.
func (s *Store) Place() (string, error) {
	path, err := filepath.EvalSymlinks(s.dir)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return "", fmt.Errorf("recording/filestore: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("recording/filestore: %w", err)
	}
	return "file://" + host + path, nil
}
