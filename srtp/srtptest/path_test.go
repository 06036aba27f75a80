package srtptest_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/srtptest"
)

// arrivals sends n packets of 172 bytes 20 ms apart.
func arrivals(t testing.TB, cfg srtptest.PathConfig, n int) ([][]time.Duration, srtptest.PathStats) {
	t.Helper()
	p, err := srtptest.NewPath(cfg)
	require.NoError(t, err)
	out := make([][]time.Duration, n)
	pkt := make([]byte, 172)
	for i := range out {
		out[i] = p.Send(time.Duration(i)*20*time.Millisecond, pkt)
	}
	return out, p.Stats()
}

func TestPathIsPerfectByDefault(t *testing.T) {
	got, s := arrivals(t, srtptest.PathConfig{}, 100)
	for i, at := range got {
		assert.Equal(t, []time.Duration{time.Duration(i) * 20 * time.Millisecond}, at)
	}
	assert.Equal(t, srtptest.PathStats{Packets: 100}, s)
}

func TestPathDoesWhatItIsTold(t *testing.T) {
	const n = 20000
	t.Run("loss", func(t *testing.T) {
		_, s := arrivals(t, srtptest.PathConfig{Loss: 0.05, Seed: 7}, n)
		assert.InDelta(t, n*0.05, s.Lost, n*0.005)
	})
	t.Run("chosen packets", func(t *testing.T) {
		got, s := arrivals(t, srtptest.PathConfig{Drop: func(n uint64, b []byte) bool { return n == 3 && len(b) == 172 }}, 10)
		assert.Nil(t, got[3])
		assert.EqualValues(t, 1, s.Lost)
	})
	t.Run("delay and jitter keep the order", func(t *testing.T) {
		got, _ := arrivals(t, srtptest.PathConfig{Delay: 50 * time.Millisecond, Jitter: 60 * time.Millisecond}, n)
		least, most, last := time.Hour, time.Duration(0), time.Duration(0)
		for i, at := range got {
			d := at[0] - time.Duration(i)*20*time.Millisecond
			least, most = min(least, d), max(most, d)
			require.GreaterOrEqual(t, at[0], last)
			last = at[0]
		}
		assert.GreaterOrEqual(t, least, 50*time.Millisecond)
		assert.Less(t, least, 55*time.Millisecond)
		assert.InDelta(t, float64(110*time.Millisecond), float64(most), float64(time.Millisecond))
	})
	t.Run("reorder", func(t *testing.T) {
		got, s := arrivals(t, srtptest.PathConfig{Reorder: 0.02}, n)
		behind := uint64(0)
		for i := range got[:n-1] {
			if got[i][0] > got[i+1][0] {
				behind++
			}
		}
		assert.InDelta(t, n*0.02, s.Reordered, n*0.004)
		assert.InDelta(t, s.Reordered, behind, float64(s.Reordered)/10, "two late ones in a row keep their order")
	})
	t.Run("duplicates", func(t *testing.T) {
		got, s := arrivals(t, srtptest.PathConfig{Duplicate: 0.1}, n)
		twice := uint64(0)
		for _, at := range got {
			if len(at) == 2 {
				twice++
				assert.LessOrEqual(t, at[1]-at[0], 20*time.Millisecond)
			}
		}
		assert.Equal(t, s.Duplicated, twice)
		assert.InDelta(t, n*0.1, twice, n*0.01)
	})
	t.Run("rate", func(t *testing.T) {
		// 172 bytes in 20 ms are 68.8 kbit/s: half of that lets half through once the queue is full.
		got, s := arrivals(t, srtptest.PathConfig{Rate: 34400, Queue: 100 * time.Millisecond}, n)
		assert.InDelta(t, n/2, s.Congested, 10)
		for i, at := range got {
			if at != nil {
				assert.LessOrEqual(t, at[0]-time.Duration(i)*20*time.Millisecond, 140*time.Millisecond)
			}
		}
	})
	t.Run("drift", func(t *testing.T) {
		got, _ := arrivals(t, srtptest.PathConfig{Drift: 100}, n)
		assert.InDelta(t, float64(n*20*time.Millisecond)*1e-4, float64(got[n-1][0]-(n-1)*20*time.Millisecond), float64(time.Millisecond))
		got, _ = arrivals(t, srtptest.PathConfig{Drift: -100, Delay: 10 * time.Millisecond}, n)
		assert.Equal(t, time.Duration(n-1)*20*time.Millisecond, got[n-1][0], "no packet arrives before it was sent")
	})
}

// The same seed and the same packets have the same fate, and one setting does not change what another does.
func TestPathIsDeterministic(t *testing.T) {
	cfg := srtptest.PathConfig{Seed: 42, Loss: 0.03, Jitter: 30 * time.Millisecond, Reorder: 0.05, Duplicate: 0.04, Rate: 90000, Drift: 50}
	one, a := arrivals(t, cfg, 5000)
	two, b := arrivals(t, cfg, 5000)
	assert.Equal(t, one, two)
	assert.Equal(t, a, b)
	cfg.Seed = 43
	other, _ := arrivals(t, cfg, 5000)
	assert.NotEqual(t, one, other)
	calm, _ := arrivals(t, srtptest.PathConfig{Seed: 42, Loss: 0.03}, 5000)
	for i := range one {
		assert.Equal(t, calm[i] == nil, one[i] == nil, "the same packets are lost")
	}
}

func TestPathProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := srtptest.PathConfig{Seed: rapid.Uint64().Draw(t, "seed"), Loss: rapid.Float64Range(0, 1).Draw(t, "loss"),
			Delay: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "delay")), Jitter: time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "jitter")),
			Reorder: rapid.Float64Range(0, 1).Draw(t, "reorder"), Duplicate: rapid.Float64Range(0, 1).Draw(t, "duplicate"),
			Rate: rapid.IntRange(0, 1e6).Draw(t, "rate"), Drift: rapid.Float64Range(-1e5, 1e5).Draw(t, "drift")}
		p, err := srtptest.NewPath(cfg)
		require.NoError(t, err)
		at, arrived, copies := time.Duration(0), 0, 0
		for _, gap := range rapid.SliceOfN(rapid.Int64Range(0, 1e8), 1, 200).Draw(t, "gaps") {
			at += time.Duration(gap)
			times := p.Send(at, make([]byte, 100))
			require.LessOrEqual(t, len(times), 2)
			require.True(t, slices.IsSorted(times))
			for _, x := range times {
				require.GreaterOrEqual(t, x, at)
			}
			arrived += min(1, len(times))
			copies += len(times)
		}
		s := p.Stats()
		require.EqualValues(t, s.Packets, uint64(arrived)+s.Lost+s.Congested)
		require.EqualValues(t, copies-arrived, s.Duplicated)
	})
}

func TestPathRefusesNonsense(t *testing.T) {
	for name, cfg := range map[string]srtptest.PathConfig{
		"loss":      {Loss: 1.1},
		"negative":  {Duplicate: -0.1},
		"no number": {Reorder: math.NaN()},
		"delay":     {Delay: -1},
		"rate":      {Rate: -1},
		"drift":     {Drift: -1e6},
	} {
		_, err := srtptest.NewPath(cfg)
		require.ErrorIs(t, err, srtptest.ErrConfig, name)
		_, err = srtptest.NewRelay(srtptest.RelayConfig{BA: cfg})
		require.ErrorIs(t, err, srtptest.ErrConfig, name)
	}
}
