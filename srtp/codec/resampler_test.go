package codec_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

var streamRates = []int{8000, 16000, 24000, 48000}

// stream resamples in frames of n samples.
func stream(t *testing.T, in []int16, from, to, n int) []int16 {
	t.Helper()
	r, err := codec.NewResampler(from, to)
	require.NoError(t, err)
	var out []int16
	buf := make([]int16, r.Max(n))
	for i := 0; i < len(in); i += n {
		k, err := r.Process(buf, in[i:min(i+n, len(in))])
		require.NoError(t, err)
		out = append(out, buf[:k]...)
	}
	return out
}

func rms(pcm []int16) float64 {
	var e float64
	for _, v := range pcm {
		e += float64(v) * float64(v)
	}
	return math.Sqrt(e / float64(max(1, len(pcm))))
}

func TestResamplerBands(t *testing.T) {
	for _, from := range streamRates {
		for _, to := range streamRates {
			nyquist := float64(min(from, to)) / 2
			for _, share := range []float64{0.025, 0.1, 0.25, 0.5, 0.75, 0.85} {
				freq := share * nyquist
				out := stream(t, sine(freq, from, from/2, 16000), from, to, from/50)
				require.Len(t, out, to/2)
				f, amp, snr := fit(out[to/50:], to, freq)
				assert.InDelta(t, freq, f, 0.1, "%d to %d", from, to)
				assert.InDelta(t, 0, 20*math.Log10(amp/16000), 0.1, "%d to %d: %v Hz", from, to, freq)
				assert.Greater(t, snr, 60.0, "%d to %d: %v Hz has images", from, to, freq)
			}
			if from <= to {
				continue
			}
			for _, share := range []float64{1.1, 1.3, 1.7} {
				if freq := share * nyquist; freq < float64(from)/2 {
					out := stream(t, sine(freq, from, from/2, 16000), from, to, from/50)
					db := 20 * math.Log10(max(0.01, rms(out[to/50:]))/(16000/math.Sqrt2))
					assert.Less(t, db, -65.0, "%d to %d: %v Hz folds", from, to, freq)
				}
			}
		}
	}
}

// Frames of any size give the same samples as the whole: there is no seam.
func TestResamplerHasNoSeams(t *testing.T) {
	for _, from := range streamRates {
		for _, to := range streamRates {
			in := sine(700, from, from/5, 20000)
			want := stream(t, in, from, to, len(in))
			for _, n := range []int{1, 7, 160, 441, 3000} {
				require.Equal(t, want, stream(t, in, from, to, n), "%d to %d, frames of %d", from, to, n)
			}
		}
	}
}

func TestResamplerDelay(t *testing.T) {
	for _, from := range streamRates {
		for _, to := range streamRates {
			r, err := codec.NewResampler(from, to)
			require.NoError(t, err)
			in := make([]int16, from/10)
			for i := from / 50; i < from/50+from/1000; i++ {
				in[i] = 20000 // a pulse of 1 ms after 20 ms
			}
			out := make([]int16, r.Max(len(in)))
			_, err = r.Process(out, in)
			require.NoError(t, err)
			var mass, moment float64
			for i, v := range out {
				mass += float64(v)
				moment += float64(v) * float64(i)
			}
			centre := (0.0205 - 0.5/float64(from)) * float64(to)
			assert.InDelta(t, centre+float64(r.Delay()), moment/mass, 1, "%d to %d", from, to)
			assert.LessOrEqual(t, r.Delay(), 3*to/1000)
		}
	}
}

func TestResamplerLimits(t *testing.T) {
	for _, bad := range [][2]int{{8000, 44100}, {0, 8000}, {-1, 1}} {
		_, err := codec.NewResampler(bad[0], bad[1])
		require.ErrorIs(t, err, codec.ErrRate)
	}
	r, err := codec.NewResampler(8000, 48000)
	require.NoError(t, err)
	_, err = r.Process(make([]int16, 959), make([]int16, 160))
	require.ErrorIs(t, err, codec.ErrShort)
	square := make([]int16, 160)
	for i := range square {
		square[i] = 32767
		if i/20%2 == 1 {
			square[i] = -32768
		}
	}
	out := make([]int16, 960)
	_, err = r.Process(out, square) // overshoots, and must not wrap
	require.NoError(t, err)
	for i := 1; i < len(out); i++ {
		require.Less(t, math.Abs(float64(out[i])-float64(out[i-1])), 40000.0, "wraps at %d", i)
	}
	assert.Zero(t, testing.AllocsPerRun(20, func() { _, _ = r.Process(out, square) }))
}
