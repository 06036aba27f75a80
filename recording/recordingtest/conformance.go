package recordingtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// TestBlobs is the conformance suite of recording.Blobs. open returns an empty store, anew for each subtest.
func TestBlobs(t *testing.T, open func(t *testing.T) recording.Blobs) {
	ctx := context.Background()
	create := func(t *testing.T, b recording.Blobs, name string) recording.BlobWriter {
		t.Helper()
		w, err := b.Create(ctx, name)
		if err != nil {
			t.Fatalf("Create(%q): %v", name, err)
		}
		return w
	}
	write := func(t *testing.T, w io.Writer, s string) {
		t.Helper()
		if n, err := io.WriteString(w, s); err != nil || n != len(s) {
			t.Fatalf("Write = %d, %v", n, err)
		}
	}
	content := func(t *testing.T, b recording.Blobs, name string) string {
		t.Helper()
		r, err := b.Open(ctx, name)
		if err != nil {
			t.Fatalf("Open(%q): %v", name, err)
		}
		defer r.Close()
		p := make([]byte, r.Size())
		if n, err := r.ReadAt(p, 0); n != len(p) || (err != nil && !errors.Is(err, io.EOF)) {
			t.Fatalf("ReadAt = %d, %v", n, err)
		}
		return string(p)
	}
	t.Run("what is written can be read at once and after closing", func(t *testing.T) {
		b := open(t)
		w := create(t, b, "a")
		write(t, w, "one")
		if got := content(t, b, "a"); got != "one" {
			t.Errorf("before Close: %q", got)
		}
		write(t, w, "two")
		if err := errors.Join(w.Sync(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if got := content(t, b, "a"); got != "onetwo" {
			t.Errorf("after Close: %q", got)
		}
	})
	t.Run("a name is used once", func(t *testing.T) {
		b := open(t)
		w := create(t, b, "a")
		defer w.Close()
		write(t, w, "kept")
		if _, err := b.Create(ctx, "a"); !errors.Is(err, recording.ErrExists) {
			t.Errorf("second Create = %v, want ErrExists", err)
		}
		if got := content(t, b, "a"); got != "kept" {
			t.Errorf("content %q", got)
		}
	})
	t.Run("what is not there is ErrNotFound, and removing it no error", func(t *testing.T) {
		b := open(t)
		if _, err := b.Open(ctx, "a"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Open = %v, want ErrNotFound", err)
		}
		if err := b.Remove(ctx, "a"); err != nil {
			t.Errorf("Remove = %v", err)
		}
	})
	t.Run("removed is gone, others stay", func(t *testing.T) {
		b := open(t)
		for _, name := range []string{"a", "b"} {
			w := create(t, b, name)
			write(t, w, name)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Remove(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Open(ctx, "a"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Open = %v, want ErrNotFound", err)
		}
		if got := content(t, b, "b"); got != "b" {
			t.Errorf("content %q", got)
		}
	})
	t.Run("reads at any place, concurrently, and past the end", func(t *testing.T) {
		b := open(t)
		w := create(t, b, "a")
		all := bytes.Repeat([]byte("0123456789"), 1000)
		write(t, w, string(all))
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := b.Open(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				p := make([]byte, 100)
				if _, err := r.ReadAt(p, int64(i*400)); err != nil || !bytes.Equal(p, all[i*400:i*400+100]) {
					t.Errorf("ReadAt(%d): %v", i*400, err)
				}
			})
		}
		wg.Wait()
		if n, err := r.ReadAt(make([]byte, 10), r.Size()); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt past the end = %d, %v, want 0, EOF", n, err)
		}
		if n, err := r.ReadAt(make([]byte, 10), r.Size()-4); n != 4 || !errors.Is(err, io.EOF) {
			t.Errorf("ReadAt over the end = %d, %v, want 4, EOF", n, err)
		}
	})
	t.Run("names of all allowed letters and lengths", func(t *testing.T) {
		b := open(t)
		for _, name := range []string{"A", "a.b-c_d", "0..", string(bytes.Repeat([]byte("x"), 128))} {
			w := create(t, b, name)
			write(t, w, name)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if got := content(t, b, name); got != name {
				t.Errorf("%q holds %q", name, got)
			}
		}
	})
}

// TestCatalog is the conformance suite of recording.Catalog. open returns an empty catalog, anew for each subtest.
func TestCatalog(t *testing.T, open func(t *testing.T) recording.Catalog) {
	ctx := context.Background()
	t0 := time.Date(2026, 1, 31, 12, 0, 0, 123456789, time.UTC)
	entry := func(n int) recording.Entry {
		return recording.Entry{ID: fmt.Sprintf("r%04d", n), Class: "recording", State: recording.StateOpen, Created: t0.Add(time.Duration(n) * time.Second),
			KeyID: fmt.Sprintf("dek-%d", n), WrappedKey: []byte{1, byte(n)}, Meta: []byte{2, byte(n)}}
	}
	insert := func(t *testing.T, c recording.Catalog, es ...recording.Entry) {
		t.Helper()
		for _, e := range es {
			if err := c.Insert(ctx, e); err != nil {
				t.Fatalf("Insert(%s): %v", e.ID, err)
			}
		}
	}
	list := func(t *testing.T, c recording.Catalog, f recording.Filter) []string {
		t.Helper()
		var ids []string
		for e, err := range c.List(ctx, f) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, e.ID)
		}
		return ids
	}
	t.Run("what is inserted comes back", func(t *testing.T) {
		c := open(t)
		want := entry(1)
		insert(t, c, want, entry(2))
		got, err := c.Get(ctx, want.ID)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
	t.Run("an ID is used once, also after destruction", func(t *testing.T) {
		c := open(t)
		insert(t, c, entry(1))
		if err := c.Insert(ctx, entry(1)); !errors.Is(err, recording.ErrExists) {
			t.Errorf("Insert = %v, want ErrExists", err)
		}
		if err := c.Shred(ctx, "r0001", t0); err != nil {
			t.Fatal(err)
		}
		if err := c.Insert(ctx, entry(1)); !errors.Is(err, recording.ErrExists) {
			t.Errorf("Insert = %v, want ErrExists", err)
		}
	})
	t.Run("what is not there is ErrNotFound", func(t *testing.T) {
		c := open(t)
		_, err := c.Get(ctx, "r0001")
		for _, err := range []error{err, c.Finish(ctx, entry(1)), c.Shred(ctx, "r0001", t0)} {
			if !errors.Is(err, recording.ErrNotFound) {
				t.Errorf("%v, want ErrNotFound", err)
			}
		}
	})
	t.Run("finishing closes a row once and touches nothing else", func(t *testing.T) {
		c := open(t)
		insert(t, c, entry(1))
		end := recording.Entry{ID: "r0001", Class: "other", State: recording.StateComplete, Created: t0.Add(time.Hour), Closed: t0.Add(time.Minute), KeyID: "other",
			WrappedKey: []byte("other"), Segments: 7, Samples: 56000, Manifest: []byte("m"), Signature: []byte("s")}
		if err := c.Finish(ctx, end); err != nil {
			t.Fatal(err)
		}
		want := entry(1)
		want.State, want.Closed, want.Segments, want.Samples, want.Manifest, want.Signature = end.State, end.Closed, end.Segments, end.Samples, end.Manifest, end.Signature
		got, err := c.Get(ctx, "r0001")
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
		}
		end.State = recording.StateIncomplete
		if err := c.Finish(ctx, end); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("second Finish = %v, want ErrNotFound", err)
		}
	})
	t.Run("a destroyed row has neither key nor metadata, and says when", func(t *testing.T) {
		c := open(t)
		insert(t, c, entry(1), entry(2))
		at := t0.Add(time.Hour)
		if err := errors.Join(c.Shred(ctx, "r0001", at), c.Shred(ctx, "r0001", at.Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(ctx, "r0001")
		if err != nil || got.State != recording.StateDestroyed || len(got.WrappedKey) != 0 || len(got.Meta) != 0 || !got.Destroyed.Equal(at) || got.KeyID != "dek-1" {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := c.Get(ctx, "r0002"); err != nil || len(got.WrappedKey) == 0 {
			t.Errorf("the other row: %+v, %v", got, err)
		}
	})
	t.Run("a wrapped key is exchanged only for the one that was read", func(t *testing.T) {
		c := open(t)
		insert(t, c, entry(1), entry(2))
		if err := c.Rewrap(ctx, "r0001", []byte{1, 1}, []byte("new")); err != nil {
			t.Fatal(err)
		}
		want := entry(1)
		want.WrappedKey = []byte("new")
		if got, err := c.Get(ctx, "r0001"); err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
		}
		if err := c.Rewrap(ctx, "r0001", []byte{1, 1}, []byte("late")); !errors.Is(err, recording.ErrConflict) {
			t.Errorf("Rewrap of what changed = %v, want ErrConflict", err)
		}
		if err := c.Rewrap(ctx, "r0009", []byte{1}, []byte("new")); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Rewrap of nothing = %v, want ErrNotFound", err)
		}
		if err := c.Shred(ctx, "r0001", t0); err != nil {
			t.Fatal(err)
		}
		for _, old := range [][]byte{[]byte("new"), nil, {}} { // no key comes back to what was destroyed
			if err := c.Rewrap(ctx, "r0001", old, []byte("again")); !errors.Is(err, recording.ErrConflict) {
				t.Errorf("Rewrap of a destroyed row = %v, want ErrConflict", err)
			}
		}
		if got, err := c.Get(ctx, "r0001"); err != nil || len(got.WrappedKey) != 0 {
			t.Errorf("got %+v, %v", got, err)
		}
		if got, err := c.Get(ctx, "r0002"); err != nil || !bytes.Equal(got.WrappedKey, []byte{1, 2}) {
			t.Errorf("the other row: %+v, %v", got, err)
		}
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for n := range cap(errs) {
			wg.Go(func() { errs <- c.Rewrap(ctx, "r0002", []byte{1, 2}, []byte{9, byte(n)}) })
		}
		wg.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, recording.ErrConflict) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of the same exchange won", won)
		}
	})
	t.Run("lists are ordered, bounded and filtered", func(t *testing.T) {
		c := open(t)
		insert(t, c, entry(3), entry(1), entry(2), entry(4))
		if err := c.Shred(ctx, "r0002", t0); err != nil {
			t.Fatal(err)
		}
		e := entry(3)
		e.State = recording.StateComplete
		if err := c.Finish(ctx, e); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			f    recording.Filter
			want []string
		}{
			{recording.Filter{}, []string{"r0001", "r0003", "r0004"}},
			{recording.Filter{State: recording.StateOpen}, []string{"r0001", "r0004"}},
			{recording.Filter{State: recording.StateDestroyed}, []string{"r0002"}},
			{recording.Filter{From: t0.Add(3 * time.Second)}, []string{"r0003", "r0004"}},
			{recording.Filter{Before: t0.Add(3 * time.Second)}, []string{"r0001"}},
			{recording.Filter{From: t0.Add(3 * time.Second), Before: t0.Add(3*time.Second + 1)}, []string{"r0003"}},
			{recording.Filter{Before: t0}, nil},
		} {
			if got := list(t, c, tt.f); !slices.Equal(got, tt.want) {
				t.Errorf("List(%+v) = %v, want %v", tt.f, got, tt.want)
			}
		}
	})
	t.Run("a list longer than a page, of equal times, may be destroyed while it is read", func(t *testing.T) {
		c := open(t)
		const n = 600
		for i := range n {
			e := entry(i)
			e.Created = t0
			insert(t, c, e)
		}
		seen := 0
		for e, err := range c.List(ctx, recording.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			if seen%100 == 0 {
				if err := c.Shred(ctx, e.ID, t0); err != nil {
					t.Fatal(err)
				}
			}
			seen++
		}
		if seen != n {
			t.Errorf("saw %d of %d", seen, n)
		}
	})
	t.Run("concurrent inserts of one ID: one wins", func(t *testing.T) {
		c := open(t)
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range cap(errs) {
			wg.Go(func() { errs <- c.Insert(ctx, entry(1)) })
		}
		wg.Wait()
		close(errs)
		won := 0
		for err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, recording.ErrExists) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d inserts won", won)
		}
	})
}
