// Package sim answers "what if" about a contact center before anybody is hired or anything is changed: by formulas in microseconds, or by
// playing customers and agents against the real acd.Core in seconds per simulated year.
//
// # Formulas
//
// [ErlangB], [ErlangC] and [Traffic.With] describe one queue in its steady state with c equal agents, Poisson arrivals and exponential
// handling times. [Staff] turns them round: how many agents reach a [Goal], and which part of the goal decided it. [StaffDay] does so for the
// intervals of a day, [CheckSites] for sites of which any one may be lost.
//
//	Erlang B   no queue: who finds everybody busy is lost. Erlang 1917; recursion as in Jagerman 1974.
//	Erlang C   an unlimited queue in which nobody hangs up. Erlang 1917.
//	Erlang A   everybody hangs up after an exponential time. Palm 1957; Garnett, Mandelbaum, Reiman 2002. Computed by the density of
//	           the offered wait of Baccelli and Hebuterne 1981, as sums of positive terms.
//
// # Simulation
//
// [Run] and [Replicate] hand events to an acd.Core and do what its decisions say: an offer is answered after a while, an answer begins a
// conversation, an overflow leads to another queue or out. There is no shortcut around the core, so strategies, skills, channels, rings,
// fairness, wrap-up and time-outs are those of the real center, and its log of events can be observed, stored and replayed. Every decision is
// checked against what must be true before it, and the whole core from time to time.
//
// Simulated are arrivals at one rate, by a profile of day and week, or at given times ([Learn] takes them from a log); conversations, patience
// and ringing of any distribution; shifts and breaks; agents who let it ring out; a site that dies. Not simulated are what a
// customer decides otherwise (callbacks, exit keys, calling again), agents who refuse, and self-service before the queue.
//
// # Definitions
//
// A wait runs from entering the queue to the answer. Figures count waits by when they began, the service level as package report does:
// answered within the queue's ServiceTarget, divided by answered plus abandoned, where abandoned waits below ShortAbandon do not count. The
// formulas divide by all works; with ShortAbandon negative and no overflow the two are the same. A work waited if no agent was free when it
// entered, however long ringing takes. Occupancy is time being rung, talking and in wrap-up divided by that and the time ready.
//
// An [Estimate] is a figure with a confidence interval by the ratio estimator: over equal parts of one run (Run), for a center that is the
// same at all times, or over independent runs (Replicate), for any. The interval is of chance only: it does not know whether the
// assumptions are right, and whoever looks at twenty 95 % intervals sees one that misses.
//
// # When to trust which
//
// Erlang C is right on paper and pessimistic in practice, since people hang up; near full load the difference is everything. Erlang A is
// good for one queue, one skill, a rate that is steady for some handling times, and handling times that vary about as much as an
// exponential. Its answers change little if patience is not exponential but has the same mean near zero. Simulate if agents serve
// several queues, if works need skills, if queues overflow, if load changes within a handling time, if wrap-up is fixed and long, or
// if the tail matters. If formula and simulation disagree where the formula's assumptions hold, one of them is wrong: our tests hold each
// against the other.
//
// A simulation of a heavily loaded queue needs length: at 95 % occupancy the wait of one work tells of the next thousands. Look at the
// interval, not at the figure.
//
// # Security
//
// Everything is computation on data of the caller. Lengths, counts and rates are bounded; time and memory are not, beyond what they imply:
// do not let strangers choose a Config. A log that Learn read is reduced to times; ids and attributes are not kept.
//
// # Goroutines
//
// None. Functions may be called concurrently, also with the same Config; Config.Observe and a Dist of the caller's are then called
// concurrently too.
//
// # Importing alone
//
// sim imports acd and the standard library.
package sim
