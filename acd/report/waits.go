package report

import "time"

// Waits are the counts about waits in queues: of one queue, one channel or all of them, from the beginning or in one interval. All but the
// four that say otherwise are additive. The key figures are computed from them and nothing else.
//
// A wait belongs to the interval in which it ends, a conversation and a wrap-up likewise: an interval that is over never changes.
type Waits struct {
	Entered           int // waits begun
	Contacts          int // of Entered, those of works that had not been in this queue before: so many different contacts
	Answered          int // waits that ended with an agent, callbacks included
	Abandoned         int // waits during which the work ended, callbacks included
	ShortAbandoned    int // of Abandoned, those shorter than the queue's ShortAbandon
	AbandonedInTarget int // of Abandoned, those within the queue's ServiceTarget
	Overflowed        int // waits that the queue gave up: full, nobody there, too long, the caller left it
	Waiting           int // waits going on, those being offered and callbacks included; not additive over time
	InTarget          int // of Answered, those within the queue's ServiceTarget

	// Times are those of callers on the line: waits that became callbacks are in none of them.
	TotalAnswer   time.Duration // sum of the waits that were answered
	TotalAbandon  time.Duration // sum of the waits that were abandoned
	TotalOverflow time.Duration // sum of the waits that overflowed
	LongestWait   time.Duration // the longest wait of all, those going on included; of sums the largest part
	CurrentWait   time.Duration // the longest of the waits going on; of sums the largest part

	AnsweredWithin  Histogram // waits that were answered, by length
	AbandonedWithin Histogram // waits that were abandoned, by length

	Offers   int // offers made
	NoAnswer int // offers that rang out (RONA)
	Rejected int // offers refused, or to an agent who could not be reached

	Handled    int           // conversations that ended
	TalkTime   time.Duration // from answer to end of those; acd knows no hold, so hold is in it
	WrapUpTime time.Duration // wrap-ups that ended, of works of this queue; while an agent talks to somebody else, no wrap-up shows

	Requeued  int // of Entered, those of works that had been in a queue before
	Transfers int // works that entered their first queue and continue another work (Config.TransferAttribute)

	CallbacksRequested int // waits that became callbacks
	CallbackAttempts   int // customers dialled
	CallbacksUnreached int // of the attempts, those that failed
	CallbacksKept      int // of Answered: the customer was reached
	CallbacksLost      int // of Abandoned: given up, expired or withdrawn
	CallbacksRemoved   int // of Overflowed: new rules no longer have the queue

	Promises      int           // answered works that had been given an estimate (Queue.KeepEstimate)
	PromiseExcess time.Duration // sum of promised minus actual wait; negative if waits were longer than promised
	PromiseError  time.Duration // sum of the absolute differences
	PromisesKept  int           // of Promises, those with a difference of at most Config.Tolerance

	HumanOnly  int // of Entered, those that bots were not to have (Terms.Human)
	BotOffers  int // of Offers, those to bots: decided with no person on either side
	BotAnswers int // of Answered, those by bots

	Agents int // different agents who answered, in an interval or, without intervals, ever; of sums the largest part, so at least so many
}

// Bounds are the upper bounds of a Histogram's buckets but the last, which has none. A wait of exactly a bound is in the bucket it ends.
// They never change: histograms of different times can be compared and added.
func Bounds() []time.Duration { return append([]time.Duration(nil), bounds[:]...) }

var bounds = [...]time.Duration{5e9, 10e9, 15e9, 20e9, 30e9, 45e9, 60e9, 90e9, 120e9, 180e9, 300e9, 600e9}

// Histogram counts waits by length, in the buckets that Bounds gives.
type Histogram [len(bounds) + 1]int

func (h *Histogram) count(d time.Duration) {
	for i := range bounds {
		if d <= bounds[i] {
			h[i]++
			return
		}
	}
	h[len(bounds)]++
}

// add adds o, gauges included.
func (w *Waits) add(o *Waits) {
	w.Entered += o.Entered
	w.Contacts += o.Contacts
	w.Answered += o.Answered
	w.Abandoned += o.Abandoned
	w.ShortAbandoned += o.ShortAbandoned
	w.AbandonedInTarget += o.AbandonedInTarget
	w.Overflowed += o.Overflowed
	w.Waiting += o.Waiting
	w.InTarget += o.InTarget
	w.TotalAnswer += o.TotalAnswer
	w.TotalAbandon += o.TotalAbandon
	w.TotalOverflow += o.TotalOverflow
	w.LongestWait = max(w.LongestWait, o.LongestWait)
	w.CurrentWait = max(w.CurrentWait, o.CurrentWait)
	for i := range w.AnsweredWithin {
		w.AnsweredWithin[i] += o.AnsweredWithin[i]
		w.AbandonedWithin[i] += o.AbandonedWithin[i]
	}
	w.Offers += o.Offers
	w.NoAnswer += o.NoAnswer
	w.Rejected += o.Rejected
	w.Handled += o.Handled
	w.TalkTime += o.TalkTime
	w.WrapUpTime += o.WrapUpTime
	w.Requeued += o.Requeued
	w.Transfers += o.Transfers
	w.CallbacksRequested += o.CallbacksRequested
	w.CallbackAttempts += o.CallbackAttempts
	w.CallbacksUnreached += o.CallbacksUnreached
	w.CallbacksKept += o.CallbacksKept
	w.CallbacksLost += o.CallbacksLost
	w.CallbacksRemoved += o.CallbacksRemoved
	w.Promises += o.Promises
	w.PromiseExcess += o.PromiseExcess
	w.PromiseError += o.PromiseError
	w.PromisesKept += o.PromisesKept
	w.HumanOnly += o.HumanOnly
	w.BotOffers += o.BotOffers
	w.BotAnswers += o.BotAnswers
	w.Agents = max(w.Agents, o.Agents)
}

// answered, abandoned and overflowed are the fates of callers who stayed on the line.
func (w *Waits) answered() int   { return w.Answered - w.CallbacksKept }
func (w *Waits) abandoned() int  { return w.Abandoned - w.CallbacksLost }
func (w *Waits) overflowed() int { return w.Overflowed - w.CallbacksRemoved }
func (w *Waits) offered() int    { return w.answered() + w.abandoned() + w.overflowed() }

// ServiceLevel names a definition of the service level. They differ in what becomes of callers who give up. Callbacks are in none of
// them; they have figures of their own.
type ServiceLevel uint8

const (
	// LevelNotShort is the default: answered in target / (answered + abandoned - short abandoned). Genesys Cloud's when short abandons
	// are left out; RingCentral's with an abandon threshold.
	LevelNotShort ServiceLevel = iota
	// LevelAnswered is answered in target / answered: whoever gives up does not count. ICMI lists it and advises against it; Genesys
	// Cloud's when abandons are left out.
	LevelAnswered
	// LevelAll is answered in target / (answered + abandoned): whoever gives up was served badly. Cisco's "abandoned negative".
	LevelAll
	// LevelAfterTarget is answered in target / (answered + abandoned after the target): who gives up before gave no chance to meet it.
	// Cisco's "abandoned ignored", Bright Pattern's.
	LevelAfterTarget
	// LevelOffered is (answered + abandoned in target) / (answered + abandoned + overflowed): whoever left the queue in time, whichever
	// way, counts as good, and whoever was sent away as bad. Cisco's "abandoned positive", the first of ICMI's list;
	// Amazon Connect's counts a request for a callback as good besides.
	LevelOffered
	numLevels
)

var levelNames = [numLevels]string{"service_level", "service_level_answered", "service_level_all", "service_level_after_target", "service_level_offered"}

// ServiceLevels lists all definitions, the default first.
func ServiceLevels() []ServiceLevel {
	return []ServiceLevel{LevelNotShort, LevelAnswered, LevelAll, LevelAfterTarget, LevelOffered}
}

// String returns the name of the key figure, such as "service_level_all".
func (l ServiceLevel) String() string {
	if l < numLevels {
		return levelNames[l]
	}
	return "invalid"
}

// ServiceLevel returns the service level by the default definition; ok is false if there is nothing to divide by.
func (w Waits) ServiceLevel() (level float64, ok bool) { return w.ServiceLevelBy(LevelNotShort) }

// ServiceLevelBy returns the service level by a definition; ok is false if there is nothing to divide by, or no such definition.
func (w Waits) ServiceLevelBy(l ServiceLevel) (level float64, ok bool) {
	good, all := w.InTarget, w.answered()
	switch l {
	case LevelNotShort:
		all += w.abandoned() - w.ShortAbandoned
	case LevelAnswered:
	case LevelAll:
		all += w.abandoned()
	case LevelAfterTarget:
		all += w.abandoned() - w.AbandonedInTarget
	case LevelOffered:
		good, all = good+w.AbandonedInTarget, w.offered()
	default:
		return 0, false
	}
	return ratio(good, all)
}

// ASA returns the average speed of answer; ok is false if nothing was answered.
func (w Waits) ASA() (asa time.Duration, ok bool) { return mean(w.TotalAnswer, w.answered()) }

// AHT returns the average handling time, conversation and wrap-up; ok is false if no conversation has ended.
func (w Waits) AHT() (aht time.Duration, ok bool) { return mean(w.TalkTime+w.WrapUpTime, w.Handled) }

// AverageWait returns the average wait whatever became of it; ok is false if no wait has ended.
func (w Waits) AverageWait() (wait time.Duration, ok bool) {
	return mean(w.TotalAnswer+w.TotalAbandon+w.TotalOverflow, w.offered())
}

// AverageAbandon returns the average wait of those who gave up; ok is false if nobody did.
func (w Waits) AverageAbandon() (wait time.Duration, ok bool) {
	return mean(w.TotalAbandon, w.abandoned())
}

// AbandonmentRate returns the share of waits that were abandoned; ok is false if no wait has ended.
func (w Waits) AbandonmentRate() (rate float64, ok bool) { return ratio(w.abandoned(), w.offered()) }

func ratio(part, all int) (float64, bool) {
	if all <= 0 {
		return 0, false
	}
	return float64(part) / float64(all), true
}

func share(part, all time.Duration) (float64, bool) {
	if all <= 0 {
		return 0, false
	}
	return float64(part) / float64(all), true
}

func mean(sum time.Duration, n int) (time.Duration, bool) {
	if n <= 0 {
		return 0, false
	}
	return sum / time.Duration(n), true
}
