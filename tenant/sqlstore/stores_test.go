package sqlstore_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/kms"
	"github.com/ringfence/ringfence/tenant/sqlstore"
	"github.com/ringfence/ringfence/tenant/tenanttest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, dir string) *sqlstore.Stores {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStores(t *testing.T) {
	tenanttest.TestStores(t, func(t *testing.T) tenant.Stores { return open(t, t.TempDir()) })
}

func TestKeyStore(t *testing.T) {
	tenanttest.TestKeyStore(t, func(t *testing.T) kms.Store {
		k, err := open(t, t.TempDir()).Keys(context.Background(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		return k
	})
}

func TestOneFilePerTenantAndNobodyElseReadsIt(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "tenants")
	s := open(t, dir)
	for _, name := range []string{"acme", "globex"} {
		if _, err := s.Create(ctx, name); err != nil {
			t.Fatal(err)
		}
		dsn, err := s.DSN(name)
		if err != nil || dsn != filepath.Join(dir, name, "ringfence.db") {
			t.Errorf("%s, %v", dsn, err)
		}
		for _, p := range []string{dir, filepath.Dir(dsn), dsn} {
			info, err := os.Stat(p)
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v, %v", p, info.Mode(), err)
			}
		}
	}
	if _, err := s.Open(ctx, "nobody"); !errors.Is(err, tenant.ErrUnknownTenant) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "nobody")); err == nil {
		t.Error("asking about a tenant made its folder")
	}
}

// After Shred a wrapped key is in no file: not in the database, not in its log.
func TestShredLeavesNothingInTheFiles(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	k, err := open(t, dir).Keys(ctx, "acme")
	if err != nil {
		t.Fatal(err)
	}
	wrapped := []byte(strings.Repeat("WRAPPED-KEY-", 600))
	if err := k.Save(ctx, []kms.Record{{ID: "kek-1", Kind: "kek", Version: 1, Created: time.Unix(1, 0), Wrapped: wrapped}}, nil); err != nil {
		t.Fatal(err)
	}
	traces := func() (n int) {
		files, err := filepath.Glob(filepath.Join(dir, "acme", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			n += bytes.Count(b, []byte("WRAPPED-KEY-"))
		}
		return n
	}
	if traces() == 0 {
		t.Fatal("the scan finds nothing even before: it proves nothing")
	}
	if err := k.Shred(ctx, time.Unix(2, 0), "kek-1"); err != nil {
		t.Fatal(err)
	}
	if n := traces(); n != 0 {
		t.Errorf("%d traces are left", n)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(context.Background(), "acme"); !errors.Is(err, sqlstore.ErrClosed) {
		t.Error(err)
	}
}
