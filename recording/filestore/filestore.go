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

const (
	finished = ".rec"  // closed
	partial  = ".part" // being written, or left behind
)

// Store keeps blobs under one folder. Safe for concurrent use, by several processes too.
type Store struct {
	dir  string
	mark string // what the folder's marker said when it was opened
	bare bool   // it has none
}

// Open returns the store under dir, which is made with mode 0700 if it is missing. From then on the folder is wanted to be the same one: see ErrGone.
func Open(dir string) (*Store, error) {
	if dir == "" {
		return nil, errors.New("recording/filestore: a folder is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	s := &Store{dir: dir}
	if err := s.settle(); err != nil {
		return nil, err
	}
	return s, nil
}

// base spreads the files over 256 folders by a hash of the ID, whatever IDs look like.
func (s *Store) base(id string) (string, error) {
	if !recording.ValidID(id) { // before it becomes a path: "../x" must not be one
		return "", fmt.Errorf("%w: not an ID", recording.ErrInvalid)
	}
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:1]), id), nil
}

// Create makes an empty file: recording.ErrExists if there is one, ErrGone if the folder is not there.
func (s *Store) Create(_ context.Context, id string) (recording.BlobWriter, error) {
	base, err := s.base(id)
	if err != nil {
		return nil, err
	}
	if err := s.there(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Dir(base), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	f, err := os.OpenFile(base+partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: %s", recording.ErrExists, id)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/filestore: %w", err)
	}
	// Looked for after the .part was taken: whoever renames one to it between the two would have held that name.
	if _, err := os.Lstat(base + finished); err == nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", recording.ErrExists, id), f.Close(), os.Remove(base+partial))
	}
	return &writer{s: s, f: f, base: base}, nil
}

// Append continues a file that was not closed, from the size it returns: recording.ErrNotFound if there is none. Nobody else may be writing it.
func (s *Store) Append(_ context.Context, id string) (recording.BlobWriter, int64, error) {
	base, err := s.base(id)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.OpenFile(base+partial, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, 0, s.notFound(err, id)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("recording/filestore: %w", err), f.Close())
	}
	return &writer{s: s, f: f, base: base, size: info.Size()}, info.Size(), nil
}

// Open returns what is written so far: recording.ErrNotFound if there is no file.
func (s *Store) Open(_ context.Context, id string) (recording.BlobReader, error) {
	base, err := s.base(id)
	if err != nil {
		return nil, err
	}
	var f *os.File
	for _, kind := range []string{finished, partial, finished} { // again, because it may have been renamed between the two
		if f, err = os.Open(base + kind); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return nil, s.notFound(err, id)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("recording/filestore: %w", err), f.Close())
	}
	return &reader{File: f, size: info.Size()}, nil
}

func (s *Store) notFound(err error, id string) error {
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.there(); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", recording.ErrNotFound, id)
	}
	return fmt.Errorf("recording/filestore: %w", err)
}

// Remove deletes a file and syncs its folder. Removing what is not there is no error, unless the folder is not: ErrGone.
func (s *Store) Remove(_ context.Context, id string) error {
	base, err := s.base(id)
	if err != nil {
		return err
	}
	removed := false
	for _, kind := range []string{partial, finished} { // in the order of renaming, so that none slips by
		switch err := os.Remove(base + kind); {
		case err == nil:
			removed = true
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("recording/filestore: %w", err)
		}
	}
	if !removed {
		return s.there() // what was on a disk that is away is there again with it
	}
	return syncDir(filepath.Dir(base))
}

type reader struct {
	*os.File
	size int64
}

func (r *reader) Size() int64 { return r.size }
