package codec_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/srtp/codec"
)

// conceal runs a stream through a PLC, losing those frames.
func conceal(t testing.TB, in []int16, rate, frame int, lost func(i int) bool) []int16 {
	t.Helper()
	p, err := codec.NewPLC(rate)
	require.NoError(t, err)
	out := append([]int16(nil), in[:len(in)/frame*frame]...)
	for i := 0; i < len(out); i += frame {
		if lost(i / frame) {
			p.Conceal(out[i : i+frame])
		} else {
			p.Good(out[i : i+frame])
		}
	}
	return out
}

func steepest(pcm []int16) float64 {
	d := 0.0
	for i := 1; i < len(pcm); i++ {
		d = max(d, math.Abs(float64(pcm[i])-float64(pcm[i-1])))
	}
	return d
}

// A tone with one frame in a hundred lost stays a tone: no step is much steeper than the tone's own, and its frequency is where it was.
func TestPLCTone(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, ms := range []int{10, 20, 30, 40, 60} {
			for _, freq := range []float64{100, 205, 440, 697, 1000, 1633} {
				r := rand.New(rand.NewPCG(uint64(rate), uint64(freq)))
				in := sine(freq, rate, 4*rate, 10000)
				out := conceal(t, in, rate, rate*ms/1000, func(i int) bool { return i > 3 && r.IntN(100) == 0 })
				f, _, _ := fit(out, rate, freq)
				assert.InDelta(t, freq, f, 3, "%d Hz, %d ms", rate, ms)
				assert.Less(t, steepest(out), 1.5*steepest(in)+200, "%d Hz, %d ms frames, %v Hz clicks", rate, ms, freq)
			}
		}
	}
}

// What is repeated is the period of a voice: after one lost frame of 20 ms most of the wave is right.
func TestPLCVoice(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, pitch := range []float64{80, 110, 150, 210, 290} {
			in := make([]int16, rate)
			for i := range in {
				x := 0.0
				for h := 1.0; h < 12; h++ {
					x += math.Sin(2*math.Pi*pitch*h*float64(i)/float64(rate)+h*h) / h
				}
				in[i] = int16(4000 * x)
			}
			frame := rate / 50
			out := conceal(t, in, rate, frame, func(i int) bool { return i == 20 })
			var e float64
			for i := 20 * frame; i < 20*frame+rate/100; i++ {
				e += math.Pow(float64(out[i])-float64(in[i]), 2)
			}
			assert.Less(t, math.Sqrt(e/float64(rate/100)), 0.5*rms(in), "%d Hz, %v Hz", rate, pitch)
			assert.Greater(t, rms(out[20*frame:21*frame]), 0.6*rms(in))
			assert.Equal(t, in[22*frame:], out[22*frame:], "afterwards nothing is changed")
		}
	}
}

// A long loss fades to silence within 60 ms and the audio comes back without a click.
func TestPLCFades(t *testing.T) {
	in := sine(300, 8000, 8000, 12000)
	out := conceal(t, in, 8000, 160, func(i int) bool { return i >= 10 && i < 20 })
	assert.Greater(t, rms(out[10*160:10*160+80]), 0.8*rms(in))
	assert.Zero(t, rms(out[10*160+480:20*160]))
	last := math.Inf(1)
	for i := 10 * 160; i < 10*160+480; i += 80 {
		v := rms(out[i : i+80])
		assert.Less(t, v, last*1.05)
		last = v
	}
	assert.Less(t, steepest(out), 1.5*steepest(in))
	quiet := conceal(t, make([]int16, 1600), 8000, 160, func(i int) bool { return i > 2 })
	assert.Zero(t, rms(quiet), "silence stays silence")
	first := conceal(t, in, 8000, 160, func(i int) bool { return i == 0 })
	assert.Zero(t, rms(first[:160]), "nothing before the first frame")
}

// Whatever is played and lost, in whatever lengths: no panic, no allocation, and nothing louder than what was played.
func TestPLCAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]int{8000, 16000}).Draw(t, "rate")
		p, err := codec.NewPLC(rate)
		require.NoError(t, err)
		peak := float64(rapid.IntRange(0, 16000).Draw(t, "peak"))
		at := 0
		for range rapid.IntRange(1, 30).Draw(t, "frames") {
			n := rapid.IntRange(0, 60*rate/1000).Draw(t, "n")
			f := make([]int16, n)
			for i := range f {
				f[i] = int16(peak * math.Sin(float64(at)*float64(at)/5000))
				at++
			}
			if rapid.Bool().Draw(t, "lost") {
				p.Conceal(f)
			} else {
				p.Good(f)
			}
			for _, v := range f {
				require.LessOrEqual(t, math.Abs(float64(v)), peak+1)
			}
		}
	})
	_, err := codec.NewPLC(48000)
	require.ErrorIs(t, err, codec.ErrRate)
	p, _ := codec.NewPLC(16000)
	frame := sine(200, 16000, 320, 9000)
	assert.Zero(t, testing.AllocsPerRun(20, func() { p.Good(frame); p.Conceal(frame); p.Conceal(frame); p.Conceal(frame) }))
}
