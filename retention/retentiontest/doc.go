// Package retentiontest helps to test what uses package retention, and holds the conformance suite of its store.
//
// [TestStore] says what a retention.Store must promise; run it over your own. [Store] and [Items] keep everything in memory, [NewSigner] signs, and [Allow],
// [Deny] and [Audit] stand in for authorisation and audit log.
//
// # Security
//
// For tests. Keys made here protect nothing, and nothing here survives the process.
//
// # Goroutines
//
// None.
//
// # Importing alone
//
// Standard library and package retention. It imports testing, so programs should not import it.
package retentiontest
