package acd_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/acd/report"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden log anew")

// The golden logs were written by earlier versions of this code: golden.jsonl by the first one, before there were skills, channels and
// callbacks. They must replay to the same decisions for ever, or stored logs change their meaning.
func TestGoldenLog(t *testing.T) {
	if *update { // the later one only: the first is history
		writeGolden(t, "testdata/golden2.jsonl", goldenDay(t).log)
	}
	for _, file := range []string{"testdata/golden.jsonl", "testdata/golden2.jsonl"} {
		replayGolden(t, file)
	}
}

func writeGolden(t *testing.T, file string, log []acd.Event) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for e, err := range acd.Replay(seq(log)) {
		require.NoError(t, err)
		require.NoError(t, enc.Encode(e))
	}
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o600))
}

func replayGolden(t *testing.T, file string) {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var log []acd.Event
	var want []string
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e struct {
			Event     acd.Event
			Decisions json.RawMessage
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &e))
		log, want = append(log, e.Event), append(want, string(e.Decisions))
	}
	require.NoError(t, s.Err())
	require.Greater(t, len(log), 300)
	i := 0
	for e, err := range acd.Replay(seq(log)) {
		require.NoError(t, err)
		got := ""
		if len(e.Decisions) > 0 {
			b, err := json.Marshal(e.Decisions)
			require.NoError(t, err)
			got = string(b)
		}
		require.Equal(t, want[i], got, "event %d", e.Event.Seq)
		i++
	}
	require.Equal(t, len(log), i)
}

// simulate plays random callers and agents for n turns, all invariants checked by d.
func simulate(d *driver, r *rand.Rand, n int) {
	arrived := 0
	for range n {
		d.sleep(time.Duration(r.IntN(4000)) * time.Millisecond)
		agent := d.rules.Agents[r.IntN(len(d.rules.Agents))].ID
		a := d.agents[agent]
		switch k := r.IntN(10); {
		case k < 2:
			arrived++
			id := fmt.Sprintf("w%d", arrived)
			d.must(acd.Event{Kind: acd.KindArrived, Work: id, Attributes: map[string]string{"n": fmt.Sprint(arrived)}})
			if r.IntN(5) > 0 {
				d.must(acd.Event{Kind: acd.KindEnqueued, Work: id, Queue: d.rules.Queues[r.IntN(len(d.rules.Queues))].Name, Priority: r.IntN(2)})
			}
		case k < 3:
			for i := range arrived { // the oldest open work that is not in conversation gives up
				id := fmt.Sprintf("w%d", i+1)
				if w := d.works[id]; w != nil && !w.talking {
					d.must(acd.Event{Kind: acd.KindAbandoned, Work: id})
					break
				}
			}
		case a.state == acd.LoggedOut:
			d.must(acd.Event{Kind: acd.KindLogin, Agent: agent})
		case a.state == acd.NotReady:
			d.must(acd.Event{Kind: acd.KindReady, Agent: agent})
		case a.state == acd.Reserved:
			d.answer([]acd.Kind{acd.KindRinging, acd.KindAccepted, acd.KindRejected}[r.IntN(3)], agent)
		case a.state == acd.Ringing && r.IntN(2) == 0:
			d.answer(acd.KindAccepted, agent)
		case a.state == acd.Talking:
			d.must(acd.Event{Kind: acd.KindEnded, Work: a.work, Reason: "caller"})
		case r.IntN(10) == 0:
			d.must(acd.Event{Kind: acd.KindLogout, Agent: agent})
		case r.IntN(10) == 0:
			d.must(acd.Event{Kind: acd.KindNotReady, Agent: agent, Reason: "lunch"})
		}
	}
}

// A long day: thousands of callers, every invariant after every event, live figures equal to history.
func TestSimulatedDay(t *testing.T) {
	d := newDriver(t, rules("a b c d e f g h", acd.Queue{Name: "sales", WrapUp: 3 * time.Second}, acd.Queue{Name: "support", Strategy: acd.FewestCalls}))
	simulate(d, rand.New(rand.NewPCG(3, 4)), 6000)
	r := d.tally.Report(d.now)
	require.Greater(t, r.Answered, 300)
	require.Positive(t, r.Abandoned)
	require.Positive(t, r.IVREnded)
	d.verifyReplay()
	n := 0
	for rec, err := range report.Records(seq(d.log)) {
		require.NoError(t, err)
		require.Equal(t, d.records[rec.Work], rec)
		n++
	}
	require.Equal(t, len(d.records), n)
}

// Any log, however broken, either replays or is refused; it never panics, and what replays has exact sums.
func FuzzReplay(f *testing.F) {
	golden, err := os.ReadFile("testdata/golden.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	later, err := os.ReadFile("testdata/golden2.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	for _, log := range [][]byte{golden, later} {
		f.Add(bytes.Join(bytes.Split(log, []byte("\n"))[:60], []byte("\n")))
	}
	f.Add(later)
	f.Add([]byte(`{"event":{"seq":1,"at":"2026-11-22T08:00:00Z","kind":"started","rules":{"queues":[{"name":"q"}],"agents":null}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var log []acd.Event
		for line := range bytes.Lines(data) {
			var e acd.Entry
			if json.Unmarshal(line, &e) != nil {
				return
			}
			log = append(log, e.Event)
		}
		tally := report.New()
		var now time.Time
		for e, err := range acd.Replay(seq(log)) {
			if err != nil {
				break
			}
			now = e.Event.At
			tally.Observe(e)
		}
		r := tally.Report(now)
		if r.Arrived != r.Answered+r.Abandoned+r.Overflowed+r.IVREnded+r.Open {
			t.Fatalf("the sum is wrong: %+v", r)
		}
	})
}

// Any state, however broken, is restored or refused, and what is restored can go on: it never panics and its timers come to an end.
func FuzzRestoreCore(f *testing.F) {
	var log []acd.Event
	for i, file := range []string{"testdata/golden.jsonl", "testdata/golden2.jsonl"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		core := acd.NewCore()
		for line := range bytes.Lines(text) {
			var e acd.Entry
			if err := json.Unmarshal(line, &e); err != nil {
				f.Fatal(err)
			}
			if _, err := core.Apply(e.Event); err != nil {
				f.Fatal(err)
			}
			if i == 1 {
				log = append(log, e.Event)
			}
			if e.Event.Seq%100 == 0 {
				state, err := core.MarshalState()
				if err != nil {
					f.Fatal(err)
				}
				f.Add(state)
			}
		}
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		core, err := acd.RestoreCore(state)
		if err != nil {
			return
		}
		var st struct{ Rules acd.Rules }
		if json.Unmarshal(state, &st) != nil {
			return
		}
		for _, q := range st.Rules.WithDefaults().Queues { // no Center runs those: a second holds too many offers
			cb := q.Callback
			if min(q.RingTimeout, q.RejectPause) < time.Second || cb.Expiry > 0 && min(cb.Retry, cb.DialTimeout) < time.Second || q.WrapUp > 0 && q.WrapUp < time.Second {
				return
			}
		}
		if _, err := core.MarshalState(); err != nil {
			t.Fatal(err)
		}
		for _, ev := range log[:min(200, len(log))] {
			ev.Seq, ev.At = core.Seq()+1, core.Now().Add(time.Second)
			if due, ok := core.NextTimer(); ok && !due.After(ev.At) && ev.Kind != acd.KindTimer {
				if _, err := core.Apply(acd.Event{Seq: ev.Seq, At: ev.At, Kind: acd.KindTimer}); err != nil {
					return // beyond the end of time
				}
				ev.Seq++
			}
			_, _ = core.Apply(ev)
		}
		_ = core.Snapshot(core.Now())
		_ = core.Works()
	})
}

// The figures of package report stay exact over the later features: ring-all, callbacks, exits, and a process that resumes.
func TestReportOverTheLaterFeatures(t *testing.T) {
	tally := report.New()
	core := acd.NewCore()
	for e, err := range acd.Replay(seq(goldenDay(t).log)) {
		require.NoError(t, err)
		tally.Observe(e)
		_, err := core.Apply(e.Event)
		require.NoError(t, err)
		r := tally.Report(e.Event.At)
		require.Equal(t, r.Arrived, r.Answered+r.Abandoned+r.Overflowed+r.IVREnded+r.Open)
		for _, q := range core.Snapshot(e.Event.At).Queues {
			w := r.Queues[q.Name]
			require.Equal(t, w.Entered, w.Answered+w.Abandoned+w.Overflowed+w.Waiting)
			require.Equal(t, w.Waiting, q.Waiting+q.Offered, "%s at event %d", q.Name, e.Event.Seq)
		}
	}
}
