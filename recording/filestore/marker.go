package filestore

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrGone is returned when the folder is not there any more, or another one is in its place: its disk is not mounted. What is asked for may be there again later.
var ErrGone = errors.New("recording/filestore: the folder is gone")

// marker is the name of the file by which a folder is known again. Where a disk is not mounted there is often an empty folder, and what was written into that would
// be on the disk below, where nobody looks for it.
const marker = ".filestore"

// settle reads the marker of the folder, and writes one if it has none: a new folder, or one from before there were markers. A folder that takes none, because it
// is full or may only be read, does without.
func (s *Store) settle() error {
	path := filepath.Join(s.dir, marker)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		s.mark = rand.Text()
		_, err := f.WriteString(s.mark)
		if errors.Join(err, f.Close()) == nil {
			return nil
		}
		if err := os.Remove(path); err != nil { // half of one would be wanted for ever
			return fmt.Errorf("recording/filestore: %w", err)
		}
	case errors.Is(err, fs.ErrExist):
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("recording/filestore: %w", err)
		}
		s.mark = string(text)
		return nil
	}
	if info, bad := os.Stat(s.dir); bad != nil || !info.IsDir() {
		return fmt.Errorf("recording/filestore: %q is no folder: %w", s.dir, errors.Join(err, bad))
	}
	s.bare = true
	return nil
}

// there returns ErrGone if the folder is not the one that was opened. A marker that was read while another process wrote it is the beginning of what it is now.
func (s *Store) there() error {
	if s.bare {
		info, err := os.Stat(s.dir)
		if err == nil && !info.IsDir() {
			err = fs.ErrNotExist
		}
		return gone(err)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, marker))
	if err == nil && !strings.HasPrefix(string(text), s.mark) {
		return fmt.Errorf("%w: another one is in its place", ErrGone)
	}
	return gone(err)
}

func gone(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return fmt.Errorf("recording/filestore: %w", err)
}
