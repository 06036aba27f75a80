// Package branch keeps the telephones of a site working while the contact center they belong to cannot be reached. A [Branch] stands next to the phones:
// they register with it, and it registers each of them with the contact center ("upstream"). While the upstream is there, every call goes through it. While
// it is not, phones call each other and a local trunk, and what was called is written into a [Journal], which is sent when the upstream is back.
//
//	journal, recovery, err := branch.OpenJournal("/var/lib/branch/calls.journal")
//	b, err := branch.New(branch.Config{
//		Domain: "acme.example", Upstream: "sip.acme.example:5061", Client: client, Credentials: users,
//		Journal: journal, Sink: sink, Outside: trunk, Fallback: map[string]string{"9000": "1002"},
//	})
//	err = b.ServeTLS(ctx, listener, serverTLS)
//
// Session descriptions pass through untouched in both directions, in a re-INVITE too, so that keys of SRTP stay between the phone and the far end and no
// sound passes here. DTMF by INFO, ringing, refusals, CANCEL and BYE pass as well. A branch is a back-to-back user agent (RFC 7092 section 3.1): two
// dialogs, of which each has its own session timer (RFC 4028). What needs an offer of our own does not pass: an INVITE without one gets 488, REFER 603.
//
// [Link] decides whether the upstream is there, from signs of life and from failures of calls and registrations. A call that finds the upstream dead before
// anybody else has noticed is handled here at once. A call over the upstream ends when its session timer or its connection says so; one between
// two phones of the site goes on whatever happens to the upstream.
//
// # Journal
//
// Each call that the branch handled by itself is one [CDR]. It is on disk before the caller is told that it was answered, and its end is on disk before
// the other side is told of it; after a crash in between, it is sent as [Interrupted]. Entries are sent in order, and again until they are
// acknowledged; each has a random ID that stays the same, and [Inbox] takes each ID once, so that every entry arrives exactly once.
//
// # Security
//
// Signalling is TLS on both sides and in the Sink; there is no other way in or out. Phones prove a password as everywhere; the upstream proves its
// certificate when the branch connects, and calls come in from it over that connection only. Whoever cuts the upstream on purpose gains no right: a public
// number is called through [Config.Outside], which has the caller's proven name to decide with. A number that nobody here knows is refused. Credentials
// stay at the site; who steals the machine has those of its users, and no others. The journal holds who called whom, so only its owner may read it and
// it is emptied when all of it was acknowledged. A call that costs money is not placed when it cannot be written down. Emergency calls pass in all cases:
// by the upstream or the local trunk, whichever works, with a journal or without. Not limited here: how much the users of the site call at its cost, which
// is for Config.Outside to decide, and how long the journal gets while nobody takes it.
//
// # Goroutines
//
// A Branch has three, for signs of life, registrations and the journal, and those of its two endpoints. A call has one for each phone that it rings, until it is
// answered, and two for digits then. Branch.Close stops and waits for all of them. Journal, Inbox, Link and FileStore have none.
//
// # Importing alone
//
// branch needs package sip and the standard library. It knows no trunk, no media and no tenants.
package branch
