// Package recordingtest helps to test what uses package recording, and holds the conformance suites of its stores.
//
// [TestBlobs] and [TestCatalog] say what a store must promise; run them over your own. [Blobs], [Catalog] and [Keys] keep everything in memory, and
// [Allow], [Deny] and [Audit] stand in for authorisation and audit log.
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
// Standard library and package recording. It imports testing, so programs should not import it.
package recordingtest
