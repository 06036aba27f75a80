package load_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBenchRatios prints what `make bench` collects.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1; make bench ROOM=examples/contactcenter/load")
	}
	t.Run("conversations", figureConversations)
	t.Run("held", figureHeld)
	t.Run("call to offer", figureCallToOffer)
	t.Run("waiting", figureWaiting)
	t.Run("free to offer", figureFreeToOffer)
}

// figure prints a line. A missed goal is for the reader to judge, who knows what else the machine was doing; what must hold on any machine is required.
func figure(name string, value float64, unit, op string, goal float64) {
	show := func(v float64) string { return strconv.FormatFloat(float64(int64(v*1000+0.5))/1000, 'f', -1, 64) }
	fmt.Printf("figure contactcenter/%s %s %s goal %s %s\n", name, show(value), unit, op, show(goal))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile sorts d.
func quantile(d []time.Duration, q float64) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, int(q*float64(len(d))))]
}

// figureConversations holds 200 recorded conversations at once for 20 seconds.
func figureConversations(t *testing.T) {
	const n = 200
	out := converse(t, n, 20*time.Millisecond, 20*time.Second, true)
	figure("conversations-at-once", float64(out.connected), "calls", ">=", n)
	figure("conversations-lost", float64(n-out.answered), "calls", "<=", 0)
	figure("conversations-one-way", float64(out.oneWay), "calls", "<=", 0)
	figure("conversations-mixed-up", float64(out.mixed), "frames", "<=", 0)
	figure("conversations-packet-loss", 100*out.lost, "%", "<=", 0.1)
	figure("recordings-complete", float64(out.complete), "recordings", ">=", n)
	figure("conversation-cpu-per-second", milliseconds(out.cpu), "ms", "<=", 3)
	figure("media-through-p99", milliseconds(out.p99), "ms", "<=", 20)
	t.Logf("media through the server: p50 %v", out.p50)
	require.Equal(t, n, out.connected)
	require.Equal(t, n, out.answered)
	require.Zero(t, out.oneWay+out.mixed+out.otherwise)
	require.Equal(t, n, out.complete, out.bad)
}

// figureHeld finds how many conversations at once the server holds beside their phones on the same cores, recorded and not: with less than 0.1 % of the packets
// lost and 99 % through it within 5 ms.
func figureHeld(t *testing.T) {
	for _, recorded := range []bool{true, false} {
		held := 0
		for n := 200; n <= 600; n += 100 {
			out := converse(t, n, 20*time.Millisecond, 8*time.Second, recorded)
			t.Logf("%d conversations, recorded %t: %.2f ms CPU per call and second, p99 %v, %.3f %% lost, %d one-way", n, recorded, milliseconds(out.cpu), out.p99, 100*out.lost, out.oneWay)
			if out.connected < n || out.oneWay > 0 || out.lost > 0.001 || out.p99 > 5*time.Millisecond || recorded && out.complete < n {
				break
			}
			held = n
		}
		name := "conversations-held-unrecorded"
		if recorded {
			name = "conversations-held-recorded"
		}
		figure(name, float64(held), "calls", ">=", 200)
	}
}

// figureCallToOffer calls the queue ten times a second while agents are free, and takes the time from a caller's first INVITE, which is challenged and
// repeated, to the INVITE that reaches an agent.
func figureCallToOffer(t *testing.T) {
	const calls, phones = 300, 30
	w := newWorld(t, phones, phones, true)
	offered := make(chan offer, calls)
	var agents []*phone
	for i := range phones {
		agents = append(agents, w.phone(2001+i, func(at time.Time, caller string) { offered <- offer{at, caller} }))
	}
	callers := w.phones(3001, phones)
	w.register(append(agents, callers...)...) // callers too: a phone that rests has its connection open

	began := map[string]time.Time{}
	ends := make(chan struct{}, calls)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	for i := range calls {
		p := callers[i%phones]
		began[p.user] = time.Now()
		go func() { // ends with its call, waited for below
			defer func() { ends <- struct{}{} }()
			k, err := p.dial()
			if err != nil {
				t.Errorf("call: %v", err)
				return
			}
			pause(1050 * time.Millisecond) // ends between two calls, not with the next
			k.hangup()
		}()
		<-tick.C
		select {
		case o := <-offered:
			took = append(took, o.at.Sub(began[o.caller]))
		case <-time.After(10 * time.Second):
			t.Fatal("no agent was called")
		}
	}
	for range calls {
		<-ends
	}
	require.Len(t, took, calls)
	figure("call-to-offer-p99", milliseconds(quantile(took, 0.99)), "ms", "<=", 20)
	t.Logf("p50 %v, max %v", quantile(took, 0.5), took[calls-1])
}

type offer struct {
	at     time.Time
	caller string
}

// figureWaiting compares the server's memory with 300 callers waiting and hearing music with what it had with none. The callers' connections, one each, are in it.
func figureWaiting(t *testing.T) {
	const n = 300
	w := newWorld(t, 1, n+1, true)
	// Started again, because making users left garbage in which the callers' memory would hide, and with little room for new garbage: what is held is to be
	// measured, not how rarely it is collected.
	w.stop()
	w.start("GOGC=10")
	agent := w.phone(2001, nil)
	w.register(agent)
	first, err := w.phone(3001, nil).dial()
	require.NoError(t, err)
	eventually(t, "the only agent is busy", func() bool { return agent.talking() != nil })
	idle := w.settled()
	callers := w.phones(3002, n)
	calls := make(chan *talk, n)
	each(t, callers, 8, func(p *phone) error {
		k, err := p.dial()
		if err == nil {
			calls <- k
		}
		return err
	})
	cpu, start := w.cpu(), time.Now()
	pause(10 * time.Second) // announcements are over, music plays
	music := (w.cpu() - cpu).Seconds() / time.Since(start).Seconds() / n
	waiting := w.settled()
	figure("memory-per-waiting-call", float64(waiting-idle)/n/1024, "KB", "<=", 150)
	t.Logf("%.1f MB before, %.1f MB with %d waiting, %.2f ms CPU per call and second of music", float64(idle)/(1<<20), float64(waiting)/(1<<20), n, music*1000)
	close(calls)
	for k := range calls {
		k.hangup()
	}
	first.hangup()
}

// settled is the server's memory once it changes no more: less than one part in a hundred for three seconds.
func (w *world) settled() int {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	base, same := w.rss(), 0
	for i := 0; same < 6 && i < 60; i++ {
		<-tick.C
		now := w.rss()
		if diff := now - base; diff*100 > base || -diff*100 > base {
			base, same = now, 0
			continue
		}
		same++
	}
	return w.rss()
}

// figureFreeToOffer has 30 callers wait for one agent, and takes the time from the agent's BYE to the next INVITE at them, a wrap-up of 1 ms included.
func figureFreeToOffer(t *testing.T) {
	const calls, waiting = 200, 30
	w := newWorld(t, 1, waiting, true)
	offered := make(chan time.Time, 1)
	agent := w.phone(2001, func(at time.Time, _ string) { offered <- at })
	callers := w.phones(3001, waiting)
	w.register(append(callers, agent)...)
	stop := make(chan struct{})
	ended := make(chan struct{}, waiting)
	for _, p := range callers {
		go func() { // ended by stop, waited for below
			defer func() { ended <- struct{}{} }()
			for {
				k, err := p.dial()
				if err != nil {
					t.Errorf("call: %v", err)
					return
				}
				select {
				case <-k.call.Done(): // served; call again
					k.hangup()
				case <-stop:
					k.hangup()
					return
				}
			}
		}()
	}
	<-offered
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	var last *talk
	for range calls {
		eventually(t, "the agent hears the caller", func() bool { k := agent.talking(); return k != nil && k != last && k.line.from.Load() != 0 })
		last = agent.talking()
		<-tick.C
		free := time.Now()
		go last.hangup() // ends when the server confirms, before the test's server does
		took = append(took, (<-offered).Sub(free))
	}
	figure("free-to-offer-p99", milliseconds(quantile(took, 0.99)), "ms", "<=", 5)
	t.Logf("p50 %v, max %v", quantile(took, 0.5), took[calls-1])
	close(stop)
	for range callers {
		select {
		case <-offered: // the agent is called until nobody waits
		default:
		}
		<-ended
	}
}
