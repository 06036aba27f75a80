// Package report computes a contact center's key figures from acd's event log. The definitions are code: the live wallboard and the
// historical report run the same [Tally] over the same entries, so they cannot disagree.
//
// Feed a Tally from acd.Config.Observer for a wallboard, or from a stored log with [FromLog].
//
// # Definitions
//
// Figures of the whole center count works:
//
//	Arrived = Answered + Abandoned + Overflowed + IVREnded + Open
//
// A work is answered from the moment an agent takes it, and open until it is answered or ended. Figures of a queue count waits,
// since a work may wait in several queues:
//
//	Entered = Answered + Abandoned + Overflowed + Waiting
//
// Service level (there are many; this is the one used here): answered within the queue's ServiceTarget, divided by answered plus
// abandoned, where abandoned waits shorter than the queue's ShortAbandon do not count. ASA is the mean wait of answered waits. The
// wait runs from entering the queue to the answer.
//
// # Security
//
// A Report holds counts and times and no id of a work. Agents are counted by state and not named.
//
// # Goroutines
//
// None. A Tally is safe for concurrent use.
//
// # Importing alone
//
// report imports acd and the standard library.
package report
