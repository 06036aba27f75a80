package acd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

// phones is an Offerer whose agents do what the test says.
type phones struct {
	mu        sync.Mutex
	does      map[string]func(ctx context.Context) (bool, error) // by agent; absent: ring until the offer is over
	active    map[string]int
	offered   []string
	withdrawn []string
}

func (p *phones) Offer(ctx context.Context, agent, work string) (bool, error) {
	p.mu.Lock()
	if p.active == nil {
		p.active = map[string]int{}
	}
	if p.active[agent]++; p.active[agent] > 1 {
		panic("two offers at once to " + agent)
	}
	p.offered = append(p.offered, agent+"<-"+work)
	does := p.does[agent]
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.active[agent]--
		p.mu.Unlock()
	}()
	if does == nil {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return does(ctx)
}

func (p *phones) Withdraw(_ context.Context, agent, work string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.withdrawn = append(p.withdrawn, agent+"<-"+work)
}

func accept(context.Context) (bool, error) { return true, nil }

type supervisors struct {
	allow, audit error
	seen         []string
}

func (s *supervisors) Allow(_ context.Context, action, object string) error {
	s.seen = append(s.seen, "allow "+action+" "+object)
	return s.allow
}

func (s *supervisors) Audit(_ context.Context, action, object string, attrs ...slog.Attr) error {
	s.seen = append(s.seen, fmt.Sprint("audit ", action, " ", object, " ", attrs))
	return s.audit
}

func config(p *phones) acd.Config {
	return acd.Config{
		Store: &acd.MemStore{}, Offerer: p, Authorizer: &supervisors{}, Auditor: &supervisors{}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Agents: []acd.Agent{{ID: "a"}, {ID: "b"}},
		Queues: []acd.Queue{{Name: "sales", Members: []string{"a", "b"}}, {Name: "wait", Members: []string{"a"}, NoAgents: acd.NoAgentsWait}},
	}
}

// run plays f against a running Center in a bubble and stops it in the end.
func run(t *testing.T, cfg acd.Config, f func(t *testing.T, c *acd.Center)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := acd.New(cfg)
		require.NoError(t, err)
		done := make(chan error, 1)
		go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
		defer func() {
			require.NoError(t, c.Close())
			require.NoError(t, <-done)
		}()
		f(t, c)
	})
}

func readyAll(t *testing.T, c *acd.Center, agents ...string) {
	t.Helper()
	for _, a := range agents {
		require.NoError(t, c.Login(t.Context(), a))
		require.NoError(t, c.Ready(t.Context(), a))
	}
}

func enqueue(t *testing.T, c *acd.Center, work, queue string) *acd.Ticket {
	t.Helper()
	require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: work, Attributes: map[string]string{"number": "9001"}}))
	ticket, err := c.Enqueue(t.Context(), work, queue, 0)
	require.NoError(t, err)
	return ticket
}

// pass lets time pass in the bubble and what follows from it settle.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestAnsweredCall(t *testing.T) {
	var records []acd.Record
	cfg := config(&phones{does: map[string]func(context.Context) (bool, error){"a": accept}})
	cfg.OnRecord = func(r acd.Record) { records = append(records, r) }
	live := report.New()
	cfg.Observer = live.Observe
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		ticket := enqueue(t, c, "w1", "sales")
		r, err := ticket.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, acd.Result{Outcome: acd.ResultAnswered, Agent: "a"}, r)
		require.Equal(t, r, ticket.Result())
		pass(time.Minute)
		require.NoError(t, c.End(t.Context(), "w1", "caller"))
		require.Len(t, records, 1, "the record is there when End returns")
		require.Equal(t, acd.Answered, records[0].Outcome)
		require.Equal(t, "caller", records[0].Cause)
		require.Equal(t, time.Minute, records[0].EndedAt.Sub(records[0].AnsweredAt))
		require.Equal(t, map[string]string{"number": "9001"}, records[0].Attributes)
		require.Equal(t, acd.WrapUp, c.Snapshot().Agents[0].State)
		pass(10 * time.Second)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[0].State)
		now := time.Now()
		again, err := report.FromLog(cfg.Store.Load(t.Context(), 0))
		require.NoError(t, err)
		require.Equal(t, live.Report(now), again.Report(now))
		level, ok := again.Report(now).Queues["sales"].ServiceLevel()
		require.True(t, ok)
		require.InDelta(t, 1, level, 0)
	})
}

func TestNoAnswerThenNext(t *testing.T) {
	p := &phones{does: map[string]func(context.Context) (bool, error){"b": accept}}
	run(t, config(p), func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a", "b")
		start := time.Now()
		r, err := enqueue(t, c, "w1", "sales").Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, "b", r.Agent)
		require.Equal(t, 20*time.Second, time.Since(start))
		require.Equal(t, []string{"a<-w1", "b<-w1"}, p.offered)
		require.Equal(t, "rona", c.Snapshot().Agents[0].Reason)
		require.NoError(t, c.End(t.Context(), "w1", ""))
	})
}

func TestRefusedAndUnreachable(t *testing.T) {
	p := &phones{does: map[string]func(context.Context) (bool, error){
		"a": func(context.Context) (bool, error) { return false, nil },
		"b": func(context.Context) (bool, error) { return false, errors.New("no route") },
	}}
	var rec acd.Record
	cfg := config(p)
	cfg.OnRecord = func(r acd.Record) { rec = r }
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a", "b")
		ticket := enqueue(t, c, "w1", "sales")
		pass(25 * time.Second)
		require.Equal(t, []string{"a<-w1", "b<-w1", "a<-w1", "b<-w1", "a<-w1", "b<-w1"}, p.offered, "in turn, with a pause, not hammered")
		require.NoError(t, c.Abandon(t.Context(), "w1"))
		require.Equal(t, acd.Result{Outcome: acd.ResultAbandoned}, ticket.Result())
		require.Equal(t, "refused", rec.Offers[0].Reason)
		require.Equal(t, "unreachable", rec.Offers[1].Reason)
	})
}

func TestAbandonWhileRinging(t *testing.T) {
	p := &phones{}
	run(t, config(p), func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		ticket := enqueue(t, c, "w1", "sales")
		synctest.Wait()
		require.NoError(t, c.Ringing(t.Context(), "a", "w1"))
		require.Equal(t, acd.Ringing, c.Snapshot().Agents[0].State)
		require.NoError(t, c.Abandon(t.Context(), "w1"))
		synctest.Wait()
		require.Equal(t, acd.ResultAbandoned, ticket.Result().Outcome)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[0].State)
		require.Zero(t, p.active["a"], "the phone has stopped")
		require.Empty(t, p.withdrawn)
		require.ErrorIs(t, c.Abandon(t.Context(), "w1"), acd.ErrUnknown)
		require.ErrorIs(t, c.Ringing(t.Context(), "a", "w1"), acd.ErrStale)
	})
}

// The agent answers in the very moment in which the caller gives up: somebody must tell the agent's side.
func TestAcceptanceTooLateIsWithdrawn(t *testing.T) {
	p := &phones{does: map[string]func(context.Context) (bool, error){"a": func(ctx context.Context) (bool, error) { <-ctx.Done(); return true, nil }}}
	run(t, config(p), func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		enqueue(t, c, "w1", "sales")
		synctest.Wait()
		require.NoError(t, c.Abandon(t.Context(), "w1"))
		synctest.Wait()
		require.Equal(t, []string{"a<-w1"}, p.withdrawn)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[0].State)
	})
}

func TestOverflowWords(t *testing.T) {
	cfg := config(&phones{})
	cfg.Queues[1].MaxWaiting, cfg.Queues[1].MaxWait = 1, time.Minute
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		require.Equal(t, acd.ResultNoAgents, enqueue(t, c, "w1", "sales").Result().Outcome)
		w2 := enqueue(t, c, "w2", "wait")
		require.Equal(t, acd.ResultFull, enqueue(t, c, "w3", "wait").Result().Outcome)
		p, err := c.Position("w2")
		require.NoError(t, err)
		require.Equal(t, 1, p.Place)
		_, err = c.Enqueue(t.Context(), "w2", "wait", 0)
		require.ErrorIs(t, err, acd.ErrState)
		require.Zero(t, w2.Result())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = w2.Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		pass(time.Minute)
		require.Equal(t, acd.ResultTimeout, w2.Result().Outcome)
		_, err = c.Enqueue(t.Context(), "w2", "nosuch", 0)
		require.ErrorIs(t, err, acd.ErrUnknown)
		for i := 1; i <= 3; i++ {
			require.NoError(t, c.End(t.Context(), fmt.Sprintf("w%d", i), "done"))
		}
		require.Zero(t, c.Snapshot().Open)
	})
}

func TestForceIsAuthorizedAndAudited(t *testing.T) {
	s := &supervisors{}
	cfg := config(&phones{})
	cfg.Authorizer, cfg.Auditor = s, s
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		require.NoError(t, c.Force(t.Context(), "a", acd.NotReady, "meeting"))
		require.Equal(t, "meeting", c.Snapshot().Agents[0].Reason)
		require.Equal(t, []string{"allow acd.agent.force-not-ready a", "audit acd.agent.force-not-ready a [reason=meeting]"}, s.seen)
		s.allow = errors.New("not a supervisor")
		require.ErrorIs(t, c.Force(t.Context(), "a", acd.LoggedOut, ""), acd.ErrDenied)
		s.allow, s.audit = nil, errors.New("disk full")
		require.ErrorIs(t, c.Force(t.Context(), "a", acd.LoggedOut, ""), acd.ErrDenied)
		require.Equal(t, acd.NotReady, c.Snapshot().Agents[0].State, "nothing happened")
		s.audit = nil
		require.ErrorIs(t, c.Force(t.Context(), "a", acd.Talking, ""), acd.ErrInvalid)
		require.NoError(t, c.Force(t.Context(), "a", acd.Ready, ""))
		require.NoError(t, c.Force(t.Context(), "a", acd.LoggedOut, ""))
		require.Equal(t, acd.LoggedOut, c.Snapshot().Agents[0].State)
	})
}

func TestDrain(t *testing.T) {
	run(t, config(&phones{}), func(t *testing.T, c *acd.Center) {
		enqueue(t, c, "w1", "wait")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, c.Drain(ctx), context.DeadlineExceeded)
		require.ErrorIs(t, c.Arrive(t.Context(), acd.Work{ID: "w2"}), acd.ErrDraining)
		drained := make(chan error, 1)
		go func() { drained <- c.Drain(t.Context()) }()
		require.NoError(t, c.End(t.Context(), "w1", ""))
		require.NoError(t, <-drained)
	})
}

func TestShutdownEndsOpenWorkAndIsDurable(t *testing.T) {
	cfg := config(&phones{})
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a")
		ticket := enqueue(t, c, "w1", "sales")
		enqueue(t, c, "w2", "wait")
		require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w3"}))
		require.NoError(t, c.Close())
		require.Equal(t, acd.ResultAbandoned, ticket.Result().Outcome)
	})
	causes := map[string]string{}
	for r, err := range report.Records(cfg.Store.Load(t.Context(), 0)) {
		require.NoError(t, err)
		causes[r.Work] = string(r.Outcome) + " " + r.Cause
	}
	require.Equal(t, map[string]string{"w1": "abandoned shutdown", "w2": "abandoned shutdown", "w3": "ivr-ended shutdown"}, causes)
}

func TestMethodsBeforeRun(t *testing.T) {
	c, err := acd.New(config(&phones{}))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Arrive(ctx, acd.Work{ID: "w"}), context.Canceled)
	_, err = c.Enqueue(ctx, "w", "sales", 0)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, c.Snapshot().Queues)
	require.NoError(t, c.Close())
}

func TestTooManyOpenWorks(t *testing.T) {
	cfg := config(&phones{})
	cfg.MaxOpen = 1
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w1"}))
		require.ErrorIs(t, c.Arrive(t.Context(), acd.Work{ID: "w2"}), acd.ErrOverloaded)
		require.NoError(t, c.End(t.Context(), "w1", ""))
		require.NoError(t, c.Arrive(t.Context(), acd.Work{ID: "w2"}))
	})
}

func TestConfigIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*acd.Config){
		"store":      func(c *acd.Config) { c.Store = nil },
		"offerer":    func(c *acd.Config) { c.Offerer = nil },
		"authorizer": func(c *acd.Config) { c.Authorizer = nil },
		"auditor":    func(c *acd.Config) { c.Auditor = nil },
		"maxopen":    func(c *acd.Config) { c.MaxOpen = -1 },
		"queues":     func(c *acd.Config) { c.Queues = nil },
		"too short":  func(c *acd.Config) { c.Queues[0].RingTimeout = time.Microsecond },
		"strategy":   func(c *acd.Config) { c.Queues[0].Strategy = "round robin" },
	} {
		cfg := config(&phones{})
		spoil(&cfg)
		_, err := acd.New(cfg)
		require.ErrorIs(t, err, acd.ErrConfig, name)
	}
}

// A clock that is set back must neither stop the Center nor bend the log.
func TestClockSetBack(t *testing.T) {
	var mu sync.Mutex
	now := t0
	cfg := config(&phones{})
	cfg.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		enqueue(t, c, "w1", "wait")
		mu.Lock()
		now = now.Add(-time.Hour)
		mu.Unlock()
		enqueue(t, c, "w2", "wait")
		require.NoError(t, c.End(t.Context(), "w1", ""))
	})
	for _, err := range acd.Replay(cfg.Store.Load(t.Context(), 0)) {
		require.NoError(t, err)
	}
}

// Callers, agents and supervisors at once, on real time, under the race detector: the sum is exact and no offer was doubled.
func TestManyAtOnce(t *testing.T) {
	p := &phones{does: map[string]func(context.Context) (bool, error){}}
	cfg := config(p)
	cfg.Agents, cfg.Queues = nil, []acd.Queue{{Name: "q", WrapUp: -1, NoAgents: acd.NoAgentsWait, RejectPause: time.Millisecond}}
	for i := range 8 {
		id := fmt.Sprintf("agent%d", i)
		cfg.Agents = append(cfg.Agents, acd.Agent{ID: id})
		cfg.Queues[0].Members = append(cfg.Queues[0].Members, id)
		p.does[id] = func(context.Context) (bool, error) { return i != 3, nil } // one always refuses
	}
	tally := report.New()
	cfg.Observer = tally.Observe
	c, err := acd.New(cfg)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- c.Run(context.WithoutCancel(t.Context())) }()
	for _, a := range cfg.Agents {
		readyAll(t, c, a.ID)
	}
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := fmt.Sprintf("w%d-%d", caller, i)
				if err := c.Arrive(t.Context(), acd.Work{ID: id}); err != nil {
					t.Error(err)
					return
				}
				ticket, err := c.Enqueue(t.Context(), id, "q", i%3)
				if err != nil {
					t.Error(err)
					return
				}
				if i%5 == 0 {
					err = c.Abandon(t.Context(), id)
				} else if _, err = ticket.Wait(t.Context()); err == nil {
					err = c.End(t.Context(), id, "caller")
				}
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = c.Position(id)
				_ = c.Snapshot()
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Drain(t.Context()))
	require.NoError(t, c.Close())
	require.NoError(t, <-done)
	r := tally.Report(time.Now())
	require.Equal(t, 400, r.Arrived)
	require.Equal(t, 400, r.Answered+r.Abandoned)
	require.Zero(t, r.Open)
}
