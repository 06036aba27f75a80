//go:build race

package load_test

// raceEnabled: the server is built with the race detector when its test is.
const raceEnabled = true
