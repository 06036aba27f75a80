// Package report computes a contact center's key figures from acd's event log. The definitions are code: the live wallboard and the
// historical report run the same [Tally] over the same entries, so they cannot disagree.
//
// Feed a Tally from acd.Config.Observer for a wallboard, or from a stored log with [FromLog] or [Tally.Read]. [Tally.Report] gives the figures since
// the beginning: of all, of each queue and of each channel, and how many agents are in each state. [Config].Interval adds figures of each
// quarter, half or whole hour ([Bucket]). [WriteCSV], [WriteJSON] and [WriteText] write them.
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
// A wait runs from entering the queue to the answer, and counts when and where it ends, by the rules in force then. A wait that became a
// callback is nobody's time on the line: it is in the counts, but in no service level and no time. A [KPI] is a definition that runs, and this is what
// [KPIs] lists: name, definition, formula over the fields of [Waits] and [Staff], then unit, source (decisions and events of the log) and
// what there is if there is nothing to divide by. In formulas answered, abandoned and overflowed are the fields without callbacks.
//
//	service_level                share of callers answered in target, those who gave up at once left out
//	    = InTarget / (answered + abandoned - ShortAbandoned)  [ratio; answered, ended; none: no wait was answered or abandoned]
//	service_level_answered       share of answered callers who were answered in target
//	    = InTarget / answered  [ratio; answered, ended; none: nothing was answered]
//	service_level_all            share of callers answered in target, whoever gave up served badly
//	    = InTarget / (answered + abandoned)  [ratio; answered, ended; none: no wait was answered or abandoned]
//	service_level_after_target   share of callers answered in target, those who gave up before it left out
//	    = InTarget / (answered + abandoned - AbandonedInTarget)  [ratio; answered, ended; none: no wait was answered or abandoned]
//	service_level_offered        share of callers who left the queue in target by an answer or by giving up
//	    = (InTarget + AbandonedInTarget) / (answered + abandoned + overflowed)  [ratio; answered, ended; none: no wait has ended]
//	asa                          average speed of answer: mean wait of answered callers
//	    = TotalAnswer / answered  [seconds; answered; none: nothing was answered]
//	awt                          average wait, whatever became of it
//	    = (TotalAnswer + TotalAbandon + TotalOverflow) / (answered + abandoned + overflowed)  [seconds; answered, overflow, ended; none: no wait has ended]
//	awt_abandoned                average wait of those who gave up
//	    = TotalAbandon / abandoned  [seconds; ended; none: nobody gave up]
//	longest_wait                 longest wait, those going on included
//	    = LongestWait  [seconds; enqueued, answered, overflow, ended; 0]
//	aht                          average handling time: conversation, hold included, and wrap-up
//	    = (TalkTime + WrapUpTime) / Handled  [seconds; answered, ended, state; none: no conversation has ended]
//	att                          average talk time: answer to end, hold included
//	    = TalkTime / Handled  [seconds; answered, ended; none: no conversation has ended]
//	acw                          average wrap-up
//	    = WrapUpTime / Handled  [seconds; state; none: no conversation has ended]
//	abandonment_rate             share of waits that were given up
//	    = abandoned / (answered + abandoned + overflowed)  [ratio; ended; none: no wait has ended]
//	abandonment_rate_net         the same, short abandons left out of both
//	    = (abandoned - ShortAbandoned) / (answered + abandoned + overflowed - ShortAbandoned)  [ratio; ended; none: no wait has ended]
//	overflow_rate                share of waits that the queue gave up
//	    = overflowed / (answered + abandoned + overflowed)  [ratio; overflow; none: no wait has ended]
//	rona_rate                    share of offers that rang out
//	    = NoAnswer / Offers  [ratio; offer, revoke; none: nothing was offered]
//	requeue_rate                 share of entries by works that had been in a queue before
//	    = Requeued / Entered  [ratio; enqueued; none: nothing entered]
//	callback_kept_rate           share of callbacks that reached the customer, of those that are over
//	    = CallbacksKept / (CallbacksKept + CallbacksLost + CallbacksRemoved)  [ratio; callback, answered, ended; none: no callback is over]
//	ewt_within                   share of promised waits that came true within Config.Tolerance
//	    = PromisesKept / Promises  [ratio; ended; none: nothing was promised]
//	ewt_bias                     mean of promised minus actual wait; negative: waits were longer than promised
//	    = PromiseExcess / Promises  [seconds; ended; none: nothing was promised]
//	ewt_error                    mean absolute difference of promised and actual wait
//	    = PromiseError / Promises  [seconds; ended; none: nothing was promised]
//	occupancy                    share of work in the time at work or ready for it
//	    = (Talking + WrapUp) / (Talking + WrapUp + Ready + Reserved + Ringing)  [ratio; state; none: nobody was logged in]
//	utilisation                  share of work in the time logged in
//	    = (Talking + WrapUp) / (Talking + WrapUp + Ready + Reserved + Ringing + NotReady)  [ratio; state; none: nobody was logged in]
//	adherence                    share of planned time that was spent as planned
//	    = Adherent / Scheduled  [ratio; state, Config.Schedule; none: nothing was planned]
//	entered                      waits begun
//	    = Entered  [count; enqueued; 0]
//	answered                     waits that ended with an agent, callbacks included
//	    = Answered  [count; answered; 0]
//	abandoned                    waits that were given up, callbacks included
//	    = Abandoned  [count; ended; 0]
//	short_abandoned              waits given up before the queue's ShortAbandon
//	    = ShortAbandoned  [count; ended; 0]
//	overflowed                   waits that the queue gave up
//	    = Overflowed  [count; overflow; 0]
//	waiting                      waits going on
//	    = Waiting  [count; enqueued, answered, overflow, ended; 0]
//	rona                         offers that rang out
//	    = NoAnswer  [count; revoke; 0]
//	transfers                    works that continue another one
//	    = Transfers  [count; arrived, Config.TransferAttribute; 0]
//	callbacks                    waits that became callbacks
//	    = CallbacksRequested  [count; callback; 0]
//	callback_attempts            customers dialled
//	    = CallbackAttempts  [count; dial; 0]
//	callbacks_kept               callbacks that reached the customer
//	    = CallbacksKept  [count; answered; 0]
//	human_only                   entries that bots were not to have
//	    = HumanOnly  [count; enqueued (Terms.Human); 0]
//	bot_offers                   offers to bots
//	    = BotOffers  [count; offer, started (Agent.Bot); 0]
//	bot_answers                  answers by bots
//	    = BotAnswers  [count; answered, started (Agent.Bot); 0]
//
// The service levels differ in what becomes of callers who give up ([ServiceLevel] says who uses which); read side by side they show what each
// one hides. The target is the queue's ServiceTarget; a short abandon is a wait given up before the queue's ShortAbandon. Waits are also
// counted in a [Histogram] with bounds that never change. What acd does not know, nobody can count: hold is part of the conversation; a
// transfer is another work, recognised by an attribute if the application sets one; the wrap-up of an agent who has another conversation
// meanwhile does not show.
//
// # Counters
//
// [Archive] keeps mere [Counters] for periods, by default months, long after the log and its records are deleted. What it reads out tells about
// no group smaller than ArchiveConfig.MinGroup, not by subtraction either.
//
// # Security
//
// A Report, an Interval and an Archive hold counts and times, names of queues and channels, and no id of a work; agents are counted by state and
// not named. Figures of persons are kept only if [Config] has an Authorizer and an Auditor, and [Tally.Persons] asks both each time. Names in
// CSV files cannot become formulas. [Expiring] says which message bodies are to be erased.
//
// # Goroutines
//
// None. All types that count are safe for concurrent use.
//
// # Importing alone
//
// report imports acd and the standard library.
package report
