package media_test

import "testing"

// TestBenchRatios prints what `make bench` reports of this package.
func TestBenchRatios(t *testing.T) {
	benchOnly(t)
	relayRatios(t)
	ratioOfTicks(t, 3, 1.3)
	ratioOfTicks(t, 100, 0.2)
}
