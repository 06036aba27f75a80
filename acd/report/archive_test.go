package report_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/acdtest"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMemCounters(t *testing.T) {
	stores := map[string]*report.MemCounters{}
	acdtest.TestCounterStore(t, func(_ *testing.T, name string) report.CounterStore {
		if stores[name] == nil {
			stores[name] = &report.MemCounters{}
		}
		return stores[name]
	})
}

// PSE-02, word for word: a schema without identifiers, no bucket below the least group, and counters that outlive their sources unchanged.
func TestCountersOutliveTheirSources(t *testing.T) {
	// No field could hold an identifier: the only text is the queue's name, the only times are the period's.
	typ := reflect.TypeFor[report.Counters]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		switch f.Type.Kind() {
		case reflect.Int, reflect.Int64:
		case reflect.String:
			require.Equal(t, "Queue", f.Name)
		case reflect.Struct:
			require.Contains(t, []string{"From", "To"}, f.Name)
		default:
			t.Errorf("a counter of kind %v: %s", f.Type, f.Name)
		}
	}
	// A log is counted, deleted, and gone; what the archive keeps and tells stays the same, word for word.
	store, counters := &acd.MemStore{}, &report.MemCounters{}
	c := newCenter(seeded(11))
	c.start(true, false)
	for range 3000 {
		c.turn()
	}
	require.NoError(t, store.Append(t.Context(), c.log))
	archive, err := report.NewArchive(report.ArchiveConfig{Period: report.Hour, MinAgents: 1})
	require.NoError(t, err)
	tally, err := report.NewTally(report.Config{Interval: 15 * time.Minute, Keep: -1, OnInterval: func(iv report.Interval) { require.NoError(t, archive.Add(iv)) }})
	require.NoError(t, err)
	require.NoError(t, tally.Read(store.Load(t.Context(), 0)))
	tally.Advance(c.now.Add(time.Hour))
	require.NoError(t, archive.Save(t.Context(), counters))
	before, err := json.Marshal(archive.State())
	require.NoError(t, err)
	told, err := json.Marshal(archive.Read(c.now.Add(2 * time.Hour)))
	require.NoError(t, err)
	require.Contains(t, string(told), `"suppressed":true`)
	for _, id := range append(c.works, c.rules.Agents[0].ID, "caller", "agent0") {
		require.NotContains(t, string(before), `"`+id, "an identifier in the counters")
	}

	store, tally, c.log, c.entries = nil, nil, nil, nil // deleted
	again, err := report.NewArchive(report.ArchiveConfig{Period: report.Hour, MinAgents: 1})
	require.NoError(t, err)
	require.NoError(t, again.Load(t.Context(), counters))
	after, err := json.Marshal(again.State())
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
	toldAgain, err := json.Marshal(again.Read(c.now.Add(2 * time.Hour)))
	require.NoError(t, err)
	require.Equal(t, string(told), string(toldAgain))
	noSmallGroup(t, again.State().Counters, again.Read(c.now.Add(2*time.Hour)), 10, 1)
	control.Proves(t, "PSE-02")
}

// noSmallGroup plays the attacker: it looks at every line, and subtracts what is shown from the total.
func noSmallGroup(t fataler, kept []report.Counters, read []report.Summary, k, agents int) {
	t.Helper()
	people := func(c report.Counters) int { return max(c.Contacts, c.Answered+c.Abandoned) }
	small := func(n, a int) bool { return n < k || a > 0 && a < agents }
	for _, s := range read {
		truth := map[string]report.Counters{}
		for _, c := range kept {
			if c.From.Equal(s.Total.From) {
				truth[c.Queue] = c
			}
		}
		rest, hidden, most := 0, 0, 0
		times := map[string]int{}  // contacts behind what the total tells beyond the lines, by sum of times
		whoMax := map[string]int{} // and agents
		for _, l := range s.Queues {
			c := truth[l.Queue]
			if l.Suppressed {
				if l.Counters != (report.Counters{From: l.From, To: l.To, Queue: l.Queue}) {
					t.Fatalf("a suppressed line tells %+v", l)
				}
				hidden, rest, most = hidden+1, rest+people(c), max(most, c.Agents)
			} else if small(people(c), c.Agents) {
				t.Fatalf("%d contacts and %d agents of %q can be seen", people(c), c.Agents, l.Queue)
			}
			for name, n := range map[string]int{"TotalAnswer": c.Answered - c.CallbacksKept, "TotalAbandon": c.Abandoned - c.CallbacksLost,
				"TotalOverflow": c.Overflowed - c.CallbacksRemoved, "TalkTime": c.Handled, "WrapUpTime": c.Handled} {
				shown := !l.Suppressed && !contains(l.Withheld, name)
				byAgents := name == "TalkTime" || name == "WrapUpTime"
				if shown && n > 0 && (n < k || byAgents && small(n, c.Agents)) {
					t.Fatalf("%s of %d contacts in %q can be seen", name, n, l.Queue)
				}
				if !shown && n > 0 {
					times[name] += n
					if byAgents {
						whoMax[name] = max(whoMax[name], c.Agents)
					}
				}
			}
		}
		if s.Total.Suppressed {
			continue
		}
		if hidden > 0 && small(rest, most) {
			t.Fatalf("the total minus the lines tells about %d contacts, %d agents", rest, most)
		}
		for name, n := range times {
			if !contains(s.Total.Withheld, name) && small(n, whoMax[name]) {
				t.Fatalf("%s: the total minus the lines tells about %d contacts", name, n)
			}
		}
	}
}

func contains(list []string, s string) bool {
	return strings.Contains(" "+strings.Join(list, " ")+" ", " "+s+" ")
}

func TestNoSmallGroupEver(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		k, agents := rapid.IntRange(2, 12).Draw(rt, "k"), rapid.IntRange(1, 4).Draw(rt, "agents")
		a, err := report.NewArchive(report.ArchiveConfig{MinGroup: k, MinAgents: agents})
		require.NoError(t, err)
		var in []report.Counters
		for i := range rapid.IntRange(1, 7).Draw(rt, "queues") {
			n := func(what string) int {
				return rapid.OneOf(rapid.IntRange(0, 3), rapid.IntRange(0, 40)).Draw(rt, what)
			}
			c := report.Counters{From: from, To: from.AddDate(0, 1, 0), Queue: string(rune('a' + i)), Answered: n("answered"), Abandoned: n("abandoned"), Overflowed: n("overflowed")}
			c.Contacts = n("contacts")
			if c.Handled = min(c.Answered, n("handled")); c.Answered > 0 {
				c.Agents = rapid.IntRange(1, 6).Draw(rt, "who")
			}
			c.TotalAnswer, c.TotalAbandon, c.TotalOverflow, c.TalkTime, c.WrapUpTime = 1, 1, 1, 1, 1
			in = append(in, c)
		}
		if err := a.Merge(in); err != nil {
			rt.Fatal(err)
		}
		noSmallGroup(rt, a.State().Counters, a.Read(from.AddDate(0, 1, 0)), k, agents)
	})
}

// A large center does not lose its figures to the rule.
func TestLargeGroupsAreShown(t *testing.T) {
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	line := func(queue string, n, agents int) report.Counters {
		return report.Counters{From: from, To: from.AddDate(0, 1, 0), Queue: queue, Entered: n, Contacts: n, Answered: n, InTarget: n / 2, Handled: n, Agents: agents,
			TotalAnswer: time.Duration(n) * time.Second}
	}
	a, err := report.NewArchive(report.ArchiveConfig{})
	require.NoError(t, err)
	require.NoError(t, a.Merge([]report.Counters{line("big", 1000, 20), line("bigger", 2000, 30), line("medium", 50, 5), line("tiny", 2, 1)}))
	require.Empty(t, a.Read(from.AddDate(0, 1, 0).Add(-1)), "a period that goes on is not read out")
	read := a.Read(from.AddDate(0, 1, 0))
	require.Len(t, read, 1)
	shown := map[string]bool{}
	for _, l := range read[0].Queues {
		shown[l.Queue] = !l.Suppressed
	}
	require.Equal(t, map[string]bool{"big": true, "bigger": true, "medium": false, "tiny": false}, shown, "medium hides tiny")
	require.Equal(t, 3052, read[0].Total.Entered)
	asa, ok := read[0].Total.Waits().ASA()
	require.True(t, ok)
	require.Equal(t, time.Second, asa)
}

func TestArchiveTakesNothingTwice(t *testing.T) {
	log, end := day()
	a, err := report.NewArchive(report.ArchiveConfig{Period: report.Hour})
	require.NoError(t, err)
	feed := func() (errs error) {
		tally, err := report.NewTally(report.Config{Interval: time.Hour, OnInterval: func(iv report.Interval) { errs = errors.Join(errs, a.Add(iv)) }})
		require.NoError(t, err)
		require.NoError(t, tally.Read(seq(log, nil)))
		tally.Advance(end.Add(time.Hour))
		return errs
	}
	require.NoError(t, feed())
	first := a.State()
	require.Len(t, first.Counters, 1)
	require.Equal(t, 6, first.Counters[0].Entered)
	require.NoError(t, feed(), "a restart reads the log again")
	require.Equal(t, first, a.State())

	other, err := report.NewArchive(report.ArchiveConfig{Period: report.Hour})
	require.NoError(t, err)
	require.NoError(t, other.Merge(first.Counters))
	require.NoError(t, other.Merge(first.Counters))
	require.Equal(t, 12, other.State().Counters[0].Entered)
	other.Read(end.Add(24 * time.Hour))
	require.ErrorIs(t, other.Merge(first.Counters), report.ErrSettled)
	iv := report.Interval{From: end.Add(time.Hour).Truncate(time.Hour)}
	iv.To = iv.From.Add(time.Hour)
	require.ErrorIs(t, other.Add(iv), report.ErrSettled)
	wrong := first.Counters[0]
	wrong.From = wrong.From.Add(time.Minute)
	require.ErrorIs(t, a.Merge([]report.Counters{wrong}), acd.ErrInvalid, "finer than it may be")
	iv = report.Interval{From: end.Add(5 * time.Hour), To: end.Add(9 * time.Hour)}
	require.ErrorIs(t, a.Add(iv), acd.ErrInvalid, "longer than a period")
	for _, cfg := range []report.ArchiveConfig{{Period: 9}, {MinGroup: 1}, {MinGroup: -1}, {MinAgents: -1}} {
		_, err := report.NewArchive(cfg)
		require.ErrorIs(t, err, acd.ErrConfig)
	}
}

// Periods follow the clocks of the zone, a day is as long as it is, and whatever is not asked for is a month.
func TestPeriods(t *testing.T) {
	cairo := zone(t, "Africa/Cairo") // sets its clocks forward at midnight
	for _, c := range []struct {
		period   report.Period
		zone     *time.Location
		at       time.Time
		from, to string
	}{
		{report.Month, time.UTC, time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"},
		{report.Week, berlin(t), time.Date(2026, 10, 25, 22, 0, 0, 0, time.UTC), "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
		{report.Day, berlin(t), time.Date(2026, 10, 25, 22, 0, 0, 0, time.UTC), "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"},
		{report.Day, cairo, time.Date(2026, 4, 24, 1, 30, 0, 0, cairo), "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		{report.Day, cairo, time.Date(2026, 4, 23, 23, 30, 0, 0, cairo), "2026-04-23T00:00:00+02:00", "2026-04-24T01:00:00+03:00"},
	} {
		a, err := report.NewArchive(report.ArchiveConfig{Period: c.period, Zone: c.zone})
		require.NoError(t, err)
		iv := report.Interval{From: c.at, To: c.at.Add(time.Minute)}
		iv.Queues = map[string]report.Waits{"q": {Entered: 1}}
		require.NoError(t, a.Add(iv))
		got := a.State().Counters[0]
		require.Equal(t, []string{c.from, c.to}, []string{got.From.Format(time.RFC3339), got.To.Format(time.RFC3339)})
	}
}

// What a store cannot give or take is an error and changes nothing.
func TestArchiveWithoutStore(t *testing.T) {
	a, err := report.NewArchive(report.ArchiveConfig{})
	require.NoError(t, err)
	from := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, a.Merge([]report.Counters{{From: from, To: from.AddDate(0, 1, 0), Queue: "q", Entered: 1}}))
	before := a.State()
	require.Error(t, a.Load(cancelled(t), &report.MemCounters{}))
	require.Error(t, a.Save(cancelled(t), &report.MemCounters{}))
	require.Equal(t, before, a.State())
}
