package sqlstore_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording"
	"github.com/ringfence/ringfence/recording/recordingtest"
	"github.com/ringfence/ringfence/recording/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, dsn string) *sqlstore.Catalog {
	t.Helper()
	c, err := sqlstore.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestConformance(t *testing.T) {
	recordingtest.TestCatalog(t, func(t *testing.T) recording.Catalog { return open(t, filepath.Join(t.TempDir(), "ringfence.db")) })
}

// After Shred the wrapped key is in no file: not in the database, not in its log.
func TestShredLeavesNothingInTheFiles(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c := open(t, filepath.Join(dir, "ringfence.db"))
	key, meta := []byte(strings.Repeat("WRAPPED-KEY-", 8)), []byte(strings.Repeat("SEALED-META-", 600)) // larger than a page: overflow pages too
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, id := range []string{"a", "b", "c"} {
		e := recording.Entry{ID: id, Class: "recording", State: recording.StateOpen, Created: at, KeyID: "k", WrappedKey: key, Meta: meta}
		if err := c.Insert(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	found := func() (n int) {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte("WRAPPED-KEY-")) + bytes.Count(b, []byte("SEALED-META-"))
		}
		return n
	}
	if found() == 0 {
		t.Fatal("the scan finds nothing even before: it proves nothing")
	}
	for _, id := range []string{"a", "b", "c"} {
		if err := c.Shred(ctx, id, at); err != nil {
			t.Fatal(err)
		}
	}
	if n := found(); n != 0 {
		t.Errorf("%d traces are left", n)
	}
}
