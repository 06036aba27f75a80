package jitter_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/internal/jitter"
)

func TestPerfectNetwork(t *testing.T) {
	for _, c := range []struct{ clock, ticks int }{{8000, 80}, {8000, 160}, {8000, 240}, {8000, 320}, {8000, 480}, {48000, 960}, {48000, 2880}} {
		for _, frame := range []time.Duration{10 * ms, 20 * ms, 30 * ms, 60 * ms} {
			s := sim{cfg: jitter.Config{Clock: c.clock, Frame: frame}, n: 500, ticks: c.ticks, seq: 65400, ts: 1<<32 - 5000}
			st := s.run(t)
			name := fmt.Sprint(c, frame)
			assert.EqualValues(t, 500, st.Played+st.Skipped, name)
			assert.LessOrEqual(t, st.Skipped, uint64(2), name) // the first guess was longer
			assert.Zero(t, st.Lost+st.Late+st.Duplicates+st.Refused+st.Restarts, name)
			assert.LessOrEqual(t, s.late, 160*ms, name)
		}
	}
}

// Jitter below the bound costs nothing once it was measured, and a delay not much longer than it.
func TestJitterIsAbsorbed(t *testing.T) {
	for _, j := range []time.Duration{0, 5 * ms, 20 * ms, 40 * ms, 80 * ms, 120 * ms} {
		for seed := range uint64(5) {
			s := sim{n: 6000, network: uniform(seed, j), from: 10 * time.Second, seq: 60000}
			st := s.run(t)
			name := fmt.Sprint(j, seed)
			assert.Zero(t, s.kinds[jitter.Lost], name)
			assert.Zero(t, s.missed, name)
			assert.LessOrEqual(t, st.Target, j+30*ms, name)
			assert.GreaterOrEqual(t, st.Target, j, name)
			assert.LessOrEqual(t, s.late, j+75*ms, name)
			assert.LessOrEqual(t, s.kinds[jitter.Stretch]+s.kinds[jitter.Dry], 5, name)
			assert.GreaterOrEqual(t, len(s.heard), 5480, name)
		}
	}
}

// The delay falls again when the network calms down, and never passes the bound.
func TestDelayFollowsTheNetwork(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	s := sim{cfg: jitter.Config{Max: 150 * ms}, n: 6000, network: func(i int) (time.Duration, bool) {
		if i > 1000 && i < 2000 {
			return time.Duration(r.Int64N(int64(300 * ms))), true
		}
		return time.Duration(r.Int64N(int64(10 * ms))), true
	}}
	var highest time.Duration
	s.pull = func(_ testing.TB, _ time.Duration, _ jitter.Result) { highest = max(highest, s.buf.Stats().Target) }
	st := s.run(t)
	assert.Equal(t, 150*ms, highest)
	assert.LessOrEqual(t, st.Target, 40*ms)
	assert.LessOrEqual(t, st.Delay, 80*ms)
	assert.LessOrEqual(t, s.late, 150*ms+20*ms+20*ms)
}

// Every missing packet is told once; what is there is played.
func TestLoss(t *testing.T) {
	for _, percent := range []int{1, 5, 20} {
		r := rand.New(rand.NewPCG(2, uint64(percent)))
		dropped := 0
		s := sim{n: 3000, network: func(i int) (time.Duration, bool) {
			if i > 10 && i < 2990 && r.IntN(100) < percent {
				dropped++
				return 0, false
			}
			return time.Duration(r.Int64N(int64(15 * ms))), true
		}}
		st := s.run(t)
		assert.EqualValues(t, dropped, st.Lost, percent)
		assert.Equal(t, dropped, s.kinds[jitter.Lost]+s.missed, percent)
		assert.EqualValues(t, 3000-dropped, st.Played+st.Skipped, percent)
		assert.LessOrEqual(t, st.Skipped, uint64(3), percent)
	}
}

func TestReorderAndDuplicates(t *testing.T) {
	s := sim{n: 1000, seq: 65000, network: func(i int) (time.Duration, bool) {
		if i%10 == 3 {
			return 50 * ms, true // behind the next two
		}
		return 0, true
	}}
	st := s.run(t)
	assert.Zero(t, st.Refused)
	assert.LessOrEqual(t, st.Lost, uint64(2), "only before it was measured")

	b, err := jitter.New(jitter.Config{})
	require.NoError(t, err)
	p := jitter.Packet{SSRC: 1, Seq: 7, TS: 100, Ticks: 160, Payload: make([]byte, 160)}
	require.True(t, b.Put(p))
	require.False(t, b.Put(p), "while it is held")
	require.Equal(t, jitter.Frame, b.Get(60*ms).Kind)
	require.False(t, b.Put(p), "after it was played")
	p.Seq, p.TS, p.At = 9, 420, 60*ms
	require.True(t, b.Put(p))
	require.Equal(t, jitter.Lost, b.Get(80*ms).Kind)
	require.Equal(t, jitter.Frame, b.Get(100*ms).Kind)
	p.Seq, p.TS = 8, 260
	require.False(t, b.Put(p))
	st = b.Stats()
	require.EqualValues(t, 2, st.Duplicates)
	require.EqualValues(t, 1, st.Late)
	require.EqualValues(t, 1, st.Lost)
}

// Clocks 200 ppm apart for four hours: 2.9 s of drift, and nothing lost.
func TestDrift(t *testing.T) {
	for _, ppm := range []int{200, -200} {
		const n = 4 * 3600 * 50
		b, err := jitter.New(jitter.Config{})
		require.NoError(t, err)
		r := rand.New(rand.NewPCG(3, 3))
		payload := make([]byte, 160)
		next, longest := 0, time.Duration(0)
		at := func(i int) time.Duration {
			sent := time.Duration(i) * 20 * ms
			return sent - sent/1_000_000*time.Duration(ppm)
		}
		arrive := at(0)
		for now := time.Duration(0); next < n; now += 20 * ms {
			for next < n && arrive <= now {
				b.Put(jitter.Packet{SSRC: 1, Seq: uint16(next), TS: uint32(next * 160), Ticks: 160, Payload: payload, At: arrive})
				next++
				arrive = max(arrive, at(next)+time.Duration(r.Int64N(int64(10*ms))))
			}
			b.Get(now)
			longest = max(longest, b.Stats().Delay)
		}
		st := b.Stats()
		drift := uint64(n * 200 / 1_000_000)
		assert.Zero(t, st.Lost, ppm)
		assert.Zero(t, st.Late, ppm)
		assert.Less(t, longest, 110*ms, ppm)
		if ppm > 0 {
			assert.InDelta(t, drift, st.Skipped, 8, "one packet left out for each 20 ms")
			assert.Less(t, st.Concealed, uint64(20))
		} else {
			assert.InDelta(t, drift, st.Concealed, 20, "one frame concealed for each 20 ms")
			assert.Less(t, st.Skipped, uint64(10))
		}
	}
}

// The network stands still and then delivers everything: the delay is cut back at once.
func TestBurstAfterStall(t *testing.T) {
	for _, stall := range []time.Duration{300 * ms, 900 * ms, 3 * time.Second} {
		s := sim{n: 1500, network: func(i int) (time.Duration, bool) {
			sent := time.Duration(i) * 20 * ms
			return max(5*time.Second+stall-sent, 0) * time.Duration(min(i/250, 1)), true
		}}
		st := s.run(t)
		assert.LessOrEqual(t, st.Target, 80*ms, stall)
		assert.LessOrEqual(t, st.Delay, 120*ms, stall)
		assert.EqualValues(t, 1500, st.Played+st.Skipped+st.Lost, stall)
		assert.LessOrEqual(t, int(st.Skipped+st.Lost), int(stall/(20*ms))+10, stall)
		assert.GreaterOrEqual(t, s.kinds[jitter.Dry], int(stall/(20*ms))-11, stall)
	}
}

// A path that is longer from now on is followed, not fought.
func TestLongerPath(t *testing.T) {
	s := sim{n: 1500, network: func(i int) (time.Duration, bool) {
		if i > 500 {
			return 450 * ms, true
		}
		return 0, true
	}}
	st := s.run(t)
	assert.LessOrEqual(t, st.Lost+st.Skipped+st.Late, uint64(30))
	assert.LessOrEqual(t, st.Delay, 100*ms)
}

// Silence that is not sent (RFC 3389, RFC 7587 section 3.1.3) is played as silence, and no loss.
func TestSilence(t *testing.T) {
	at := func(i int) time.Duration { return time.Duration(i%50+i/50*100) * 20 * ms } // one second of speech, one of silence
	s := sim{n: 1000, packet: func(i int, p *jitter.Packet) {
		p.At = at(i) + time.Duration(i%7)*ms
		p.TS = uint32(at(i)/ms) * 8
		p.Marker, p.Silent = i%50 == 0, i%50 == 49
	}}
	marked := 0
	s.pull = func(_ testing.TB, _ time.Duration, r jitter.Result) {
		if r.Marker {
			marked++
		}
	}
	st := s.run(t)
	assert.EqualValues(t, 1000, st.Played)
	assert.Zero(t, st.Lost+st.Skipped+st.Late)
	assert.InDelta(t, 950+20, s.kinds[jitter.Comfort], 40)
	assert.LessOrEqual(t, s.kinds[jitter.Dry], 25)
	assert.Equal(t, 20, marked)
}

// Another source, another sequence, another timestamp: playing goes on.
func TestRestarts(t *testing.T) {
	for name, change := range map[string]func(p *jitter.Packet){
		"source":              func(p *jitter.Packet) { p.SSRC, p.Seq, p.TS = 2, p.Seq+777, p.TS-5 },
		"sequence":            func(p *jitter.Packet) { p.Seq += 20000 },
		"sequence back":       func(p *jitter.Packet) { p.Seq -= 20000 },
		"timestamp":           func(p *jitter.Packet) { p.TS += 1 << 30 },
		"timestamp back":      func(p *jitter.Packet) { p.TS -= 1 << 30 },
		"timestamp back some": func(p *jitter.Packet) { p.TS -= 800 },
	} {
		s := sim{n: 1000, packet: func(i int, p *jitter.Packet) {
			if i >= 500 {
				change(p)
			}
		}}
		st := s.run(t)
		assert.EqualValues(t, 1, st.Restarts, name)
		assert.GreaterOrEqual(t, st.Played, uint64(990), name)
		assert.LessOrEqual(t, st.Delay, 100*ms, name)
		assert.Zero(t, st.Late, name)
	}
	// One packet from nowhere is not believed.
	s := sim{n: 1000, packet: func(i int, p *jitter.Packet) {
		if i == 500 {
			p.Seq += 20000
		}
	}}
	st := s.run(t)
	assert.Zero(t, st.Restarts)
	assert.EqualValues(t, 1, st.Refused)
	assert.EqualValues(t, 1, st.Lost)
}

func TestBounds(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(jitter.Buffer{}), uintptr(16<<10))
	t.Log("size", unsafe.Sizeof(jitter.Buffer{}))
	for _, c := range []jitter.Config{{Clock: 4000}, {Frame: 5 * ms}, {Max: time.Second}, {Min: 50 * ms, Max: 40 * ms}, {Start: time.Second}} {
		_, err := jitter.New(c)
		require.ErrorIs(t, err, jitter.ErrConfig)
	}
	b, err := jitter.New(jitter.Config{})
	require.NoError(t, err)
	require.False(t, b.Put(jitter.Packet{Ticks: 160, Payload: make([]byte, 1501)}))
	require.False(t, b.Put(jitter.Packet{Payload: make([]byte, 160)}))
	require.Equal(t, jitter.Waiting, b.Get(0).Kind)
	for i := range 5000 { // nobody plays
		b.Put(jitter.Packet{Seq: uint16(i), TS: uint32(i * 160), Ticks: 160, Payload: make([]byte, 1500), At: time.Duration(i) * 20 * ms})
	}
	require.LessOrEqual(t, b.Stats().Depth, 6, "128 pieces of 80 bytes")
	r := b.Get(100 * time.Second)
	require.Equal(t, jitter.Frame, r.Kind)
	require.Len(t, r.Payload, 1500)
	require.Equal(t, "frame", r.Kind.String())
}

func TestNoAllocations(t *testing.T) {
	b, err := jitter.New(jitter.Config{})
	require.NoError(t, err)
	payload, i := make([]byte, 160), 0
	require.Zero(t, testing.AllocsPerRun(2000, func() { step(b, payload, &i) }))
}

func step(b *jitter.Buffer, payload []byte, i *int) {
	now := time.Duration(*i) * 20 * ms
	b.Put(jitter.Packet{SSRC: 1, Seq: uint16(*i), TS: uint32(*i * 160), Ticks: 160, Payload: payload, At: now + time.Duration(*i*7919%9)*ms})
	b.Get(now + 10*ms)
	*i++
}

func BenchmarkPutGet(b *testing.B) {
	buf, err := jitter.New(jitter.Config{})
	if err != nil {
		b.Fatal(err)
	}
	payload, i := make([]byte, 160), 0
	b.ReportAllocs()
	for b.Loop() {
		step(buf, payload, &i)
	}
}
