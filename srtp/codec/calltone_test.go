package codec_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

var countries = []string{"", "US", "UK", "DE", "FR", "IT", "ES", "NL", "AT", "CH", "SE", "JP", "AU", "IN"}

func tones(s codec.ToneSet) map[string]codec.CallTone {
	return map[string]codec.CallTone{
		"dial": s.Dial, "ringback": s.Ringback, "busy": s.Busy, "congestion": s.Congestion, "waiting": s.CallWaiting, "sit": s.SIT, "beep": s.Beep,
	}
}

// edges returns where the tone starts and stops, in samples, as an ear would find them: a pause is at least 5 ms of nothing.
func edges(pcm []int16, rate int) (at []int) {
	quiet, on := rate/200, false
	last := -1
	for i, v := range pcm {
		if v > 20 || v < -20 {
			if !on {
				at = append(at, i)
			}
			on, last = true, i
		} else if on && i-last > quiet {
			at, on = append(at, last+1), false
		}
	}
	return at
}

func TestTonesOfCountries(t *testing.T) {
	for _, code := range countries {
		set, ok := codec.Tones(code)
		require.True(t, ok, code)
		assert.Equal(t, code, set.Country)
		for name, tone := range tones(set) {
			for _, rate := range []int{8000, 16000} {
				loop := tone.Loop(rate)
				require.Positive(t, loop, "%s %s", code, name)
				require.LessOrEqual(t, loop, 20*rate)
				pcm := make([]int16, 2*loop)
				tone.Fill(pcm, 0, rate, 0.25)
				require.Greater(t, rms(pcm[:loop]), 100.0, "%s %s is silent", code, name)
				if tone.Once {
					continue
				}
				require.Equal(t, pcm[:loop], pcm[loop:], "%s %s at %d Hz: the loop has a seam", code, name, rate)
			}
			// Frames of any size join, from any position.
			whole, parts := make([]int16, 8000), make([]int16, 8000)
			tone.Fill(whole, 12345, 8000, 0.5)
			for i := 0; i < 8000; {
				n := min(37+i%171, 8000-i)
				tone.Fill(parts[i:i+n], 12345+i, 8000, 0.5)
				i += n
			}
			require.Equal(t, whole, parts, "%s %s", code, name)
		}
	}
	_, ok := codec.Tones("xx")
	assert.False(t, ok)
	gb, ok := codec.Tones("gb")
	assert.True(t, ok)
	assert.Equal(t, "UK", gb.Country)
}

// What is heard is what the tables say: the frequencies, and on and off to the sample.
func TestToneCadences(t *testing.T) {
	us, _ := codec.Tones("us")
	uk, _ := codec.Tones("uk")
	jp, _ := codec.Tones("jp")
	de, _ := codec.Tones("de")
	for name, v := range map[string]struct {
		tone  codec.CallTone
		ms    []int
		freqs []float64
	}{
		"US ringback": {us.Ringback, []int{0, 2000, 6000, 8000}, []float64{440, 480}},
		"US busy":     {us.Busy, []int{0, 500, 1000, 1500}, []float64{480, 620}},
		"UK ringback": {uk.Ringback, []int{0, 400, 600, 1000, 3000, 3400}, []float64{400, 450}},
		"DE ringback": {de.Ringback, []int{0, 1000, 5000, 6000}, []float64{425}},
		"JP ringback": {jp.Ringback, []int{0, 1000, 3000, 4000}, []float64{400}},
		"US SIT":      {us.SIT, []int{0, 990, 1990}, []float64{950, 1400, 1800}},
	} {
		pcm, err := v.tone.PCM(8000, 10*time.Second, 0.5)
		require.NoError(t, err)
		got := edges(pcm, 8000)
		require.GreaterOrEqual(t, len(got), len(v.ms), name)
		for i, ms := range v.ms {
			assert.InDelta(t, ms*8, got[i], 8, "%s edge %d", name, i) // the fade begins below hearing
		}
		on := pcm[:v.ms[1]*8]
		for _, f := range v.freqs {
			assert.Greater(t, codec.Goertzel(on, f)*float64(len(v.freqs)), 0.3, "%s %v Hz", name, f)
		}
		assert.Less(t, codec.Goertzel(on, 1133), 0.01, name)
		assert.LessOrEqual(t, int(slices.Max(pcm)), 16384)
	}
	beep, err := us.Beep.PCM(8000, time.Second, 0.5)
	require.NoError(t, err)
	assert.Len(t, edges(beep, 8000), 2, "it is heard once")
}

// A continuous tone does not drift and does not click, even a day on.
func TestToneAfterADay(t *testing.T) {
	us, _ := codec.Tones("us")
	pcm := make([]int16, 8000)
	us.Dial.Fill(pcm, 24*3600*8000+4321, 8000, 0.5)
	assert.InDelta(t, 0.5, codec.Goertzel(pcm, 350), 0.01)
	assert.InDelta(t, 0.5, codec.Goertzel(pcm, 440), 0.01)
	step := 0.0
	for i := 1; i < len(pcm); i++ {
		step = max(step, math.Abs(float64(pcm[i])-float64(pcm[i-1])))
	}
	assert.Less(t, step, 16384*2*math.Pi*440/8000)
	assert.Zero(t, testing.AllocsPerRun(10, func() { us.Ringback.Fill(pcm, 100, 8000, 0.5) }))
}

func TestToneErrors(t *testing.T) {
	de, _ := codec.Tones("de")
	_, err := de.Dial.PCM(800, time.Second, 1)
	require.ErrorIs(t, err, codec.ErrRate)
	_, err = de.Dial.PCM(8000, 2*time.Hour, 1)
	require.ErrorIs(t, err, codec.ErrTooLong)
	_, err = codec.CallTone{Parts: []codec.TonePart{{F1: 4000}}}.PCM(8000, time.Second, 1)
	require.ErrorIs(t, err, codec.ErrRate)
	pcm, err := codec.CallTone{}.PCM(8000, time.Second, 1)
	require.NoError(t, err)
	assert.Zero(t, rms(pcm))
	de.Dial.Fill(pcm, -1<<40, 8000, 1) // no sense, no panic
	de.Dial.Fill(pcm, 0, -8000, 1)
	assert.Zero(t, rms(pcm))
	_, err = codec.DTMF('E', time.Second)
	require.ErrorIs(t, err, codec.ErrFrame)
}
