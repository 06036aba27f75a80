// Package acd is automatic call distribution: it decides which agent gets which caller, keeps every caller accounted for from arrival to
// end, and can say why.
//
// [Core] is a deterministic state machine: an [Event] goes in, [Decision]s come out, and nothing inside looks at a clock, starts a
// goroutine or takes a lock. The log of events therefore replays to the same state and the same decisions. [Center] runs a Core: it
// adds the clock, the durable log, the offers to agents and the answers to whoever waits.
//
// # The life of a work
//
// A work is one contact. It is known from its arrival, before it is in any queue, so that the sum is exact at every moment:
//
//	arrived = answered + abandoned + overflowed + IVR-ended + open
//
// A work arrives (self-service: somebody else talks to it), is enqueued, waits, is offered, is answered and ends. A queue that
// cannot serve it gives it back to self-service with a reason (full, no_agents, timeout); it may then enter another queue. How a
// work is counted follows from where it ended: in conversation it is answered, in a queue it is abandoned, in self-service it is
// overflowed if a queue had given it back and IVR-ended if not. A process that dies leaves open works; the next one closes them
// with cause node-died, as answered if they were in conversation and as abandoned if they were anywhere else.
//
// # Choosing
//
// A waiting work goes to one ready member of its queue; which one is the queue's [Strategy]. A free agent gets the work of highest
// priority among all queues it is a member of, and of equals the one enqueued first. A work that an agent did not take keeps its place.
//
//	longest-idle   the default: even load, nobody is skipped
//	fewest-calls   the one who answered least since the log began, then longest idle
//	top-down       the first in the order of Members: for an escalation list
//
// # Security
//
// Every supervisor verb asks [Authorizer] first and is recorded through [Auditor]; if either fails, the verb does not happen.
// Waiting works, open works and the backlog of the log are bounded. Ids and attributes are data: acd logs ids, never attributes.
// One Center serves one tenant; its store must be that tenant's.
//
// # Goroutines
//
// [Center.Run] starts two goroutines (timers, log) and one per outstanding offer, and waits for all of them before it returns. A
// waiting work costs none. Core has no goroutine and is not safe for concurrent use; Center is.
//
// # Importing alone
//
// acd imports only the standard library. It knows works, queues and agents by id; it does not know calls, chats, tenants or SQL.
package acd
