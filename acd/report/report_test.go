package report_test

import (
	"errors"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// day is a log with one of everything, each second worked out by hand.
func day() (log []acd.Event, end time.Time) {
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	add := func(after time.Duration, ev acd.Event) {
		now = now.Add(after)
		ev.Seq, ev.At = uint64(len(log)+1), now
		log = append(log, ev)
	}
	s := time.Second
	add(0, acd.Event{Kind: acd.KindStarted, Rules: &acd.Rules{Agents: []acd.Agent{{ID: "a"}}, Queues: []acd.Queue{
		{Name: "q", Members: []string{"a"}, WrapUp: -1, MaxWaiting: 2, NoAgents: acd.NoAgentsWait, MaxWait: 100 * s}}}})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "fast"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "slow"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "full"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "ivr"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "short"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "gives up"})
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "fast", Queue: "q"})
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "slow", Queue: "q"})
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "full", Queue: "q"})
	add(0, acd.Event{Kind: acd.KindEnded, Work: "full"})
	add(0, acd.Event{Kind: acd.KindEnded, Work: "ivr"})
	add(10*s, acd.Event{Kind: acd.KindLogin, Agent: "a"})
	add(0, acd.Event{Kind: acd.KindReady, Agent: "a"})
	add(10*s, acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "fast", Offer: 1}) // exactly at the target of 20 s
	add(10*s, acd.Event{Kind: acd.KindEnded, Work: "fast"})                          // slow is offered
	add(20*s, acd.Event{Kind: acd.KindTimer})                                        // and rings out at 50 s
	add(5*s, acd.Event{Kind: acd.KindReady, Agent: "a"})
	add(5*s, acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "slow", Offer: 3}) // after 60 s
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "short", Queue: "q"})
	add(4*s, acd.Event{Kind: acd.KindAbandoned, Work: "short"})
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "gives up", Queue: "q"})
	add(5*s, acd.Event{Kind: acd.KindAbandoned, Work: "gives up"})
	add(0, acd.Event{Kind: acd.KindArrived, Work: "waits"})
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "waits", Queue: "q"})
	return log, now.Add(90 * s)
}

func seq(log []acd.Event, err error) func(func(acd.Event, error) bool) {
	return func(yield func(acd.Event, error) bool) {
		for _, ev := range log {
			if !yield(ev, nil) {
				return
			}
		}
		if err != nil {
			yield(acd.Event{}, err)
		}
	}
}

func TestDefinitions(t *testing.T) {
	log, end := day()
	tally, err := report.FromLog(seq(log, nil))
	require.NoError(t, err)
	r := tally.Report(end)
	q := report.Waits{
		Entered: 6, Contacts: 6, Answered: 2, Abandoned: 2, ShortAbandoned: 1, AbandonedInTarget: 2, Overflowed: 1, Waiting: 1, InTarget: 1,
		TotalAnswer: 80 * time.Second, TotalAbandon: 9 * time.Second, LongestWait: 90 * time.Second, CurrentWait: 90 * time.Second,
		AnsweredWithin: report.Histogram{3: 1, 6: 1}, AbandonedWithin: report.Histogram{0: 2},
		Offers: 3, NoAnswer: 1, Handled: 1, TalkTime: 10 * time.Second, Agents: 1,
	}
	require.Equal(t, report.Report{
		At: end, Totals: report.Totals{Arrived: 7, Answered: 2, Abandoned: 2, Overflowed: 1, IVREnded: 1}, Open: 1, Talking: 1,
		All: q, Queues: map[string]report.Waits{"q": q}, Channels: map[string]report.Waits{acd.ChannelVoice: q}, Agents: map[acd.AgentState]int{acd.Talking: 1},
		// Reserved from 10 s to 20 s and from 30 s to 50 s, not ready until 55 s, reserved until 60 s; talking from 20 s to 30 s and from 60 s on.
		Staff: report.Staff{Reserved: 35 * time.Second, Talking: 109 * time.Second, NotReady: 5 * time.Second},
	}, r)
	level, ok := q.ServiceLevel()
	require.True(t, ok)
	require.InDelta(t, 1.0/3, level, 1e-9)
	asa, ok := q.ASA()
	require.True(t, ok)
	require.Equal(t, 40*time.Second, asa)
}

func TestNothingToDivideBy(t *testing.T) {
	_, ok := report.Waits{}.ServiceLevel()
	require.False(t, ok)
	_, ok = report.Waits{}.ASA()
	require.False(t, ok)
	r := report.New().Report(time.Time{})
	require.Empty(t, r.Queues)
}

// The wallboard, fed entry by entry, equals the history counted from the log, at every instant.
func TestLiveEqualsHistory(t *testing.T) {
	log, _ := day()
	live := report.New()
	i := 0
	for e, err := range acd.Replay(seq(log, nil)) {
		require.NoError(t, err)
		live.Observe(e)
		i++
		history, err := report.FromLog(seq(log[:i], nil))
		require.NoError(t, err)
		require.Equal(t, history.Report(e.Event.At), live.Report(e.Event.At))
	}
}

func TestBrokenLogIsAnError(t *testing.T) {
	log, _ := day()
	broken := errors.New("disk")
	_, err := report.FromLog(seq(log, broken))
	require.ErrorIs(t, err, broken)
	_, err = report.FromLog(seq(log[1:], nil))
	require.ErrorIs(t, err, acd.ErrLog)
	for _, err := range report.Records(seq(log[1:], nil)) {
		require.ErrorIs(t, err, acd.ErrLog)
	}
	for r, err := range report.Records(seq(log, nil)) {
		require.NoError(t, err)
		require.Equal(t, "full", r.Work)
		break
	}
}
