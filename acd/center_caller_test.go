package acd_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/control"
	"github.com/stretchr/testify/require"
)

// callers is an Offerer whose agents accept and whose customers answer a callback as the test says.
type callers struct {
	phones
	customers func(attempt int) (bool, error)
	dialled   []string
}

func (c *callers) Dial(_ context.Context, agent, work string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dialled = append(c.dialled, agent+"->"+work)
	return c.customers(len(c.dialled))
}

func TestCallbackInTheCenter(t *testing.T) {
	p := &callers{phones: phones{does: map[string]func(context.Context) (bool, error){"a": accept}}, customers: func(n int) (bool, error) {
		if n == 1 {
			return false, errors.New("busy")
		}
		return true, nil
	}}
	var records []acd.Record
	cfg := config(&p.phones)
	cfg.OnRecord = func(r acd.Record) { records = append(records, r) }
	cfg.Queues[1].Callback = acd.Callback{Expiry: time.Hour, Retry: time.Minute}
	_, err := acd.New(cfg)
	require.ErrorIs(t, err, acd.ErrConfig, "an Offerer that cannot dial can offer no callbacks")
	cfg.Offerer = p
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		ticket := enqueue(t, c, "w1", "wait")
		pass(10 * time.Second)
		require.NoError(t, c.CallBack(t.Context(), "w1"))
		require.Equal(t, acd.Result{Outcome: acd.ResultCallback}, ticket.Result())
		require.ErrorIs(t, c.CallBack(t.Context(), "w1"), acd.ErrState)
		readyAll(t, c, "a")
		synctest.Wait()
		require.Equal(t, []string{"a->w1"}, p.dialled)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[0].State, "nobody there: the agent is free")
		pass(time.Minute)
		require.Len(t, p.dialled, 2)
		require.Equal(t, acd.Talking, c.Snapshot().Agents[0].State)
		require.NoError(t, c.End(t.Context(), "w1", "caller"))
		require.Equal(t, acd.Answered, records[0].Outcome)
		require.Equal(t, 2, records[0].Attempts)
		require.Equal(t, 70*time.Second, records[0].AnsweredAt.Sub(records[0].EnqueuedAt))
	})
}

// A caller in line is sent on with the clock kept, and holds the same Ticket; two queues that send to each other do not do it for ever.
func TestOverflowMovesOnInTheCenter(t *testing.T) {
	cfg := config(&phones{does: map[string]func(context.Context) (bool, error){"b": accept}})
	cfg.Queues = []acd.Queue{
		{Name: "first", Members: []string{"a"}, NoAgents: acd.NoAgentsWait, Overflow: []acd.Overflow{{MinWait: time.Minute, To: "second"}}},
		{Name: "second", Members: []string{"b"}, NoAgents: acd.NoAgentsWait},
		{Name: "ping", NoAgents: acd.NoAgentsWait, Overflow: []acd.Overflow{{Hours: []acd.Hours{{}}, To: "pong"}}},
		{Name: "pong", NoAgents: acd.NoAgentsWait, Overflow: []acd.Overflow{{Hours: []acd.Hours{{}}, To: "ping"}}},
	}
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "b")
		ticket := enqueue(t, c, "w1", "first")
		pass(time.Minute)
		require.Equal(t, acd.Result{Outcome: acd.ResultAnswered, Agent: "b"}, ticket.Result())
		require.NoError(t, c.End(t.Context(), "w1", ""))
		require.Equal(t, acd.ResultOverflow, enqueue(t, c, "w2", "ping").Result().Outcome)
		require.NoError(t, c.End(t.Context(), "w2", ""))
	})
}

func TestCallerVerbs(t *testing.T) {
	s := &supervisors{}
	cfg := config(&phones{})
	cfg.Authorizer, cfg.Auditor = s, s
	cfg.Queues[1].ExitKeys = "0"
	cfg.Queues[1].Announce = acd.Announce{Every: 30 * time.Second}
	cfg.Queues = append(cfg.Queues, acd.Queue{Name: "tray", Members: []string{"a", "b"}, Strategy: acd.Manual})
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		w1 := enqueue(t, c, "w1", "wait")
		pass(time.Minute)
		require.Equal(t, acd.Position{Queue: "wait", Place: 1, EWT: 3 * time.Minute}, <-w1.Announcements())
		require.Empty(t, w1.Announcements(), "only the latest")
		require.ErrorIs(t, c.Exit(t.Context(), "w1", '5'), acd.ErrState)
		require.NoError(t, c.Exit(t.Context(), "w1", '0'))
		require.Equal(t, acd.ResultExit, w1.Result().Outcome)
		require.NoError(t, c.LoginDevice(t.Context(), "a", "desk"))
		require.NoError(t, c.LoginDevice(t.Context(), "a", "mobile"))
		require.NoError(t, c.LogoutDevice(t.Context(), "a", "desk"))
		require.NoError(t, c.Ready(t.Context(), "a"))
		w2, err := c.EnqueueWith(t.Context(), "w1", "tray", 3, acd.Terms{Needs: skills("tax"), KeepClock: true})
		require.NoError(t, err)
		require.NoError(t, c.Pick(t.Context(), "a", "w1"))
		require.Equal(t, []string{"a"}, c.Works()[0].Agents)
		_, err = c.Attach(t.Context(), "w1")
		require.ErrorIs(t, err, acd.ErrState, "it has a Ticket")
		require.ErrorIs(t, c.ExtendWrapUp(t.Context(), "a", time.Second), acd.ErrState)
		require.NoError(t, c.SetSkills(t.Context(), "b", skills("tax:3")))
		require.Equal(t, "allow acd.agent.set-skills b", s.seen[0])
		rules := acd.Rules{Agents: cfg.Agents, Queues: cfg.Queues[:2]}
		require.NoError(t, c.Reconfigure(t.Context(), rules))
		require.Equal(t, acd.ResultNoAgents, w2.Result().Outcome, "its queue is gone")
		require.Len(t, c.Snapshot().Queues, 2)
		require.Equal(t, acd.Ready, c.Snapshot().Agents[0].State, "still logged in")
		s.allow = errors.New("no")
		require.ErrorIs(t, c.Reconfigure(t.Context(), rules), acd.ErrDenied)
		require.ErrorIs(t, c.SetSkills(t.Context(), "a", nil), acd.ErrDenied)
		rules.Queues[0].Strategy = "hope"
		require.ErrorIs(t, c.Reconfigure(t.Context(), rules), acd.ErrConfig)
		rules.Queues[0].Strategy = ""
	})
}

// Ring-all with phones that all answer at once: one conversation, everybody else is told, under the race detector.
func TestRingAllRace(t *testing.T) {
	p := &phones{does: map[string]func(context.Context) (bool, error){}}
	cfg := config(p)
	cfg.Agents, cfg.Queues = nil, []acd.Queue{{Name: "q", Strategy: acd.RingAll, WrapUp: -1, NoAgents: acd.NoAgentsWait}}
	for _, id := range []string{"a", "b", "c", "d"} {
		cfg.Agents = append(cfg.Agents, acd.Agent{ID: id})
		cfg.Queues[0].Members = append(cfg.Queues[0].Members, id)
		p.does[id] = accept
	}
	answered := 0
	cfg.Observer = func(e acd.Entry) {
		for _, d := range e.Decisions {
			if d.Kind == acd.DecideAnswered {
				answered++
			}
		}
	}
	run(t, cfg, func(t *testing.T, c *acd.Center) {
		readyAll(t, c, "a", "b", "c", "d")
		for i := range 20 {
			id := string(rune('A' + i))
			_, err := enqueue(t, c, id, "q").Wait(t.Context())
			require.NoError(t, err)
			synctest.Wait()
			require.NoError(t, c.End(t.Context(), id, ""))
			synctest.Wait()
			require.Equal(t, i+1, answered)
			for _, a := range c.Snapshot().Agents {
				require.Equal(t, acd.Ready, a.State)
			}
		}
	})
}

// Two tenants in one process with the same names for everything: nothing of one is ever delivered to, counted by, or logged for the other.
func TestTwoTenantsShareNothing(t *testing.T) {
	control.Proves(t, "TEN-04")
	type tenant struct {
		center *acd.Center
		store  *acd.MemStore
		phones *phones
		mu     sync.Mutex
		seen   map[string]string // work -> attribute "owner" of its record
		done   chan error
	}
	tenants := map[string]*tenant{}
	for _, name := range []string{"acme", "globex"} {
		x := &tenant{store: &acd.MemStore{}, phones: &phones{does: map[string]func(context.Context) (bool, error){"a": accept, "b": accept}}, seen: map[string]string{}, done: make(chan error, 1)}
		cfg := config(x.phones)
		cfg.Store = x.store
		cfg.Queues = []acd.Queue{{Name: "sales", Members: []string{"a", "b"}, WrapUp: -1}}
		cfg.OnRecord = func(r acd.Record) {
			x.mu.Lock()
			defer x.mu.Unlock()
			x.seen[r.Work] = r.Attributes["owner"]
		}
		var err error
		x.center, err = acd.New(cfg)
		require.NoError(t, err)
		go func() { x.done <- x.center.Run(context.WithoutCancel(t.Context())) }()
		readyAll(t, x.center, "a", "b")
		tenants[name] = x
	}
	var wg sync.WaitGroup
	for name, x := range tenants {
		for i := range 4 {
			wg.Go(func() {
				for n := range 50 {
					id := string(rune('A'+i)) + string(rune('a'+n%26)) + string(rune('a'+n/26)) // the same ids in both
					if err := x.center.Arrive(t.Context(), acd.Work{ID: id, Attributes: map[string]string{"owner": name}}); err != nil {
						t.Error(err)
						return
					}
					ticket, err := x.center.Enqueue(t.Context(), id, "sales", 0)
					if err == nil {
						_, err = ticket.Wait(t.Context())
					}
					if err == nil {
						err = x.center.End(t.Context(), id, "caller")
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	for name, x := range tenants {
		require.NoError(t, x.center.Close())
		require.NoError(t, <-x.done)
		require.Len(t, x.seen, 200)
		for work, owner := range x.seen {
			require.Equal(t, name, owner, work)
		}
		require.Len(t, x.phones.offered, 200, "phones of one tenant ring for its own works only")
		for ev, err := range x.store.Load(t.Context(), 0) {
			require.NoError(t, err)
			if ev.Kind == acd.KindArrived {
				require.Equal(t, name, ev.Attributes["owner"])
			}
		}
	}
}
