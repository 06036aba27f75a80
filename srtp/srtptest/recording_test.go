package srtptest_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/srtptest"
)

func sine(freq float64, rate, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8192 * math.Sin(2*math.Pi*freq*float64(i)/float64(rate)))
	}
	return pcm
}

func TestRecordingMeasures(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, freq := range []float64{60, 440, 441, 3400} {
			r := &srtptest.Recording{PCM: sine(freq, rate, rate), Rate: rate}
			assert.InDelta(t, freq, r.Pitch(), 0.5, "%d Hz", rate)
			assert.Greater(t, r.Share(freq), 0.98)
			assert.Zero(t, r.Clicks())
			assert.Equal(t, time.Second, r.Duration())
			assert.InDelta(t, -12, r.Level(), 0.2)
			// 20 ms missing click where they begin and where they end, but for an end at which the tone is near zero anyway.
			clear(r.PCM[rate/3 : rate/3+rate/50])
			assert.Contains(t, []int{1, 2}, r.Clicks(), "%v Hz at %d", freq, rate)
			assert.InDelta(t, freq, r.Pitch(), 0.5)
		}
	}
	silent := &srtptest.Recording{PCM: make([]int16, 800), Rate: 8000}
	assert.Zero(t, silent.Pitch())
	assert.Zero(t, silent.Clicks())
	assert.Zero(t, silent.Share(440))
	assert.InDelta(t, -100, silent.Level(), 0)
	// G.711 alone does not click, and a jump in phase does.
	coded := sine(440, 8000, 8000)
	b := make([]byte, len(coded))
	codec.EncodeMulaw(b, coded)
	codec.DecodeMulaw(coded, b)
	r := &srtptest.Recording{PCM: coded, Rate: 8000}
	assert.Zero(t, r.Clicks())
	r.PCM = append(r.PCM[:3990:3990], r.PCM[4000:]...)
	assert.Equal(t, 1, r.Clicks())
}
