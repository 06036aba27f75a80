package acd_test

import (
	"sync"
	"testing"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/acdtest"
	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestMemStore(t *testing.T) {
	var mu sync.Mutex
	stores := map[string]*acd.MemStore{}
	acdtest.TestStore(t, func(_ *testing.T, name string) acd.Store {
		mu.Lock()
		defer mu.Unlock()
		if stores[name] == nil {
			stores[name] = &acd.MemStore{}
		}
		return stores[name]
	})
}
