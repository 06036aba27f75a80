// Package consent decides whether a call may be recorded, and lets no frame into a recording before that.
//
// Who is in a call, where each of them is, and what each of them has said is a list of [Person]. [Table.Decide] says from it whether recording is allowed, by the
// strictest rule of all the places. It is a pure function of a table that is data: [Defaults] returns one with its sources, and an operator's lawyer replaces it.
//
// A [Gate] holds the recording of one call to that. It makes the recording when the decision allows it and not earlier; frames that were heard before are
// never stored, and never kept in memory until somebody decides. When somebody joins who has not agreed, it stops storing until they have. When somebody
// withdraws, it stops for good, and the recording's key is destroyed: what was taken is purged, everybody's, since a conversation has no half that is only one's
// own.
//
// What a place needs, and when recording is allowed there:
//
//   - [Everyone]: every person has agreed;
//   - [Notice]: every person has agreed, or was told and stayed;
//   - [OneParty]: one person has agreed or was told.
//
// Whatever the need, it is not allowed once a person has refused. A place that the table does not know needs Everyone.
//
// # Security
//
// The attacker is the operator's own haste: a flow that begins to record and asks later. So the zero of everything is no: a person who said nothing has not
// agreed, a place that is not named is the strictest, and a Gate whose recording cannot be made stores nothing.
//
// # Goroutines
//
// None. A Gate is safe for concurrent use; each Tap is used by one goroutine at a time.
//
// # Importing alone
//
// Standard library and package recording.
package consent
