// Package voicemailtest helps to test what uses package voicemail, and holds the conformance suite of its stores.
//
// [TestStore] says what a store must promise; run it over your own. [Store] keeps everything in memory. [Phone] is a caller who does what a script says.
//
// # Security
//
// For tests. Nothing here survives the process.
//
// # Goroutines
//
// None.
//
// # Importing alone
//
// Standard library and package voicemail. It imports testing, so programs should not import it.
package voicemailtest
