package report_test

import (
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func berlin(t testing.TB) *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	return zone
}

func schedule() []report.Shift {
	var out []report.Shift
	for i, agent := range []string{"agent0", "agent1", "agent9"} { // the last one never comes
		begin := t0.Add(time.Duration(i*5-3) * time.Minute)
		out = append(out, report.Shift{Agent: agent, From: begin, To: begin.Add(12 * time.Minute)},
			report.Shift{Agent: agent, From: begin.Add(12 * time.Minute), To: begin.Add(15 * time.Minute), Away: true},
			report.Shift{Agent: agent, From: begin.Add(20 * time.Minute), To: begin.Add(50 * time.Minute)})
	}
	return out
}

// At every instant the wallboard, fed entry by entry, says what a history says that is counted from the stored log up to there.
func TestLiveEqualsHistoryAlways(t *testing.T) {
	cfg := report.Config{Interval: 15 * time.Minute, Zone: berlin(t), TransferAttribute: "continues", Schedule: schedule()}
	rapid.Check(t, func(t *rapid.T) {
		live, err := report.NewTally(cfg)
		require.NoError(t, err)
		c := newCenter(func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) })
		c.observe = append(c.observe, live.Observe, func(e acd.Entry) {
			history, err := report.NewTally(cfg)
			require.NoError(t, err)
			if err := history.Read(seq(c.log, nil)); err != nil {
				t.Fatal(err)
			}
			for _, now := range []time.Time{e.Event.At, e.Event.At.Add(7 * time.Second)} {
				same(t, live.Report(now), history.Report(now))
				l, ok := live.Running(now)
				h, ok2 := history.Running(now)
				same(t, ok, ok2)
				same(t, l, h)
			}
			same(t, live.Intervals(), history.Intervals())
		})
		c.start(true, false)
		for range rapid.IntRange(1, 60).Draw(t, "turns") {
			c.turn()
		}
	})
}

// A second computation that shares nothing with the first gives the same: over all, by queue, by channel, by interval, and every key figure.
func TestBruteForceSaysTheSame(t *testing.T) {
	zone, plan := berlin(t), schedule()
	cfg := report.Config{Interval: 15 * time.Minute, Zone: zone, TransferAttribute: "continues", Schedule: plan, Keep: 1000}
	check := func(t fataler, pick func(int, string) int, turns int) report.Waits {
		tally, err := report.NewTally(cfg)
		require.NoError(t, err)
		whole, err := report.NewTally(report.Config{TransferAttribute: "continues", Schedule: plan})
		require.NoError(t, err)
		c := newCenter(pick, tally.Observe, whole.Observe)
		c.start(true, false)
		for range turns {
			c.turn()
		}
		end := c.now.Add(20 * time.Minute)
		tally.Advance(end)
		b, lives := bruteForce(c.entries, end), alive(c.entries, end)
		ever := window{t0, end}
		compare(t, b, ever, whole.Report(end), plan, lives)
		for _, iv := range tally.Intervals() {
			compare(t, b, window{iv.From, iv.To}, iv.Report, plan, lives)
		}
		running, ok := tally.Running(end)
		require.True(t, ok)
		compare(t, b, window{running.From, end}, running.Report, plan, lives)
		return whole.Report(end).All
	}
	var sum reflect.Value
	for seed := range uint64(150) { // long ones, without shrinking
		w := check(t, seeded(seed), 300)
		if seed == 0 {
			sum = reflect.New(reflect.TypeFor[report.Waits]()).Elem()
		}
		for i := range sum.NumField() {
			if sum.Field(i).CanInt() {
				sum.Field(i).SetInt(sum.Field(i).Int() | reflect.ValueOf(w).Field(i).Int())
			}
		}
	}
	for i := range sum.NumField() {
		if sum.Field(i).CanInt() && sum.Field(i).IsZero() {
			t.Errorf("no center had any %s: the comparison proves nothing about it", sum.Type().Field(i).Name)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }, rapid.IntRange(1, 80).Draw(t, "turns"))
	})
}

type fataler interface {
	Helper()
	Errorf(string, ...any)
	FailNow()
	Fatalf(string, ...any)
}

func compare(t fataler, b *brute, w window, r report.Report, plan []report.Shift, lives []stretch) {
	t.Helper()
	totals := report.Totals{}
	for _, at := range b.arrivals {
		totals.Arrived += is(w.has(at))
	}
	for _, at := range b.answers {
		totals.Answered += is(w.has(at))
	}
	for _, rec := range b.records {
		if w.has(rec.EndedAt) {
			totals.Abandoned += is(rec.Outcome == acd.Abandoned)
			totals.Overflowed += is(rec.Outcome == acd.Overflowed)
			totals.IVREnded += is(rec.Outcome == acd.IVREnded)
		}
	}
	same(t, totals, r.Totals)
	all := b.figures(w, func(string, string) bool { return true })
	staff := b.staff(w, plan, lives)
	for name, got := range r.Queues {
		want := b.figures(w, func(q, _ string) bool { return q == name })
		same(t, want, got)
	}
	for name, got := range r.Channels {
		want := b.figures(w, func(_, ch string) bool { return ch == name })
		same(t, want, got)
	}
	same(t, all, r.All)
	same(t, staff, r.Staff)
	states := map[acd.AgentState]int{}
	for _, s := range b.states {
		if !s.from.After(w.to) && s.from.Before(w.to) && !s.to.Before(w.to) {
			states[s.state]++
		}
	}
	if w.to.Equal(b.end) {
		same(t, states, maps.Clone(r.Agents))
	}
	values := kpiByHand(all, staff)
	for _, k := range report.KPIs() {
		v, ok := k.Of(&report.Figures{Waits: r.All, Staff: r.Staff})
		want, known := values[k.Name]
		if !known || ok != (want != nil) || ok && math.Abs(v-*want) > 1e-8 {
			t.Fatalf("%s: %v %v, by hand %v", k.Name, v, ok, values[k.Name])
		}
	}
}

// kpiByHand writes each formula of the trade once more; nil: nothing to divide by.
func kpiByHand(w report.Waits, s report.Staff) map[string]*float64 {
	out := map[string]*float64{}
	put := func(name string, a, b float64) {
		if b == 0 {
			out[name] = nil
			return
		}
		v := a / b
		out[name] = &v
	}
	f := func(n int) float64 { return float64(n) }
	sec := func(d time.Duration) float64 { return d.Seconds() }
	ans, aban, over := f(w.Answered-w.CallbacksKept), f(w.Abandoned-w.CallbacksLost), f(w.Overflowed-w.CallbacksRemoved)
	put("service_level", f(w.InTarget), ans+aban-f(w.ShortAbandoned))
	put("service_level_answered", f(w.InTarget), ans)
	put("service_level_all", f(w.InTarget), ans+aban)
	put("service_level_after_target", f(w.InTarget), ans+aban-f(w.AbandonedInTarget))
	put("service_level_offered", f(w.InTarget+w.AbandonedInTarget), ans+aban+over)
	put("asa", sec(w.TotalAnswer), ans)
	put("awt", sec(w.TotalAnswer+w.TotalAbandon+w.TotalOverflow), ans+aban+over)
	put("awt_abandoned", sec(w.TotalAbandon), aban)
	put("longest_wait", sec(w.LongestWait), 1)
	put("aht", sec(w.TalkTime+w.WrapUpTime), f(w.Handled))
	put("att", sec(w.TalkTime), f(w.Handled))
	put("acw", sec(w.WrapUpTime), f(w.Handled))
	put("abandonment_rate", aban, ans+aban+over)
	put("abandonment_rate_net", aban-f(w.ShortAbandoned), ans+aban+over-f(w.ShortAbandoned))
	put("overflow_rate", over, ans+aban+over)
	put("rona_rate", f(w.NoAnswer), f(w.Offers))
	put("requeue_rate", f(w.Requeued), f(w.Entered))
	put("callback_kept_rate", f(w.CallbacksKept), f(w.CallbacksKept+w.CallbacksLost+w.CallbacksRemoved))
	put("ewt_within", f(w.PromisesKept), f(w.Promises))
	put("ewt_bias", sec(w.PromiseExcess), f(w.Promises))
	put("ewt_error", sec(w.PromiseError), f(w.Promises))
	busy := sec(s.Talking + s.WrapUp)
	put("occupancy", busy, busy+sec(s.Ready+s.Reserved+s.Ringing))
	put("utilisation", busy, busy+sec(s.Ready+s.Reserved+s.Ringing+s.NotReady))
	put("adherence", sec(s.Adherent), sec(s.Scheduled))
	for name, n := range map[string]int{"entered": w.Entered, "answered": w.Answered, "abandoned": w.Abandoned, "short_abandoned": w.ShortAbandoned,
		"overflowed": w.Overflowed, "waiting": w.Waiting, "rona": w.NoAnswer, "transfers": w.Transfers, "callbacks": w.CallbacksRequested,
		"callback_attempts": w.CallbackAttempts, "callbacks_kept": w.CallbacksKept, "human_only": w.HumanOnly, "bot_offers": w.BotOffers, "bot_answers": w.BotAnswers} {
		put(name, f(n), 1)
	}
	return out
}

func same(t fataler, want, got any) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("want %+v\n got %+v", want, got)
	}
}
