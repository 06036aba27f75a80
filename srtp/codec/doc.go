// Package codec turns telephone audio into linear samples and back: G.711 (µ-law and A-law), WAV files, resampling to
// 8000 Hz and tones.
//
// # Security
//
// WAV files may come from an administrator's upload: [ReadWAV] bounds what it reads and never panics (fuzzed).
//
// # Goroutines
//
// None. All functions are pure and safe for concurrent use; the encode and decode functions do not allocate.
//
// # Importing alone
//
// codec imports only the standard library.
package codec
