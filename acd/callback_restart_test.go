package acd_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
)

// A process whose calls end with it keeps the callbacks all the same: place, clock and attempts. All else is closed, and everybody logged out.
func TestRestartThatKeepsCallbacks(t *testing.T) {
	q := acd.Queue{Name: "q", NoAgents: acd.NoAgentsWait, WrapUp: -1, Callback: acd.Callback{Expiry: time.Hour, Attempts: 2, Retry: 10 * time.Minute}}
	r := rules("a b c", q)
	h := newHand(t, r)
	for _, w := range []string{"w1", "w2", "w3", "w4", "w5"} {
		h.enqueue(w, "q", nil)
	}
	for _, w := range []string{"w1", "w2", "w4"} {
		h.do(acd.Event{Kind: acd.KindCallback, Work: w})
	}
	h.ready("a b c")
	h.accept("a", "w1") // is being dialled
	h.accept("b", "w2")
	h.answer(acd.KindReached, "b", "w2") // talks
	h.accept("c", "w3")                  // a caller on the line, with an agent

	h.now = h.now.Add(time.Minute)
	out := h.do(acd.Event{Kind: acd.KindStarted, Rules: &r, Callbacks: true})
	ended := map[string]acd.Record{}
	for _, d := range out {
		if d.Kind == acd.DecideEnded {
			ended[d.Work] = *d.Record
		}
	}
	require.Len(t, ended, 3)
	require.Equal(t, acd.Answered, ended["w2"].Outcome)
	require.Equal(t, acd.CauseNodeDied, ended["w2"].Cause)
	require.Equal(t, acd.CauseNodeDied, ended["w3"].Cause)
	require.Equal(t, acd.Abandoned, ended["w5"].Outcome)
	require.Empty(t, offers(out), "nobody is logged in")
	h.enqueue("w6", "q", nil)
	h.ready("a")
	h.accept("a", "w1") // the first place is still theirs
	out = h.answer(acd.KindUnreached, "a", "w1")
	require.Contains(t, kinds(out), "ended w1  unreached", "the attempt that died with the process counts")
	require.Equal(t, []string{"a<-w4"}, offers(out), "its place was before w6's")

	r.Queues[0].Callback = acd.Callback{}
	out = h.do(acd.Event{Kind: acd.KindStarted, Rules: &r, Callbacks: true})
	for _, d := range out {
		if d.Kind == acd.DecideEnded && d.Work == "w4" {
			require.Equal(t, acd.CauseRemoved, d.Record.Cause, "a queue that offers none any more")
		}
	}
	require.Zero(t, h.core.Open(), "w6 hung on the line")
}

func TestCenterKeepsCallbacksOverARestart(t *testing.T) {
	p := &callers{phones: phones{does: map[string]func(context.Context) (bool, error){"a": accept}}, customers: func(int) (bool, error) { return true, nil }}
	tally := report.New()
	cfg := config(&p.phones)
	cfg.Offerer, cfg.KeepCallbacks, cfg.Observer = p, true, tally.Observe
	cfg.Queues[1].Callback = acd.Callback{Expiry: time.Hour}
	synctest.Test(t, func(t *testing.T) {
		start := func() *acd.Center {
			c, err := acd.New(cfg)
			require.NoError(t, err)
			go func() { _ = c.Run(context.WithoutCancel(t.Context())) }() // ended by Close below
			return c
		}
		c := start()
		enqueue(t, c, "w1", "wait")
		enqueue(t, c, "w2", "wait")
		asked := c.Works()[0].EnqueuedAt
		require.NoError(t, c.CallBack(t.Context(), "w1"))
		require.NoError(t, c.Close())
		_, there := c.Work("w1")
		require.False(t, there, "nothing is known of works once it is over")

		pass(time.Minute)
		c = start()
		<-c.Started()
		w, there := c.Work("w1")
		require.True(t, there)
		require.True(t, w.Callback)
		require.Equal(t, "9001", w.Attributes["number"])
		require.Equal(t, asked, w.EnqueuedAt)
		require.Equal(t, asked, w.CallbackAt)
		_, there = c.Work("w2")
		require.False(t, there, "who was on the line is gone")
		require.Empty(t, p.dialled)
		readyAll(t, c, "a")
		synctest.Wait()
		require.Equal(t, []string{"a->w1"}, p.dialled)
		require.NoError(t, c.End(t.Context(), "w1", "caller"))
		rep := tally.Report(time.Now())
		require.Equal(t, []int{2, 1, 1, 0}, []int{rep.Arrived, rep.Answered, rep.Abandoned, rep.Open})
		require.NoError(t, c.Close())
	})
}

// An agent who takes a callback in the moment in which all ends is not left waiting: Dial is called, to release them.
func TestDialIsCalledThoughAllEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &callers{customers: func(int) (bool, error) { return false, nil }}
		cfg := config(&p.phones)
		cfg.Offerer, cfg.KeepCallbacks = p, true
		cfg.Queues[1].Callback = acd.Callback{Expiry: time.Hour}
		ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
		p.does = map[string]func(context.Context) (bool, error){"a": func(context.Context) (bool, error) { stop(); return true, nil }}
		c, err := acd.New(cfg)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(ctx) }() // ended by stop
		enqueue(t, c, "w1", "wait")
		require.NoError(t, c.CallBack(t.Context(), "w1"))
		readyAll(t, c, "a")
		require.NoError(t, <-done)
		p.mu.Lock()
		defer p.mu.Unlock()
		require.Len(t, append(p.dialled, p.withdrawn...), 1, "dialled or withdrawn, never forgotten")
	})
}
