// Package vectors makes the files in recording/testdata/vectors: recordings in which one thing is wrong, one file for each way to be wrong.
//
// It writes containers from FORMAT.md alone, with fixed keys and salts, and shares no code with package recording: where the two disagree, a test fails.
// Each attack is a function in a file of its own name; [All] lists them. `go generate` in package recording writes the files anew.
package vectors
