// Package leaktest fails a test binary that leaves goroutines behind.
package leaktest

import (
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails if a goroutine outlives them.
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
func Main(m *testing.M) { goleak.VerifyTestMain(m) }

// Check fails t if goroutines started during t are still running when it ends. Do not use it in parallel tests.
func Check(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}
