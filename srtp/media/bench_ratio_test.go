package media_test

import "testing"

// TestBenchRatios prints what `make bench` reports of this package.
func TestBenchRatios(t *testing.T) {
	benchOnly(t)
	relayRatios(t)
}
