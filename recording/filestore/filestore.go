package filestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/recording"
)

// ErrBroken is returned by writes after one that failed half-way and could not be taken back.
var ErrBroken = errors.New("recording/filestore: file holds part of a write")

// Store keeps blobs under one folder. Safe for concurrent use, by several processes too.
type Store struct{ dir string }

// Open returns the store under dir, which is made with mode 0700 if it is missing.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("recording/filestore: a folder is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	return &Store{dir: dir}, nil
}

// path spreads the files over 256 folders by a hash of the ID, whatever IDs look like.
func (s *Store) path(id string) (string, error) {
	if !recording.ValidID(id) { // before it becomes a path: "../x" must not be one
		return "", fmt.Errorf("%w: not an ID", recording.ErrInvalid)
	}
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:1]), id+".rec"), nil
}

// Create makes an empty file: recording.ErrExists if there is one.
func (s *Store) Create(_ context.Context, id string) (recording.BlobWriter, error) {
	path, err := s.path(id)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %s", recording.ErrExists, id)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	return &writer{f: f}, nil
}

// Open returns what is written so far: recording.ErrNotFound if there is no file.
func (s *Store) Open(_ context.Context, id string) (recording.BlobReader, error) {
	path, err := s.path(id)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", recording.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording/filestore: %w", err), f.Close())
	}
	return &reader{File: f, size: info.Size()}, nil
}

// Remove deletes a file and syncs its folder. Removing what is not there is no error.
func (s *Store) Remove(_ context.Context, id string) error {
	path, err := s.path(id)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }

type writer struct {
	f      *os.File
	size   int64
	broken bool
}

// Write appends all of p or nothing.
func (w *writer) Write(p []byte) (int, error) {
	if w.broken {
		return 0, ErrBroken
	}
	n, err := w.f.Write(p)
	if err == nil {
		w.size += int64(n)
		return n, nil
	}
	if n > 0 {
		if terr := w.f.Truncate(w.size); terr != nil {
			w.broken = true
			return 0, errors.Join(fmt.Errorf("recording/filestore: %w", err), fmt.Errorf("%w: %w", ErrBroken, terr))
		}
	}
	return 0, fmt.Errorf("recording/filestore: %w", err)
}

// Sync returns when the file, and its name, survive a power cut.
func (w *writer) Sync() error {
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	return syncDir(filepath.Dir(w.f.Name()))
}

func (w *writer) Close() error {
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	return nil
}
