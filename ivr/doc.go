// Package ivr compiles and runs the flows that greet a caller: menus, prompts, digits, queues.
//
// Flows are written in a small language over HCL (LANGUAGE.md beside this file). [Compile] reads every *.ivr.hcl file, refuses
// whatever would strand a caller, and returns a [Program]; only a checked [Flow] has [Flow.Run]. The compiler refuses, with file,
// line and reason: branches to nowhere, steps nobody can reach, steps from which no end can be reached, input without a no-input
// and a no-match branch, loops that a silent caller would never leave, prompts missing in a language, unknown queues and mailboxes, duplicate or
// impossible digits, durations out of range, variables that may be unset, and secret digits where they would be spoken or noted.
//
// The phone is anything that implements [Call]: three methods over standard types. What only some flows need (queueing,
// voicemail, echo, notes) is an optional interface found by type assertion; [Flow.Supports] tells before the first prompt whether a call has them.
//
// # Security
//
// Digits collected with secret = true are [Secret] from the first key to the last: they print, log and marshal as REDACTED, the
// compiler refuses every use that would speak or note them, and they are absent from [Outcome.Variables]. A Call that records must
// implement [Masker], so that the tones are not in the recording either. Flow files are data, not code: they read no file, start
// nothing, and their size, nesting, steps and loops are bounded.
//
// # Goroutines
//
// Run works in the caller's goroutine. While a prompt may be interrupted it starts one more, for [Call.Play], and waits for it
// before it goes on. A Program and its Flows are immutable and safe for concurrent use.
//
// # Importing alone
//
// ivr imports no other room. It knows prompts, queues and digits by name; it does not know sockets, codecs or agents.
// Tests of flows need no phone: see package ivrtest.
//
// # Decisions
//
// A flow's values are literals and var.NAME, nothing else: every branch a caller can take is visible to the compiler, which is what lets it
// promise an end. A fault of a queue, a mailbox or of echo is a branch, not the end of the call; a prompt that cannot be played ends the call,
// since silence strands the caller.
package ivr
