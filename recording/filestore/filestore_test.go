package filestore_test

import (
	"context"
	"errors"
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
