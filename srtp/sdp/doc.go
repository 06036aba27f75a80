// Package sdp reads and writes session descriptions (RFC 8866) and answers offers (RFC 3264) for one audio stream.
//
// [Parse] is tolerant: carriers and old phones leave lines out, put unknown ones in and misspell others, and a call should not fail
// for a line nobody needs. [Session.Marshal] is strict: it writes only what every reader must understand.
// [Offer], [Answer] and [Accept] are pure functions; sockets and keys are the caller's (package srtp/media).
//
// # Security
//
// Input comes from the network. Parse bounds the size, the number of media lines and of attributes, never panics (fuzzed) and never
// panics on half a description. Every stream but the chosen audio stream is answered with port 0. A `crypto` attribute holds a key:
// [Attr] prints it as REDACTED in every format, in logs and in JSON; only [Session.Marshal] writes it.
// Marshal refuses values with line breaks, so that a value from a peer cannot add a line.
//
// # Goroutines
//
// None. A Session is a plain value: share it read-only.
//
// # Importing alone
//
// sdp imports only the standard library.
package sdp
