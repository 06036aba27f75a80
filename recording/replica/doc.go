// Package replica keeps recordings in two places: what is written to the primary store is copied to the secondary within moments, segment by segment, and a
// recording is acknowledged when as many places have it as the policy wants.
//
// A [Store] is a recording.Blobs made of two, and a [Catalog] a recording.Catalog made of two. Writing a segment waits for the primary only, so that a slow line
// to the other place never holds up a call; what waits for the copy is Sync, which a Vault calls before it says that a recording is complete. So a recording
// that is complete is in both places, and the death of the primary while a call goes on costs of that call what [Store.Lag] shows: a moment, as long as the
// line is good.
//
// Open reads from the primary, and from the secondary what the primary does not have or cannot give. When a place is lost for good, open a Store with the other
// one as primary and an empty one as secondary, and call CatchUp.
//
// # Security
//
// What is copied is ciphertext. Wrapped keys are rows of the catalog; Remove and Shred happen in both places or return an error and can be repeated, so that
// nothing destroyed lives on in the second place unnoticed. Two stores that say they are the same place are refused: an operator who mistypes a path must
// not believe in a copy that does not exist.
//
// # Goroutines
//
// [Open] starts Config.Copiers goroutines, which Close stops and waits for.
//
// # Importing alone
//
// Standard library and package recording.
package replica
