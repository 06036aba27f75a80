package filestore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The disk is full, really: a write is taken whole or not at all, and the file goes on when there is room again.
func TestAFullDiskTakesNoHalfWrite(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no small disk can be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	s := open(t, dir)
	ballast, err := s.Create(ctx, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ballast.Write(make([]byte, 128<<10)); err != nil {
		t.Fatal(err)
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	piece := bytes.Repeat([]byte("x"), 6000) // not a multiple of a page, so that the last one fits in part
	var size int64
	for {
		if _, err = w.Write(piece); err != nil {
			break
		}
		size += int64(len(piece))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		r, err := s.Open(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if r.Size() != size {
			t.Errorf("%d bytes, want %d: half a write stayed", r.Size(), size)
		}
	}
	check()
	if err := s.Remove(ctx, "ballast"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(piece); err != nil {
		t.Fatal(err)
	}
	size += int64(len(piece))
	check()
}
