package report_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

func cancelled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// desk is an Authorizer and Auditor that remembers.
type desk struct {
	deny, broken error
	asked, wrote []string
}

func (d *desk) Allow(_ context.Context, action, object string) error {
	d.asked = append(d.asked, action+" "+object)
	return d.deny
}

func (d *desk) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	d.wrote = append(d.wrote, action+" "+object)
	return d.broken
}

func TestPersonsNeedTheRight(t *testing.T) {
	log, end := day()
	d := &desk{}
	shift := report.Shift{Agent: "a", From: log[0].At, To: log[0].At.Add(40 * time.Second)}
	tally, err := report.NewTally(report.Config{Authorizer: d, Auditor: d, Schedule: []report.Shift{shift}})
	require.NoError(t, err)
	require.NoError(t, tally.Read(seq(log, nil)))
	got, err := tally.Persons(t.Context(), end)
	require.NoError(t, err)
	require.Equal(t, []report.Person{{Agent: "a", State: acd.Talking, Answered: 2, Handled: 1, NoAnswer: 1, Talk: 10 * time.Second,
		Staff: report.Staff{Reserved: 35 * time.Second, Talking: 109 * time.Second, NotReady: 5 * time.Second, Scheduled: 40 * time.Second, Adherent: 30 * time.Second}}}, got)
	require.Equal(t, []string{"acd.report.persons agents"}, d.wrote)
	require.Equal(t, d.wrote, d.asked)
	share, ok := tally.Report(end).Staff.Adherence()
	require.True(t, ok)
	require.InDelta(t, 0.75, share, 1e-12)

	d.deny = errors.New("no")
	_, err = tally.Persons(t.Context(), end)
	require.ErrorIs(t, err, acd.ErrDenied)
	require.ErrorIs(t, err, d.deny)
	require.Len(t, d.wrote, 1)
	d.deny, d.broken = nil, errors.New("full")
	got, err = tally.Persons(t.Context(), end)
	require.ErrorIs(t, err, acd.ErrDenied, "what cannot be recorded is not told")
	require.Empty(t, got)

	for _, cfg := range []report.Config{{}, {Authorizer: d}, {Auditor: d}} {
		tally, err := report.NewTally(cfg)
		require.NoError(t, err)
		_, err = tally.Persons(t.Context(), end)
		require.ErrorIs(t, err, acd.ErrDenied)
	}
}

// What everybody sees names no person: neither agents nor callers.
func TestReportsNameNobody(t *testing.T) {
	c := newCenter(seeded(5))
	tally, err := report.NewTally(report.Config{Interval: 15 * time.Minute, Keep: 1000})
	require.NoError(t, err)
	c.observe = append(c.observe, tally.Observe)
	c.start(true, false)
	for range 500 {
		c.turn()
	}
	all, err := json.Marshal([]any{tally.Report(c.now), tally.Intervals(), report.Rows(tally.Report(c.now), nil)})
	require.NoError(t, err)
	require.NotContains(t, string(all), "agent0")
	require.NotContains(t, string(all), "caller-")
	require.Contains(t, string(all), "queue0")
}
