package load_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outcome is what became of some conversations held at once.
type outcome struct {
	connected int     // pairs in which both sides heard the other
	oneWay    int     // pairs in which a side heard less than 99 % of the other while they were measured
	mixed     int     // frames heard of somebody else's conversation
	lost      float64 // share of all frames that did not arrive
	answered  int     // by the server's own account
	otherwise int     // calls that ended without an agent, by the same
	complete  int     // recordings that verify as complete, with no frame lost
	bad       string  // what verify said of the first that does not
	cpu       time.Duration
	p50, p99  time.Duration // of the way through the server
}

// converse makes n conversations, a new one each gap, holds all of them for d and hangs up. They are recorded or not.
func converse(t *testing.T, n int, gap, d time.Duration, recorded bool) outcome {
	w := newWorld(t, n, n, recorded)
	agents, callers := w.phones(2001, n), w.phones(3001, n)
	w.register(append(agents, callers...)...)
	eventually(t, "the distributor knows all agents", func() bool { return w.readyAgents() == n })

	calls := make([]*talk, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for i, p := range callers {
		wg.Add(1)
		go func() { // ends with the answer, waited for below
			defer wg.Done()
			calls[i], errs[i] = p.dial()
		}()
		<-tick.C
	}
	wg.Wait()
	var lines []*line
	for i, k := range calls {
		require.NoError(t, errs[i])
		lines = append(lines, k.line)
	}
	eventually(t, "every agent has answered", func() bool {
		for _, a := range agents {
			if a.talking() == nil {
				return false
			}
		}
		return true
	})
	for _, a := range agents {
		lines = append(lines, a.talking().line)
	}
	eventually(t, "every side hears the other", func() bool {
		for _, l := range lines {
			if l.from.Load() == 0 {
				return false
			}
		}
		return true
	})

	cpu, start := w.cpu(), time.Now()
	w.air.measure(t, d)
	var out outcome
	out.cpu = time.Duration(float64(w.cpu()-cpu) / time.Since(start).Seconds() / float64(n)) // per call and second
	out.p50, out.p99 = w.air.quantile(0.5), w.air.quantile(0.99)
	byID := map[uint32]*line{}
	for _, l := range lines {
		byID[l.id] = l
	}
	var sent, heard float64
	for _, k := range calls {
		other := byID[k.line.from.Load()]
		if other == nil || other.from.Load() != k.line.id {
			continue // not each other: a conversation that is none
		}
		out.connected++
		whole := true
		for _, side := range [][2]*line{{k.line, other}, {other, k.line}} {
			s, h := float64(side[0].sent.Load()), float64(side[1].heard.Load())
			sent, heard = sent+s, heard+h
			whole = whole && s > 0 && h >= 0.99*s
			out.mixed += int(side[0].mixed.Load())
		}
		if !whole {
			out.oneWay++
		}
	}
	out.lost = 1 - heard/max(1, sent)
	for _, k := range calls {
		k.hangup()
	}
	require.Eventually(t, func() bool {
		answered, otherwise, complete := w.finished()
		return answered+otherwise == n && (complete == n || !recorded)
	}, time.Minute, 20*time.Millisecond, "every call is accounted for and every recording closed")
	out.answered, out.otherwise, _ = w.finished()
	w.stop()
	out.complete, out.bad = w.verify()
	return out
}

// TestTwentyConversations is the load that every test run bears: 20 at once, both ways, recorded, nothing lost.
func TestTwentyConversations(t *testing.T) {
	out := converse(t, 20, 10*time.Millisecond, 3*time.Second, true)
	t.Logf("%.2f ms CPU per call and second, through the server p50 %v, p99 %v", out.cpu.Seconds()*1000, out.p50, out.p99)
	require.Equal(t, 20, out.connected, "each caller and their agent hear each other")
	require.Zero(t, out.oneWay)
	require.Zero(t, out.mixed)
	require.Less(t, out.lost, 0.001)
	require.Equal(t, 20, out.answered)
	require.Zero(t, out.otherwise)
	require.Equal(t, 20, out.complete, out.bad)
}
