package report

import "time"

// Unit says what a value is.
type Unit string

// The units.
const (
	Count   Unit = "count"
	Seconds Unit = "seconds"
	Ratio   Unit = "ratio" // 1 is all of it
)

// Figures are what a key figure is computed from: the waits of a queue, a channel or all, and, for all only, the staff.
type Figures struct {
	Waits
	Staff
}

// KPI is one key figure as a definition that runs. The package comment lists them all.
type KPI struct {
	Name       string // such as "asa"; never changes its meaning
	Definition string // in a sentence
	Formula    string // over fields of Waits and Staff
	Unit       Unit
	Source     string // the decisions and events that the fields count
	Zero       string // what there is if there is nothing to divide by; empty for counts, which are 0 then
	// Of computes it; ok is false if there is nothing to divide by. It never gives NaN or infinity.
	Of func(*Figures) (value float64, ok bool)
}

// KPIs lists all key figures in the order of the package comment.
func KPIs() []KPI { return append([]KPI(nil), kpis...) }

// Lookup returns the key figures of the given names, in that order; ok is false if there is no such name.
func Lookup(names ...string) (out []KPI, ok bool) {
	for _, name := range names {
		found := false
		for i := range kpis {
			if kpis[i].Name == name {
				out, found = append(out, kpis[i]), true
			}
		}
		if !found {
			return nil, false
		}
	}
	return out, true
}

const (
	noneLeft = "none: no wait was answered or abandoned"
	noneWait = "none: no wait has ended"
	noneTime = "none: nobody was logged in"
)

// kpis is a constant in all but name. In formulas, answered, abandoned and overflowed are the fields without callbacks.
var kpis = []KPI{
	level(LevelNotShort, "share of callers answered in target, those who gave up at once left out",
		"InTarget / (answered + abandoned - ShortAbandoned)", noneLeft),
	level(LevelAnswered, "share of answered callers who were answered in target", "InTarget / answered", "none: nothing was answered"),
	level(LevelAll, "share of callers answered in target, whoever gave up served badly", "InTarget / (answered + abandoned)", noneLeft),
	level(LevelAfterTarget, "share of callers answered in target, those who gave up before it left out",
		"InTarget / (answered + abandoned - AbandonedInTarget)", noneLeft),
	level(LevelOffered, "share of callers who left the queue in target by an answer or by giving up",
		"(InTarget + AbandonedInTarget) / (answered + abandoned + overflowed)", noneWait),

	seconds("asa", "average speed of answer: mean wait of answered callers",
		"TotalAnswer / answered", "answered", "none: nothing was answered", Waits.ASA),
	seconds("awt", "average wait, whatever became of it",
		"(TotalAnswer + TotalAbandon + TotalOverflow) / (answered + abandoned + overflowed)", "answered, overflow, ended", noneWait, Waits.AverageWait),
	seconds("awt_abandoned", "average wait of those who gave up", "TotalAbandon / abandoned", "ended", "none: nobody gave up", Waits.AverageAbandon),
	seconds("longest_wait", "longest wait, those going on included", "LongestWait", "enqueued, answered, overflow, ended", "",
		func(w Waits) (time.Duration, bool) { return w.LongestWait, true }),
	seconds("aht", "average handling time: conversation, hold included, and wrap-up",
		"(TalkTime + WrapUpTime) / Handled", "answered, ended, state", "none: no conversation has ended", Waits.AHT),
	seconds("att", "average talk time: answer to end, hold included", "TalkTime / Handled", "answered, ended", "none: no conversation has ended",
		func(w Waits) (time.Duration, bool) { return mean(w.TalkTime, w.Handled) }),
	seconds("acw", "average wrap-up", "WrapUpTime / Handled", "state", "none: no conversation has ended",
		func(w Waits) (time.Duration, bool) { return mean(w.WrapUpTime, w.Handled) }),

	rate("abandonment_rate", "share of waits that were given up",
		"abandoned / (answered + abandoned + overflowed)", "ended", noneWait, Waits.AbandonmentRate),
	rate("abandonment_rate_net", "the same, short abandons left out of both",
		"(abandoned - ShortAbandoned) / (answered + abandoned + overflowed - ShortAbandoned)", "ended", noneWait,
		func(w Waits) (float64, bool) {
			return ratio(w.abandoned()-w.ShortAbandoned, w.offered()-w.ShortAbandoned)
		}),
	rate("overflow_rate", "share of waits that the queue gave up", "overflowed / (answered + abandoned + overflowed)", "overflow", noneWait,
		func(w Waits) (float64, bool) { return ratio(w.overflowed(), w.offered()) }),
	rate("rona_rate", "share of offers that rang out", "NoAnswer / Offers", "offer, revoke", "none: nothing was offered",
		func(w Waits) (float64, bool) { return ratio(w.NoAnswer, w.Offers) }),
	rate("requeue_rate", "share of entries by works that had been in a queue before", "Requeued / Entered", "enqueued", "none: nothing entered",
		func(w Waits) (float64, bool) { return ratio(w.Requeued, w.Entered) }),
	rate("callback_kept_rate", "share of callbacks that reached the customer, of those that are over",
		"CallbacksKept / (CallbacksKept + CallbacksLost + CallbacksRemoved)", "callback, answered, ended", "none: no callback is over",
		func(w Waits) (float64, bool) {
			return ratio(w.CallbacksKept, w.CallbacksKept+w.CallbacksLost+w.CallbacksRemoved)
		}),
	rate("ewt_within", "share of promised waits that came true within Config.Tolerance",
		"PromisesKept / Promises", "ended", "none: nothing was promised",
		func(w Waits) (float64, bool) { return ratio(w.PromisesKept, w.Promises) }),
	seconds("ewt_bias", "mean of promised minus actual wait; negative: waits were longer than promised",
		"PromiseExcess / Promises", "ended", "none: nothing was promised",
		func(w Waits) (time.Duration, bool) { return mean(w.PromiseExcess, w.Promises) }),
	seconds("ewt_error", "mean absolute difference of promised and actual wait", "PromiseError / Promises", "ended", "none: nothing was promised",
		func(w Waits) (time.Duration, bool) { return mean(w.PromiseError, w.Promises) }),

	staff("occupancy", "share of work in the time at work or ready for it",
		"(Talking + WrapUp) / (Talking + WrapUp + Ready + Reserved + Ringing)", "state", noneTime, Staff.Occupancy),
	staff("utilisation", "share of work in the time logged in",
		"(Talking + WrapUp) / (Talking + WrapUp + Ready + Reserved + Ringing + NotReady)", "state", noneTime, Staff.Utilisation),
	staff("adherence", "share of planned time that was spent as planned",
		"Adherent / Scheduled", "state, Config.Schedule", "none: nothing was planned", Staff.Adherence),

	count("entered", "waits begun", "Entered", "enqueued", func(w *Waits) int { return w.Entered }),
	count("answered", "waits that ended with an agent, callbacks included", "Answered", "answered", func(w *Waits) int { return w.Answered }),
	count("abandoned", "waits that were given up, callbacks included", "Abandoned", "ended", func(w *Waits) int { return w.Abandoned }),
	count("short_abandoned", "waits given up before the queue's ShortAbandon",
		"ShortAbandoned", "ended", func(w *Waits) int { return w.ShortAbandoned }),
	count("overflowed", "waits that the queue gave up", "Overflowed", "overflow", func(w *Waits) int { return w.Overflowed }),
	count("waiting", "waits going on", "Waiting", "enqueued, answered, overflow, ended", func(w *Waits) int { return w.Waiting }),
	count("rona", "offers that rang out", "NoAnswer", "revoke", func(w *Waits) int { return w.NoAnswer }),
	count("transfers", "works that continue another one", "Transfers", "arrived, Config.TransferAttribute", func(w *Waits) int { return w.Transfers }),
	count("callbacks", "waits that became callbacks", "CallbacksRequested", "callback", func(w *Waits) int { return w.CallbacksRequested }),
	count("callback_attempts", "customers dialled", "CallbackAttempts", "dial", func(w *Waits) int { return w.CallbackAttempts }),
	count("callbacks_kept", "callbacks that reached the customer", "CallbacksKept", "answered", func(w *Waits) int { return w.CallbacksKept }),
	count("human_only", "entries that bots were not to have", "HumanOnly", "enqueued (Terms.Human)", func(w *Waits) int { return w.HumanOnly }),
	count("bot_offers", "offers to bots", "BotOffers", "offer, started (Agent.Bot)", func(w *Waits) int { return w.BotOffers }),
	count("bot_answers", "answers by bots", "BotAnswers", "answered, started (Agent.Bot)", func(w *Waits) int { return w.BotAnswers }),
}

func level(l ServiceLevel, definition, formula, zero string) KPI {
	return KPI{l.String(), definition, formula, Ratio, "answered, ended", zero, func(f *Figures) (float64, bool) { return f.ServiceLevelBy(l) }}
}

func rate(name, definition, formula, source, zero string, of func(Waits) (float64, bool)) KPI {
	return KPI{name, definition, formula, Ratio, source, zero, func(f *Figures) (float64, bool) { return of(f.Waits) }}
}

func seconds(name, definition, formula, source, zero string, of func(Waits) (time.Duration, bool)) KPI {
	return KPI{name, definition, formula, Seconds, source, zero, func(f *Figures) (float64, bool) {
		d, ok := of(f.Waits)
		return d.Seconds(), ok
	}}
}

func staff(name, definition, formula, source, zero string, of func(Staff) (float64, bool)) KPI {
	return KPI{name, definition, formula, Ratio, source, zero, func(f *Figures) (float64, bool) { return of(f.Staff) }}
}

func count(name, definition, formula, source string, of func(*Waits) int) KPI {
	return KPI{name, definition, formula, Count, source, "", func(f *Figures) (float64, bool) { return float64(of(&f.Waits)), true }}
}
