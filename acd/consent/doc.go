// Package consent is a gate that nothing passes without the consent of the person it is about.
//
// A [Gate] knows who consented to what: one user, in one session, for one [Purpose]. Whatever is not granted is refused: an unknown user, another
// session of the same user, a consent that has expired, was withdrawn or is not given yet. A [Sink] stands before what would take product
// analytics; a [Capture] before what would record an agent's screen. Nothing is held back to be sent later, when consent comes: what
// happened before it is gone.
//
//	var gate consent.Gate
//	analytics := consent.NewSink(&gate, consent.Analytics, send)
//	err := analytics.Put(ctx, user, session, now, event) // ErrNone until gate.Grant
//
// # Security
//
// The attackers are the operator's own convenience, and whoever replays an old consent: a grant that was given before a withdrawal is
// refused. When Withdraw returns, nothing of that user, session and purpose is under way to a sink any more.
// A Gate keeps at most MaxConsents; it never keeps what passes through it, and has no log.
//
// # Goroutines
//
// None. All types are safe for concurrent use.
//
// # Importing alone
//
// consent imports the standard library.
package consent
