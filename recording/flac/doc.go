// Package flac writes FLAC files (RFC 9639): lossless audio at about half the size of WAV, which everything plays.
//
// [Encode] writes a file of 16-bit audio in one go: fixed predictors of order 0 to 4, Rice coding in partitions, and wasted bits, which is what G.711 that was
// decoded to 16 bits has. Channels are coded apart, because the two ends of a call have nothing in common. It fits package recording's Config.Encoders.
//
// # Security
//
// It reads no file, only samples. The header holds the length and an MD5 of the audio (RFC 9639 section 8.2), which finds accidents and nobody's intent: sign
// exports. Samples are zeroed in memory when they were written.
//
// # Goroutines
//
// None. Encode may be called concurrently.
//
// # Importing alone
//
// Standard library only.
package flac
