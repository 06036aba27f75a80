// Package audit keeps the audit log of one tenant: an append-only file of hash-chained JSON lines. FORMAT.md beside this file specifies it.
//
// # Security
//
// Every entry holds the hash of the one before, so an entry cannot be altered, dropped, inserted or moved without breaking the chain from there on;
// [Verify] names the first bad entry and needs nothing but the file. Someone who can rewrite the whole file can make a new, consistent chain, and can
// cut entries off its end: keep a [Head] elsewhere (another machine, paper, a signed receipt) and give it to Verify, which then finds both.
//
// Append fails closed: when [Actor.Audit] returns nil, the entry is on disk (fsync); in every other case it returns an error and the caller must not do
// what it wanted to record. Values are written as they are: hand in identifiers, not content, and secret types print REDACTED by themselves.
//
// # Crashes
//
// A process that dies while it writes leaves a torn last line, of an entry that nobody was told had been kept. The next append keeps those bytes, ends
// their line, and records an entry audit.repair that states where they are, how many, and their SHA-256. Nothing is ever removed from the file.
//
// # Goroutines
//
// None. A [Log] is safe for concurrent use, and several processes may append to one file: each append takes an advisory lock on it.
//
// # Importing alone
//
// Standard library only.
package audit
