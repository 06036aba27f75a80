package report_test

import (
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

func TestExpiring(t *testing.T) {
	rules := &acd.Rules{Agents: []acd.Agent{{ID: "a"}}, Channels: []acd.Channel{{Name: "voice"}, {Name: "message"}}, Queues: []acd.Queue{
		{Name: "mail", Channel: "message", Members: []string{"a"}, NoAgents: acd.NoAgentsWait}, {Name: "calls", NoAgents: acd.NoAgentsWait}}}
	var log []acd.Event
	now := t0
	add := func(after time.Duration, ev acd.Event) {
		now = now.Add(after)
		ev.Seq, ev.At = uint64(len(log)+1), now
		log = append(log, ev)
	}
	add(0, acd.Event{Kind: acd.KindStarted, Rules: rules})
	for _, id := range []string{"answered", "left", "lost", "call", "nowhere"} {
		add(0, acd.Event{Kind: acd.KindArrived, Work: id})
	}
	for _, id := range []string{"answered", "left", "lost"} {
		add(0, acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: "mail"})
	}
	add(0, acd.Event{Kind: acd.KindEnqueued, Work: "call", Queue: "calls"})
	add(time.Minute, acd.Event{Kind: acd.KindLogin, Agent: "a"})
	add(0, acd.Event{Kind: acd.KindReady, Agent: "a"})
	add(time.Second, acd.Event{Kind: acd.KindAccepted, Agent: "a", Work: "answered", Offer: 1})
	add(time.Second, acd.Event{Kind: acd.KindEnded, Work: "answered"})
	add(0, acd.Event{Kind: acd.KindAbandoned, Work: "lost"})
	watch := func() *report.Expiring {
		x := report.NewExpiring("message")
		for e, err := range acd.Replay(seq(log, nil)) {
			require.NoError(t, err)
			x.Observe(e)
		}
		return x
	}
	x := watch()
	require.Equal(t, []report.Due{
		{"answered", t0.Add(61 * time.Second), report.Delivered},
		{"lost", t0.Add(62 * time.Second), report.Ended},
	}, x.Due(now))
	x.Erased("answered")
	x.Erased("lost")
	week := t0.Add(report.MessageLife)
	require.Empty(t, x.Due(week.Add(-1)))
	require.Equal(t, []report.Due{{"left", week, report.Expired}, {"nowhere", week, report.Expired}}, x.Due(week), "a call is no message")
	require.Len(t, watch().Due(week), 4, "after a restart nothing is forgotten")
}
