package filestore_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
)

// A disk that is unmounted while the program runs leaves no folder, or one that is not its own: nothing is written, nothing is said to be removed, and nothing to be
// all that there is. When it is back, all goes on.
func TestAFolderThatHasGoneIsNotMadeAgain(t *testing.T) {
	ctx := context.Background()
	for name, below := range map[string]func(t *testing.T, dir string){
		"nothing":         func(*testing.T, string) {},
		"an empty folder": func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o700)) },
		"a folder that another program has opened": func(t *testing.T, dir string) {
			open(t, dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := t.TempDir()
			dir, away := filepath.Join(in, "blobs"), filepath.Join(in, "away")
			s := open(t, dir)
			put(t, s, "kept")
			started, err := s.Create(ctx, "started")
			must(t, err)
			must(t, os.Rename(dir, away))
			below(t, dir)

			_, created := s.Create(ctx, "a")
			_, opened := s.Open(ctx, "kept")
			_, _, appended := s.Append(ctx, "started")
			var listed error
			for _, err := range s.List(ctx) {
				listed = err
			}
			for what, err := range map[string]error{"create": created, "open": opened, "append": appended, "remove": s.Remove(ctx, "kept"), "list": listed, "close": started.Close()} {
				if !errors.Is(err, filestore.ErrGone) || errors.Is(err, recording.ErrNotFound) {
					t.Errorf("%s: %v, want ErrGone", what, err)
				}
			}
			if found, err := filepath.Glob(filepath.Join(dir, "??")); err != nil || len(found) > 0 {
				t.Errorf("%v, %v: made in its place", found, err)
			}

			must(t, os.RemoveAll(dir))
			must(t, os.Rename(away, dir))
			put(t, s, "a")
			r, err := s.Open(ctx, "kept")
			must(t, err)
			must(t, r.Close())
			must(t, s.Remove(ctx, "kept"))
		})
	}
}

// A folder from before there were markers, or one that may only be read, works as it did.
func TestAFolderWithoutAMarker(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no disk can be made here: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	marker := filepath.Join(dir, ".filestore")
	put(t, open(t, dir), "old")
	must(t, os.Remove(marker))
	remount := func(flags uintptr) { must(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT|flags, "size=256k")) }
	remount(unix.MS_RDONLY)
	s := open(t, dir)
	r, err := s.Open(ctx, "old")
	must(t, err)
	must(t, r.Close())
	if _, err := s.Create(ctx, "new"); !errors.Is(err, unix.EROFS) {
		t.Error(err)
	}
	remount(0)
	put(t, s, "next")
	s = open(t, dir)
	put(t, s, "new")
	if text, err := os.ReadFile(marker); err != nil || len(text) == 0 {
		t.Errorf("%q, %v: it got none", text, err)
	}
}

func put(t *testing.T, s *filestore.Store, id string) {
	t.Helper()
	w, err := s.Create(context.Background(), id)
	must(t, err)
	_, err = w.Write([]byte(id))
	must(t, errors.Join(err, w.Close()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
