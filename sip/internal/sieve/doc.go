// Package sieve reads SIP messages as they arrive, before the library does, and lets through only what the grammar of RFC 3261 section 25
// allows within fixed limits. What passes is written anew in one canonical form: full header names, no folding, one value per
// line, no space where none is needed. So the library never sees a byte that a stranger arranged, and both cannot read one message
// differently: a tag hidden in a quoted parameter, a second CSeq, a length that says two things.
//
// The package is pure: bytes in, bytes out, no state, no clock. It keeps no reference to its input.
package sieve

// Limits of one message. They are far above what phones and carriers send, and far below what would hurt.
const (
	MaxMessage = 64 << 10 // bytes, headers and body
	MaxHead    = 16 << 10 // bytes of start line and headers; more is 513
	MaxHeaders = 100      // header lines; more is 400
	MaxURI     = 1 << 10  // bytes of a Request-URI; more is 414
	MaxBody    = 16 << 10 // bytes; more is 413
	maxParams  = 32       // parameters of one header value
	maxSeq     = 1<<31 - 1
)
