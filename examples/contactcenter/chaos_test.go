package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/sip"
)

// Sixty callers and four agents who do what they like: hang up at any moment, press anything, refuse, let it ring, end conversations. Whatever happens,
// every call is accounted for once, nobody is stuck, and nothing is left open.
func TestWhateverCallersAndAgentsDo(t *testing.T) {
	w := startWorld(t, func(c *config) {
		for i := range c.Tenants[0].Queues {
			q := &c.Tenants[0].Queues[i]
			q.Ring, q.WrapUp, q.MaxWait, q.MaxWaiting = "300ms", "50ms", "1s", 5
		}
	})
	const seed = 20261122
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 1))
	upTo := func(max time.Duration) time.Duration {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(rng.Int64N(int64(max)))
	}
	pick := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rng.IntN(n)
	}
	agents := []string{"1001", "1002", "1003", "1004"}
	var phones []*softphone
	for _, user := range agents {
		phones = append(phones, w.agent("acme", user, 900, func(c *softphoneConfig) {
			c.answer = func(ctx context.Context, _ *sip.Call) error {
				if err := after(ctx, upTo(500*time.Millisecond)); err != nil || pick(4) == 0 {
					return errors.Join(errors.New("no"), err)
				}
				return nil
			}
			c.talk = func(ctx context.Context, _ *softcall) { _ = after(ctx, upTo(600*time.Millisecond)) }
		}))
	}
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Add(1)
	go func() { // ends with the callers; waited for below
		defer busy.Done()
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			for i, user := range agents { // whoever missed a call comes back
				if st, _ := w.state(0, user); st == acd.NotReady {
					ctx, cancel := context.WithTimeout(context.Background(), time.Second)
					_, _ = phones[i].dial(ctx, codeReady) // refused by design
					cancel()
				}
			}
		}
	}()
	var callers sync.WaitGroup
	for i := range 60 {
		p := w.phone("acme", []string{"1009", "1010", "1008"}[i%3], nil)
		callers.Add(1)
		go func() { // ends with its call; waited for below
			defer callers.Done()
			if after(t.Context(), upTo(4*time.Second)) != nil {
				return
			}
			if i%6 == 0 { // some wait for a moment only, which is less than most agents let their phone ring
				if c, err := p.dial(t.Context(), "9001"); err == nil {
					_ = after(c.ctx(), 60*time.Millisecond)
					c.hangup()
				}
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond+upTo(3*time.Second)) // some give up before they are answered
			defer cancel()
			c, err := p.dial(ctx, []string{"9000", "9001", "9001", "9001", "9002", "9003"}[pick(6)])
			if err != nil {
				return
			}
			defer c.hangup()
			_ = after(c.ctx(), upTo(300*time.Millisecond))
			keys, cancelKeys := context.WithTimeout(c.ctx(), 2*time.Second)
			_ = c.leg.SendDigits(keys, []string{"1", "2", "0", "7", "3123456#", "12*"}[pick(6)])
			cancelKeys()
			_ = after(c.ctx(), upTo(2500*time.Millisecond))
		}()
	}
	callers.Wait()
	close(stop)
	busy.Wait()

	eventually(t, "nothing is left open", func() bool {
		return w.node.ep.Stats().LiveCalls == 0 && w.node.engine.Stats().Legs == 0 && w.node.sites[0].vault.Stats().Open == 0
	})
	sum := w.accounted()
	require.NotZero(t, sum[acd.Answered], "chaos with no conversation proves little: %v", sum)
	require.NotZero(t, sum[acd.Abandoned], "%v", sum)
	for _, user := range agents {
		eventually(t, "agent "+user+" is not stuck", func() bool {
			for _, a := range w.node.sites[0].center.Snapshot().Agents {
				if a.ID == user && (a.Work != "" || slices.Contains([]acd.AgentState{acd.Reserved, acd.Ringing, acd.Talking}, a.State)) {
					return false
				}
			}
			return true
		})
	}
	eventually(t, "nothing is remembered of calls that are over", func() bool {
		s := w.node.sites[0]
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.sessions) == 0 && len(s.callers) == 0 && len(s.busy) == 0
	})
	out, code := w.command("recordings", "verify", "--tenant", "acme", "--as", "auditor")
	require.Zero(t, code, out)
	require.NotContains(t, out, "incomplete")
	require.Len(t, lines(out), sum[acd.Answered], "a recording of every conversation")
}

// ctx ends with the call.
func (c *softcall) ctx() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the call
		<-c.call.Done()
		cancel()
	}()
	return ctx
}
