package sqlstore_test

import (
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/acdtest"
	"github.com/ringfence/ringfence/acd/sqlstore"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestStore(t *testing.T) {
	dir := t.TempDir()
	acdtest.TestStore(t, func(t *testing.T, name string) acd.Store {
		s, err := sqlstore.Open(t.Context(), filepath.Join(dir, name+".db"))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	})
}

func TestOpenRefusesUnknownDatabases(t *testing.T) {
	_, err := sqlstore.Open(t.Context(), "oracle://x")
	require.Error(t, err)
}
