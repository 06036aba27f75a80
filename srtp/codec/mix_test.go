package codec_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Whoever hears whom, the result is what adding up one listener at a time gives.
func TestMixAgainstNaive(t *testing.T) {
	m, err := codec.NewMixer(8)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 2, 3, 7, 64, 65, 130}).Draw(t, "n")
		peak := rapid.SampledFrom([]int{10, 9000, 32767}).Draw(t, "peak")
		seed := rapid.Uint64().Draw(t, "seed")
		next := func() uint64 { seed = seed*6364136223846793005 + 1442695040888963407; return seed >> 33 }
		frames, hears := make([][]int16, n), make([]codec.HearSet, n)
		few := rapid.Bool().Draw(t, "few")
		for i := range n {
			if next()%4 != 0 {
				frames[i] = make([]int16, 8)
				for k := range frames[i] {
					frames[i][k] = int16(int(next())%(2*peak+1) - peak)
				}
			}
			for j := range n {
				if (j != i && !few) || (few && next()%8 == 0) {
					hears[i] = hears[i].Add(j)
				}
			}
		}
		hears[0].Remove(n - 1)
		require.NoError(t, m.Mix(frames, hears))
		for i := range n {
			var sum [8]float64
			voices := 0
			for j, f := range frames {
				if f != nil && hears[i].Has(j) {
					voices++
					for k, v := range f {
						sum[k] += float64(v)
					}
				}
			}
			got, result := m.Heard(i)
			if voices == 0 {
				require.Nil(t, got)
				require.Equal(t, -1, result)
				continue
			}
			require.Less(t, result, m.Results())
			for k, v := range sum {
				if x := math.Abs(v) - 24576; x > 0 && voices > 1 {
					v = math.Copysign(24576+x*8191/(x+8191), v)
				}
				require.InDelta(t, v, float64(got[k]), 1, "listener %d", i)
			}
		}
	})
}

// Listeners share a result; a thousand of them and three speakers are four results.
func TestMixShares(t *testing.T) {
	m, err := codec.NewMixer(160)
	require.NoError(t, err)
	const n = 1000
	frames, hears := make([][]int16, n), make([]codec.HearSet, n)
	for i := range n {
		for j := range n {
			if i != j {
				hears[i] = hears[i].Add(j)
			}
		}
	}
	for i := range 3 {
		frames[i] = sine(float64(300*(i+1)), 8000, 160, 3000)
	}
	require.NoError(t, m.Mix(frames, hears))
	assert.Equal(t, 4, m.Results())
	_, a := m.Heard(500)
	_, b := m.Heard(999)
	assert.Equal(t, a, b)
	assert.Zero(t, testing.AllocsPerRun(5, func() { _ = m.Mix(frames, hears) }))
	// A supervisor whispers to one agent: the caller does not hear it.
	frames, hears = frames[:3], []codec.HearSet{{}, {}, {}}
	hears[0] = hears[0].Add(1)        // the caller hears the agent
	hears[1] = hears[1].Add(0).Add(2) // the agent hears both
	hears[2] = hears[2].Add(0).Add(1) // the supervisor hears both
	require.NoError(t, m.Mix(frames, hears))
	got, _ := m.Heard(0)
	assert.Equal(t, frames[1], got, "one voice is left as it is")
}

func TestMixErrors(t *testing.T) {
	_, err := codec.NewMixer(0)
	require.ErrorIs(t, err, codec.ErrFrame)
	m, err := codec.NewMixer(160)
	require.NoError(t, err)
	hears := []codec.HearSet{codec.HearSet{}.Add(0)}
	require.NoError(t, m.Mix([][]int16{make([]int16, 160)}, hears))
	require.ErrorIs(t, m.Mix([][]int16{make([]int16, 159)}, hears), codec.ErrFrame)
	pcm, _ := m.Heard(0)
	assert.Nil(t, pcm, "no results after an error")
	require.ErrorIs(t, m.Mix(make([][]int16, 5000), nil), codec.ErrFrame)
	require.NoError(t, m.Mix(nil, nil))
	require.NoError(t, m.Mix(nil, hears))
	pcm, n := m.Heard(7)
	assert.Nil(t, pcm)
	assert.Equal(t, -1, n)
	assert.Nil(t, codec.HearSet(nil).Add(-1))
}
