// Package recording keeps the recordings of calls: encrypted from the first byte, readable up to the last finished second after a crash, and provably
// whole or provably not.
//
// A [Vault] makes one [Track] per call. The two media goroutines of a call hand their coded frames to a [Party] each; that never blocks and allocates
// nothing. Every second of the call becomes one encrypted segment. [Vault.For] gives the [Access] of one actor: list, listen, export, verify, destroy.
// FORMAT.md beside this file specifies the container.
//
// # Security
//
// Each recording has a random key of its own. The key, wrapped by the KeyWrapper, is kept in the catalog and nowhere else, so destroying the catalog's
// row shreds every copy of the recording, backups of the blobs included. Plaintext exists in memory only, and is zeroed when it was encrypted or read.
// Flipping, cutting, swapping, dropping, repeating, appending or exchanging anything between recordings is found; reading stops before the first bad
// byte, and [Access.Export] writes nothing at all unless everything it is about to write was checked. What a crash cut off is reported as incomplete,
// never as complete.
//
// Every verb of Access is asked of the actor's Authorizer and recorded with its Auditor before a byte leaves; if either fails, nothing happens. The
// recording's metadata (call, parties, attributes) is encrypted under the recording's key too.
//
// # Goroutines
//
// New starts one goroutine, which encrypts and writes the segments of all tracks; Close stops it and waits for it.
// [Party.WriteFrame] may be called from one goroutine per party at a time; everything else is safe for concurrent use unless it says otherwise.
//
// # Importing alone
//
// Standard library only: no SIP, no database driver. Blobs and catalog are ports; packages filestore and sqlstore beside it fit, and package
// recordingtest holds their conformance suites. One Vault serves one tenant; its stores and keys are handed in already scoped.
package recording
