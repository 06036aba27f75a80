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
// cannot serve it gives it back to self-service with a reason (full, no_agents, timeout, overflow, exit); it may then enter another queue. How a
// work is counted follows from where it ended: in conversation it is answered, in a queue it is abandoned, in self-service it is
// overflowed if a queue had given it back and IVR-ended if not. A process that dies leaves open works; the next one closes them
// with cause node-died, as answered if they were in conversation and as abandoned if they were anywhere else, or goes on with them
// ([Config].Resume), or with their callbacks only ([Config].KeepCallbacks).
//
// # Choosing the agent
//
// A waiting work goes to one free member of its queue; which one is the queue's [Strategy]. A work that an agent did not take keeps its
// place. ([ParseStrategy] takes the names in brackets too; an unknown name is an error, never a default.)
//
//	longest-idle     the default: even load, nobody is skipped. (Asterisk leastrecent; FreeSWITCH longest-idle-agent;
//	                 Webitel longest-idle-time; Genesys all-skills-matching; Twilio's and AWS Connect's own order)
//	round-robin      in turn by place, remembered over calls: when turns should be visibly fair. (rrmemory, rrordered, round_robin)
//	least-occupied   least of its capacity taken, then least time at work since login: for chats, and part-time agents. (ucd-loa)
//	least-talk-time  least time in conversation. (agent-with-least-talk-time)
//	fewest-calls     answered least since the log began, then longest idle. (fewestcalls, agent-with-fewest-calls)
//	top-down         the first free of Members: an escalation list. (FreeSWITCH top-down, sequentially-by-agent-order)
//	sequential       as top-down, but a caller somebody did not take goes on below that agent. (Asterisk linear)
//	random           evenly, from the seed in the log: when nobody should foresee who is next
//	weighted-random  by Queue.Weights: to give newcomers a part of the load. (Asterisk wrandom)
//	best-skill       highest levels in what the work needs, then longest idle: quality first. (Genesys best-available-skills)
//	least-skill      lowest levels that suffice, then longest idle: keeps experts free
//	ring-all         all at once, the first to accept has it: small teams that sit together. (ringall; Twilio multi-reservation)
//	manual           nobody: agents pick by hand (Webitel manual distribution)
//
// Who is a candidate at all is narrowed before: by [Terms].Needs and [Queue].Needs (skills with levels), by Queue.Tiers (lower first;
// Asterisk's penalty, FreeSWITCH's tier level), by Terms.Prefer and the customer's last agent, and by Terms.Human, which keeps bots
// away. Queue.Rings widen the circle at exact times (Genesys bullseye, AWS Connect routing steps, Asterisk queuerules). How much an
// agent does at once is [Channel] and [Agent].Slots: with a call that takes all of three slots and a chat that takes one, one call or
// three chats, and a call may interrupt chats if the channel says so.
//
// # Choosing the work
//
// In one queue, higher priority goes first and of equals who came first; with Queue.Ageing a wait counts as priority, so that nobody
// starves. Terms.HeadStart and Terms.KeepClock move a work's clock. An agent who serves several queues chooses among their first works by
// [Rules].Fairness: priority, age, or nearness to the service target, each with Queue.Weight.
//
// # Waiting
//
// A queue gives a work back to self-service, with a reason: MaxWaiting, MaxWait, nobody logged in or ready (NoAgents), a rule of
// Overflow (length, estimate, wait, time of the week), or a key of ExitKeys. A rule that names another queue sends the work there with
// its clock kept. Callers may hang up and be called back: the work stays the same, in its place; the agent is found first and the
// customer dialled then.
//
// # Why
//
// Every offer carries a [Why], a few figures that cost nothing. [Explain] says on demand, for any event of a log, who the candidates were,
// how they scored, and why every other member was not one. [Replay] decides a log again; [WhatIf] does under changed rules.
//
// # Cost
//
// Free members are indexed by skill profile. A choice looks at the heads of the profiles that match and grows with their number, and with
// the number of agents only as a heap or a tree does. [Core.MarshalState] and a [StateKeeper] make a start independent of the log's length.
//
// # Security
//
// Every supervisor verb asks [Authorizer] first and is recorded through [Auditor]; if either fails, the verb does not happen.
// Waiting works, open works and the backlog of the log are bounded. Ids and attributes are data: acd logs ids, never attributes.
// One Center serves one tenant; its store must be that tenant's.
//
// # Goroutines
//
// [Center.Run] starts two goroutines (timers, log) and one per outstanding offer or dialling, and waits for all of them before it returns. A
// waiting work costs none. Core has no goroutine and is not safe for concurrent use; Center is.
//
// # Importing alone
//
// acd imports only the standard library. It knows works, queues and agents by id; it does not know calls, chats, tenants or SQL.
package acd
