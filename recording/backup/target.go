package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/recording"
)

// Target is a place for copies. Names are parts of letters, digits, dot, hyphen and underscore with slashes between them. Safe for concurrent use.
type Target interface {
	// Put stores size bytes of r under name, all or nothing, and replaces what was there. When it returns they survive a power cut.
	Put(ctx context.Context, name string, r io.Reader, size int64) error
	// Get returns what is stored: recording.ErrNotFound if there is nothing.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// Remove deletes it, for good. Removing what is not there is no error.
	Remove(ctx context.Context, name string) error
	// Sizes yields the names that begin with prefix, with their lengths in bytes.
	Sizes(ctx context.Context, prefix string) iter.Seq2[Object, error]
	// Place says where it is, such as "file://host/path".
	Place() (string, error)
}

// Object is what a Target holds.
type Object struct {
	Name string
	Size int64
}

// Folder is a Target of files.
type Folder struct{ dir string }

// OpenFolder returns the folder, which must be there: where a disk is not mounted nothing is made in its place. Mount it from another machine: a copy on the same
// disk is none.
func OpenFolder(dir string) (*Folder, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: a folder is required", ErrConfig)
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%w: %q is not a folder", ErrConfig, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/backup: %w", err)
	}
	return &Folder{dir}, nil
}

// makeFor makes the folders of a name, and never the one they are in: it may have gone while a backup runs.
func (f *Folder) makeFor(name string) error {
	parts := strings.Split(name, "/")
	path := f.dir
	for _, part := range parts[:len(parts)-1] {
		path = filepath.Join(path, part)
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// beingPut is the ending of a file that Put has not finished; no name ends so, because the last part of a name ends in no tilde.
const beingPut = "~"

func (f *Folder) path(name string) (string, error) {
	for part := range strings.SplitSeq(name, "/") {
		if !recording.ValidID(part) { // "../x" must not leave the folder
			return "", fmt.Errorf("%w: name", recording.ErrInvalid)
		}
	}
	return filepath.Join(f.dir, filepath.FromSlash(name)), nil
}

// Put writes a file beside the one it replaces and renames it.
func (f *Folder) Put(ctx context.Context, name string, r io.Reader, size int64) (err error) {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("recording/backup: %w", err)
		}
	}()
	if err := f.makeFor(name); err != nil {
		return err
	}
	file, err := os.OpenFile(path+beingPut, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(file, io.LimitReader(cancelled{ctx, r}, size+1))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path+beingPut))
	}
	if err := os.Rename(path+beingPut, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// cancelled is a reader that ends with a context.
type cancelled struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// Get opens a file.
func (f *Folder) Get(_ context.Context, name string) (io.ReadCloser, error) {
	path, err := f.path(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", recording.ErrNotFound, name)
	}
	if err != nil {
		return nil, fmt.Errorf("recording/backup: %w", err)
	}
	return file, nil
}

// Remove deletes a file and syncs its folder.
func (f *Folder) Remove(_ context.Context, name string) error {
	path, err := f.path(name)
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording/backup: %w", err)
	}
	return syncDir(filepath.Dir(path))
}

// Sizes walks the folder.
func (f *Folder) Sizes(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			case !d.Type().IsRegular() || strings.HasSuffix(path, beingPut):
				return nil
			}
			name, err := filepath.Rel(f.dir, path)
			if name = filepath.ToSlash(name); err != nil || !strings.HasPrefix(name, prefix) {
				return err
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if !yield(Object{name, info.Size()}, nil) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(Object{}, fmt.Errorf("recording/backup: %w", err))
		}
	}
}

// Place is the path without symbolic links, as package filestore says it.
func (f *Folder) Place() (string, error) {
	path, err := filepath.EvalSymlinks(f.dir)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	host, err2 := os.Hostname()
	if err = errors.Join(err, err2); err != nil {
		return "", fmt.Errorf("recording/backup: %w", err)
	}
	return "file://" + host + path, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
