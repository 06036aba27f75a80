//go:build race

package recording_test

// raceEnabled: sync.Pool drops things at random under the race detector, so allocations cannot be counted there.
const raceEnabled = true
