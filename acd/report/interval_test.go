package report_test

import (
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func zone(t testing.TB, name string) *time.Location {
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		name, zone, at string
		length         time.Duration
		from, to       string
	}{
		{"quarter", "Europe/Berlin", "2026-11-22T09:14:59+01:00", 15 * time.Minute, "2026-11-22T09:00:00+01:00", "2026-11-22T09:15:00+01:00"},
		{"a bound belongs to what begins", "Europe/Berlin", "2026-11-22T09:15:00+01:00", 15 * time.Minute, "2026-11-22T09:15:00+01:00", "2026-11-22T09:30:00+01:00"},
		{"the hour that comes twice, first", "Europe/Berlin", "2026-10-25T02:30:00+02:00", time.Hour, "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"},
		{"the hour that comes twice, again", "Europe/Berlin", "2026-10-25T02:30:00+01:00", time.Hour, "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"},
		{"before the hour that is missing", "Europe/Berlin", "2026-03-29T01:59:59+01:00", time.Hour, "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"},
		{"after it", "Europe/Berlin", "2026-03-29T03:10:00+02:00", time.Hour, "2026-03-29T03:00:00+02:00", "2026-03-29T04:00:00+02:00"},
		{"a zone off the hour", "Asia/Kathmandu", "2026-11-22T09:20:00+05:45", time.Hour, "2026-11-22T09:00:00+05:45", "2026-11-22T10:00:00+05:45"},
		{"clocks go back by half an hour, before", "Australia/Lord_Howe", "2026-04-05T01:45:00+11:00", time.Hour, "2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30"},
		{"and after", "Australia/Lord_Howe", "2026-04-05T01:45:00+10:30", time.Hour, "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			from, to := report.Bucket(at, c.length, zone(t, c.zone))
			require.Equal(t, []string{c.from, c.to}, []string{from.Format(time.RFC3339), to.Format(time.RFC3339)})
		})
	}
}

// Buckets lie side by side in every zone, over every change of clocks, and never last longer than they say.
func TestBucketsLeaveNoGap(t *testing.T) {
	names := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo"}
	rapid.Check(t, func(rt *rapid.T) {
		z := zone(t, rapid.SampledFrom(names).Draw(rt, "zone"))
		length := rapid.SampledFrom([]time.Duration{15, 30, 60, 240}).Draw(rt, "length") * time.Minute
		at := time.Unix(rapid.Int64Range(1_700_000_000, 1_900_000_000).Draw(rt, "at"), 0)
		from, to := report.Bucket(at, length, z)
		if at.Before(from) || !at.Before(to) || to.Sub(from) > length {
			rt.Fatalf("%v is not in %v to %v", at, from, to)
		}
		next, _ := report.Bucket(to, length, z)
		again, _ := report.Bucket(to.Add(-1), length, z)
		if !next.Equal(to) || !again.Equal(from) {
			rt.Fatalf("after %v comes %v, not %v; before it began %v, not %v", from, next, to, again, from)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	at := time.Unix(0, 0)
	for name, cfg := range map[string]report.Config{
		"too short":            {Interval: time.Second},
		"does not divide":      {Interval: 7 * time.Hour},
		"negative":             {Interval: -time.Hour},
		"tolerance":            {Tolerance: -1},
		"shift of nobody":      {Schedule: []report.Shift{{From: at, To: at.Add(1)}}},
		"shift without length": {Schedule: []report.Shift{{Agent: "a", From: at, To: at}}},
		"overlap":              {Schedule: []report.Shift{{Agent: "a", From: at, To: at.Add(9)}, {Agent: "a", From: at.Add(8), To: at.Add(12)}}},
	} {
		_, err := report.NewTally(cfg)
		require.ErrorIs(t, err, acd.ErrConfig, name)
	}
}

// Intervals that nobody was in leave no trace, only so many are kept, and whoever wants all is told.
func TestIntervalsAreBounded(t *testing.T) {
	log, end := day()
	var told []report.Interval
	tally, err := report.NewTally(report.Config{Interval: time.Minute, Keep: 2, OnInterval: func(iv report.Interval) { told = append(told, iv) }})
	require.NoError(t, err)
	_, ok := tally.Running(end)
	require.False(t, ok)
	tally.Advance(end)
	require.NoError(t, tally.Read(seq(log, nil)))
	tally.Advance(end.Add(time.Hour))
	require.Len(t, told, 62, "an agent talks on")
	require.Equal(t, told[60:], tally.Intervals())
	require.Equal(t, 6, told[0].Arrived)
	require.Equal(t, 3, told[0].All.Entered)
	require.Equal(t, 60*time.Second, told[30].Staff.Talking)
	running, ok := tally.Running(end.Add(24 * time.Hour))
	require.True(t, ok)
	require.Equal(t, running.To, running.At, "never beyond its end")
	sum := report.Totals{}
	for _, iv := range append(told, running) {
		sum.Arrived += iv.Arrived
		sum.Answered += iv.Answered
	}
	require.Equal(t, report.Totals{Arrived: 7, Answered: 2}, sum)
}
