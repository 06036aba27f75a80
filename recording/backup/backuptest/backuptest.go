// Package backuptest holds the conformance suite of backup.Target, for whoever writes one.
//
// # Security
//
// It holds nothing of value.
//
// # Goroutines
//
// None outlives a test.
//
// # Importing alone
//
// Standard library, packages recording and backup.
package backuptest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/backup"
)

// TestTarget is the conformance suite of backup.Target. open returns an empty target, anew for each subtest.
func TestTarget(t *testing.T, open func(t *testing.T) backup.Target) {
	ctx := context.Background()
	put := func(t *testing.T, x backup.Target, name, content string) {
		t.Helper()
		if err := x.Put(ctx, name, strings.NewReader(content), int64(len(content))); err != nil {
			t.Fatalf("Put(%q): %v", name, err)
		}
	}
	get := func(t *testing.T, x backup.Target, name string) string {
		t.Helper()
		r, err := x.Get(ctx, name)
		if err != nil {
			t.Fatalf("Get(%q): %v", name, err)
		}
		defer r.Close()
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	sizes := func(t *testing.T, x backup.Target, prefix string) map[string]int64 {
		t.Helper()
		all := map[string]int64{}
		for o, err := range x.Sizes(ctx, prefix) {
			if err != nil {
				t.Fatal(err)
			}
			all[o.Name] = o.Size
		}
		return all
	}
	t.Run("what is put is got, and replaced", func(t *testing.T) {
		x := open(t)
		put(t, x, "a/rows/r1", "one")
		if got := get(t, x, "a/rows/r1"); got != "one" {
			t.Errorf("got %q", got)
		}
		put(t, x, "a/rows/r1", "second")
		put(t, x, "a/rows/empty", "")
		if got := get(t, x, "a/rows/r1") + get(t, x, "a/rows/empty"); got != "second" {
			t.Errorf("got %q", got)
		}
		big := strings.Repeat("0123456789", 700_000)
		put(t, x, "a/blobs/big", big)
		if get(t, x, "a/blobs/big") != big {
			t.Error("a big one comes back different")
		}
	})
	t.Run("all or nothing", func(t *testing.T) {
		x := open(t)
		put(t, x, "a/r", "whole")
		for name, r := range map[string]io.Reader{"short": strings.NewReader("hal"), "failing": io.MultiReader(strings.NewReader("hal"), broken{})} {
			if err := x.Put(ctx, "a/r", r, 7); err == nil {
				t.Errorf("%s: no error", name)
			}
			if got := get(t, x, "a/r"); got != "whole" {
				t.Errorf("%s: %q is left", name, got)
			}
		}
		if err := x.Put(ctx, "a/new", bytes.NewReader(nil), 7); err == nil {
			t.Error("nothing of seven bytes: no error")
		}
		if got := sizes(t, x, ""); !maps.Equal(got, map[string]int64{"a/r": 5}) {
			t.Errorf("%v", got)
		}
	})
	t.Run("what is not there is ErrNotFound, and removing it no error", func(t *testing.T) {
		x := open(t)
		if _, err := x.Get(ctx, "a/r"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Get = %v", err)
		}
		put(t, x, "a/r", "x")
		for range 2 {
			if err := x.Remove(ctx, "a/r"); err != nil {
				t.Errorf("Remove = %v", err)
			}
		}
		if _, err := x.Get(ctx, "a/r"); !errors.Is(err, recording.ErrNotFound) {
			t.Errorf("Get after Remove = %v", err)
		}
	})
	t.Run("sizes by prefix", func(t *testing.T) {
		x := open(t)
		for _, name := range []string{"acme/rows/r1", "acme/rows/r2", "acme/blobs/r1", "acme2/rows/r1"} {
			put(t, x, name, name)
		}
		if got := sizes(t, x, "acme/rows/"); !maps.Equal(got, map[string]int64{"acme/rows/r1": 12, "acme/rows/r2": 12}) {
			t.Errorf("%v", got)
		}
		if got := sizes(t, x, ""); len(got) != 4 {
			t.Errorf("%v", got)
		}
		if got := sizes(t, x, "globex/"); len(got) != 0 {
			t.Errorf("%v", got)
		}
		for range x.Sizes(ctx, "") { // may be left
			break
		}
	})
	t.Run("no name leaves the target", func(t *testing.T) {
		x := open(t)
		for _, name := range []string{"", "/", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/.b", "a\x00b"} {
			_, err := x.Get(ctx, name)
			if perr := x.Put(ctx, name, strings.NewReader("x"), 1); perr == nil || err == nil || x.Remove(ctx, name) == nil {
				t.Errorf("%q is taken", name)
			}
		}
	})
	t.Run("it says where it is", func(t *testing.T) {
		if place, err := open(t).Place(); err != nil || !strings.Contains(place, "://") {
			t.Errorf("Place = %q, %v", place, err)
		}
	})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the source broke") }
