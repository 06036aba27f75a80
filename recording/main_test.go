package recording_test

import (
	"os"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		recordUntilKilled(dir) // this process is the child of TestCrashMidCall
		return
	}
	leaktest.Main(m)
}
