package recording_test

import (
	"os"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		if os.Getenv(crashManyEnv) != "" {
			recordManyUntilKilled(dir) // the child of TestKilledAHundredTimes
			return
		}
		recordUntilKilled(dir) // the child of TestCrashMidCall
		return
	}
	leaktest.Main(m)
}
