// Package retention deletes what is due, keeps what is held, and proves both.
//
// A [Sweeper] knows the data classes of one tenant, how long each is kept ([Period], in calendar arithmetic that is written down at [Due]), and where the
// items are ([Catalog], [Eraser]). [Sweeper.Run] erases item by item what is due and returns a signed [Receipt] that a stranger can check offline with
// [VerifyReceipt]; FORMAT.md beside this file specifies it. [Sweeper.Place] puts a legal hold on named items: a hold beats everything.
// [Sweeper.Explain] says what Run would do with an item, by the same code that does it.
//
// # Security
//
// Every verb is asked of the Authorizer and recorded with the Auditor first; every single erasure is recorded before it happens; if either fails, nothing
// is erased. There is no default for how long something is kept: a forgotten period is an error, not a deletion. Holds are checked in the transaction
// that begins an erasure, so a hold is either placed in time or refused, never placed on something already going. Receipts are chained: one that
// is left out is missed.
//
// # Crashes
//
// An erasure is written down before it begins and after it ended. The next Run finishes what a dead process began, and its receipt lists it: every
// erasure is in exactly one receipt.
//
// # Goroutines
//
// None; [Sweeper.Serve] works in the caller's. All types are safe for concurrent use, by several processes on one store too.
//
// # Importing alone
//
// Standard library only. Stores are ports: package sqlstore beside it fits, package retentiontest holds the conformance suite. One Sweeper serves one
// tenant; its stores are handed in already scoped.
package retention
