// Package tenanttest holds the conformance suites of package tenant's ports and of package kms's.
//
// [TestStores] and [TestKeyStore] say what a store must promise; run them over your own.
//
// # Security
//
// For tests.
//
// # Goroutines
//
// None that outlive a test.
//
// # Importing alone
//
// Standard library and packages tenant and kms. It imports testing, so programs should not import it.
package tenanttest
