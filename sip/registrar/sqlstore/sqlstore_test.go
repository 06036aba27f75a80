package sqlstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/sip/registrar"
	"github.com/ringfence/ringfence/sip/registrar/registrartest"
	"github.com/ringfence/ringfence/sip/registrar/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, path string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(context.Background(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	registrartest.Run(t, func(t *testing.T) func() registrar.Store {
		path := filepath.Join(t.TempDir(), "sip.db")
		return func() registrar.Store { return open(t, path) }
	})
}

func TestFileIsForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sip.db")
	open(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

// A registrar that is opened on the file of one that ended knows who was registered, and reaches nobody until the phone comes back.
func TestRestart(t *testing.T) {
	ctx, now := context.Background(), time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "sip.db")
	key := registrar.Key{1}
	first := open(t, path)
	r, err := registrar.Open(ctx, registrar.Config{Key: key}, first, now)
	require.NoError(t, err)
	b := registrar.Binding{Contact: "sip:1001@192.0.2.1", Flow: "tls/a", Instance: "urn:uuid:1", RegID: 1, CallID: "c1", CSeq: 5, Expires: now.Add(time.Hour)}
	bs, err := r.Update("acme", "1001", []registrar.Binding{b}, now)
	require.NoError(t, err)
	gruu := r.TemporaryGRUU(bs[0], "acme.test")
	require.NoError(t, r.Flush(ctx))
	require.NoError(t, first.Close())

	r, err = registrar.Open(ctx, registrar.Config{Key: key}, open(t, path), now.Add(time.Minute))
	require.NoError(t, err)
	later := now.Add(time.Minute)
	require.Empty(t, r.Lookup("acme", "1001", later))
	require.Len(t, r.Known("acme", "1001", later), 1)
	_, err = r.Update("acme", "1001", []registrar.Binding{b}, later)
	require.ErrorIs(t, err, registrar.ErrOutOfOrder, "a request from before the restart")
	b.CSeq, b.Flow = 6, "tls/b"
	_, err = r.Update("acme", "1001", []registrar.Binding{b}, later)
	require.NoError(t, err)
	user, flows, ok := r.Resolve("acme", gruu, later)
	require.True(t, ok, "the address that was handed out before the restart")
	require.Equal(t, "1001", user)
	require.Equal(t, "tls/b", flows[0].Flow)
}
