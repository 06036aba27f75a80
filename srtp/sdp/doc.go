// Package sdp reads and writes session descriptions (RFC 8866) and answers offers (RFC 3264) for one protected audio stream.
//
// [Parse] is tolerant: carriers and old phones leave lines out, put unknown ones in and misspell others, and a call should not fail
// for a line nobody needs. [Session.Marshal] is strict: it writes only what every reader must understand.
//
// [Offer], [Agree], [Answer] and [Accept] are pure functions; sockets and keys are the caller's (package srtp/media). What they cannot
// know from one description is in a [History], one for each session: it writes the version of the o= line, keeps the number and order of media
// lines and gives no payload type a second meaning.
//
//	var h sdp.History                                   // of the dialog
//	offer, err := sdp.Parse(body)
//	h.Received(offer)
//	a, err := sdp.Agree(offer, sdp.Local{History: &h})  // then: ports, keys
//	out, err := h.Marshal(sdp.Answer(offer, a, local))  // local has History as well
//
// Codecs are PCMU, PCMA, G722 and opus, with comfort noise and, for each clock, telephone-event beside them. Keys come from SDES
// or DTLS ([Keying]); of several audio streams the best protected one is taken.
//
// # Security
//
// Input comes from the network. Parse bounds the size, the number of media lines and of attributes and never panics (fuzzed).
// Every stream but the chosen audio stream is answered with port 0. Plain RTP is refused, with or without keys beside it; only a caller that says
// Local.InsecurePlainRTP gets it, and then nothing else.
//
// A `crypto` attribute holds a key: [Attr] prints it as REDACTED and [Keys] as [redacted] in every format, in logs and in JSON; only
// [Session.Marshal] writes it. A History remembers a hash of what was sent, not the text. Marshal refuses values with line breaks, so that a
// value from a peer cannot add a line.
//
// # Goroutines
//
// None. A Session is a plain value: share it read-only. A History belongs to one goroutine at a time.
//
// # Importing alone
//
// sdp imports only the standard library.
package sdp
