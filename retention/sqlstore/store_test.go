package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
	"github.com/ringfence/ringfence/retention/sqlstore"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConformance(t *testing.T) {
	retentiontest.TestStore(t, func(t *testing.T) retention.Store {
		s, err := sqlstore.Open(context.Background(), filepath.Join(t.TempDir(), "ringfence.db"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}
