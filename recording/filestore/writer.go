package filestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// writer appends to one file.
type writer struct {
	s      *Store
	f      *os.File
	base   string // the path without its ending
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
	return syncDir(filepath.Dir(w.base))
}

// Close gives the file its finished name. The rename is atomic: a reader finds the file under one name or the other, with the same content.
func (w *writer) Close() error {
	if err := w.f.Close(); err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	err := os.Rename(w.base+partial, w.base+finished)
	if errors.Is(err, os.ErrNotExist) {
		return w.s.there() // removed while it was open: withdrawn consent, for one
	}
	if err != nil {
		return fmt.Errorf("recording/filestore: %w", err)
	}
	return syncDir(filepath.Dir(w.base))
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
