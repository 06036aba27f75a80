//go:build race

package sim_test

// race says that the race detector is on, which makes everything ten times slower.
const race = true
