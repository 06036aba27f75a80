package filestore_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/recordingtest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	recordingtest.TestBlobs(t, func(t *testing.T) recording.Blobs { return open(t, t.TempDir()) })
}

func TestAFileHasItsFinishedNameOnceItIsClosed(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, dir)
	for _, id := range []string{"closed", "open", "left", "removed"} {
		w, err := s.Create(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(id)); err != nil {
			t.Fatal(err)
		}
		switch id {
		case "removed": // while it is written, as after withdrawn consent
			if err := s.Remove(ctx, id); err != nil {
				t.Fatal(err)
			}
			fallthrough
		case "closed":
			if err := errors.Join(w.Sync(), w.Close()); err != nil {
				t.Fatal(err)
			}
		default:
			defer w.Close()
		}
	}
	// Another process comes, and goes on where a dead one stopped.
	s = open(t, dir)
	w, size, err := s.Append(ctx, "left")
	if err != nil || size != 4 {
		t.Fatal(size, err)
	}
	if _, err := w.Write([]byte(" over")); err != nil {
		t.Fatal(err)
	}
	got := map[string]recording.BlobInfo{}
	for b, err := range s.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		got[b.ID] = b
	}
	want := map[string]recording.BlobInfo{"closed": {ID: "closed", Size: 6, Finished: true}, "open": {ID: "open", Size: 4}, "left": {ID: "left", Size: 9}}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"closed", "left", "removed"} {
		if _, _, err := s.Append(ctx, id); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Append(%s) = %v: what is closed stays closed", id, err)
		}
	}
}

func TestNobodyElseCanRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	w, err := open(t, dir).Create(context.Background(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoNameLeavesTheFolder(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "blobs"))
	for _, id := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", "a\x00b", "-", ".hidden", "a b", "ü"} {
		_, err1 := s.Create(ctx, id)
		_, err2 := s.Open(ctx, id)
		for _, err := range []error{err1, err2, s.Remove(ctx, id)} {
			if !errors.Is(err, recording.ErrInvalid) {
				t.Errorf("%q: %v, want ErrInvalid", id, err)
			}
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}
