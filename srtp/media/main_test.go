package media_test

import (
	"os"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(relayEnv); kind != "" {
		relayProcess(kind)
	}
	leaktest.Main(m)
}
