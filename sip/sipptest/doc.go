// Package sipptest proves package sip against sipp under load, on plain UDP under the waiver of a lab: sipp as caller with digest, and as a phone that
// registers and is called. It holds tests only.
//
// sipp must be installed. If it is not, the tests are left out and say so; with RINGFENCE_PEERS=required that is a failure.
//
// # Security
//
// Everything stays on this machine. That a realm lets its users do without encryption is what the waiver is for, and what no other program here does.
//
// # Goroutines
//
// sipp is a process of the test, which waits for it and kills it when the test ends first.
//
// # Importing alone
//
// There is nothing to import.
package sipptest
