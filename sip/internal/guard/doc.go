// Package guard decides about strangers: how many requests they may make, how long a password guesser waits, and when a scanner is shut
// out. It is pure state with the time as a parameter: no clock, no goroutine, no network. All types are safe for concurrent use, and each
// holds a fixed number of entries, so no flood of sources, real or forged, grows memory.
//
// When a table is full, the entry untouched for longest goes. That an attacker can push entries out is weighed per type and said there.
package guard
