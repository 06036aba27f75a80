// Package password hashes and checks the passwords of people with argon2id (RFC 9106).
//
// # Security
//
// A stored hash is a PHC string that names its own costs, so the costs can rise without a forced reset; [NeedsRehash] says when.
// Costs read back from storage are bounded, so whoever can write one row cannot make [Verify] take all memory. Comparison takes constant
// time. One hash costs [Memory] KiB: whoever calls Hash or Verify for strangers bounds how many run at once (package tenant does).
//
// # Goroutines
//
// None of its own. argon2 runs [Threads] lanes and waits for them.
//
// # Importing alone
//
// Standard library and golang.org/x/crypto/argon2.
package password
