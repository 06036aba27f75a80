package media_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/media"
)

// TestLoad200Calls runs 200 bridged and tapped calls, 20 000 packets a second in and out, with their 400 phones in the same process.
// It is for `make bench`: its figures depend on the machine.
func TestLoad200Calls(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	const calls = 200
	ours, phones := newEngine(t, media.Config{}), newEngine(t, media.Config{})
	var legs, peers []*media.Leg
	before := memory()
	for range 2 * calls {
		legs = append(legs, newLeg(t, ours))
	}
	for range 2 * calls {
		peers = append(peers, newLeg(t, phones))
	}
	for i := range legs {
		negotiate(t, peers[i], legs[i])
	}
	t.Logf("%d KB of memory a leg, phones included", (memory()-before)/uint64(len(legs)+len(peers))/1024)
	music := tone(t, 440, 3*time.Second)
	for i := 0; i < len(legs); i += 2 {
		_, err := media.NewBridge(legs[i], legs[i+1])
		require.NoError(t, err)
		legs[i].SetTap(deafTap{})
		legs[i+1].SetTap(deafTap{})
	}
	for _, p := range peers {
		p.Loop(music)
	}
	cpu, start := cpuTime(), time.Now()
	timer := time.NewTimer(10 * time.Second)
	<-timer.C
	used, took := cpuTime()-cpu, time.Since(start)
	in, out := ours.Stats(), phones.Stats()
	t.Logf("%.0f packets a second in, %d lost on the way in, %d on the way out, %.2f cores for calls and phones, %.1f us a packet at the bridge and its two phones",
		float64(in.Received)/took.Seconds(), in.Lost, out.Lost, used.Seconds()/took.Seconds(), float64(used.Microseconds())/float64(in.Received))
	assert.LessOrEqual(t, in.Lost+out.Lost, (in.Received+out.Received)/1000)
	assert.Zero(t, in.AuthFailures+in.Replays+in.Strangers)
	for _, l := range peers {
		assert.False(t, l.Stats().OneWay)
	}
}

type deafTap struct{}

func (deafTap) WriteFrame(time.Duration, string, []byte) {}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
