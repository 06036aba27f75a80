package voicemail_test

import (
	"os"
	"testing"

	"github.com/ringfence/ringfence/internal/leaktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		leaveUntilKilled(dir) // this process is the child of TestKilledWhileAMessageIsLeft
		return
	}
	leaktest.Main(m)
}
