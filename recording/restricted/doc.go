// Package restricted keeps what must not be recorded out of recordings and of what is written about them: identity documents, health data, cards and accounts.
//
// A [Scanner] finds such numbers in text by their formats and check digits. Mask replaces them where text is free, such as a note or a transcript; Check refuses
// them where a field has no business to hold one. [Numbers] has the formats it knows. Phone numbers in E.164 ("+49...") are never taken for anything else.
//
// An [Approval] is the written exception: for one category, for named places of work such as queues, signed by somebody, until a date. A [Register] of them
// answers [Register.Permits] before a queue that is tagged with a category may record or transcribe, and before a flagged part of a recording leaves in an
// export. Without one, or a day after its end, the answer is no.
//
// # Security
//
// The attacker is habit: a card number dictated into a note, an insurance number in a field called reference. A check digit lets one in ten or a hundred random
// numbers pass, so a Scanner errs to the strict side: what it masks wrongly was no secret, what it let pass would be one.
//
// # Goroutines
//
// None. A Scanner and a Register are safe for concurrent use; both are made once and not changed.
//
// # Importing alone
//
// Standard library only.
package restricted
