package retentiontest_test

import (
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/retention"
	"github.com/ringfence/ringfence/retention/retentiontest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConformance(t *testing.T) {
	retentiontest.TestStore(t, func(*testing.T) retention.Store { return &retentiontest.Store{} })
}
