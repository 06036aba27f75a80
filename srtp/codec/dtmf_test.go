package codec_test

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp/codec"
)

const keypad = "123A456B789C*0#D"

var (
	rows = []float64{697, 770, 852, 941}
	cols = []float64{1209, 1336, 1477, 1633}
)

// key makes a keypress: peaks of both tones in dBov of their power, offsets as shares, start phase random.
func key(r *rand.Rand, k byte, ms float64, rowDB, colDB, rowOff, colOff float64) []int16 {
	i := strings.IndexByte(keypad, k)
	fr, fc := rows[i/4]*(1+rowOff), cols[i%4]*(1+colOff)
	ar, ac := 32767*math.Sqrt2*math.Pow(10, rowDB/20), 32767*math.Sqrt2*math.Pow(10, colDB/20)
	pr, pc := r.Float64()*2*math.Pi, r.Float64()*2*math.Pi
	pcm := make([]int16, int(ms*8))
	for n := range pcm {
		x := ar*math.Sin(2*math.Pi*fr*float64(n)/8000+pr) + ac*math.Sin(2*math.Pi*fc*float64(n)/8000+pc)
		pcm[n] = int16(math.Round(max(-32768, min(32767, x))))
	}
	return pcm
}

func detect(cfg codec.DTMFConfig, pcm []int16) string {
	d := codec.NewDTMFDetector(cfg)
	var out []byte
	for i := 0; i < len(pcm); i += 160 {
		out = d.Detect(out, pcm[i:min(i+160, len(pcm))])
	}
	return string(out)
}

// dial presses all 16 keys, each after a pause whose length moves it over the detector's grid.
func dial(r *rand.Rand, ms, pause float64, rowDB, colDB, rowOff, colOff float64) []int16 {
	pcm := make([]int16, 800)
	for _, k := range []byte(keypad) {
		pcm = append(pcm, key(r, k, ms, rowDB, colDB, rowOff, colOff)...)
		pcm = append(pcm, make([]int16, int(pause*8)+r.IntN(50))...)
	}
	return append(pcm, make([]int16, 400)...)
}

func noisy(r *rand.Rand, pcm []int16, dbov float64) []int16 {
	a := 32767 * math.Pow(10, dbov/20)
	for i := range pcm {
		pcm[i] = int16(max(-32768, min(32767, float64(pcm[i])+a*r.NormFloat64())))
	}
	return pcm
}

func TestDTMFAccepts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for round := range 12 {
		for _, db := range []float64{-6.1, -10, -20, -30, -38} {
			assert.Equal(t, keypad, detect(codec.DTMFConfig{}, dial(r, 40, 40, db, db, 0, 0)), "%v dBov", db)
		}
		for _, ms := range []float64{40, 45, 70, 100, 500} {
			assert.Equal(t, keypad, detect(codec.DTMFConfig{}, dial(r, ms, 40, -12, -12, 0, 0)), "%v ms", ms)
		}
		for _, twist := range []float64{-7.5, -4, 2, 3.5} {
			assert.Equal(t, keypad, detect(codec.DTMFConfig{}, dial(r, 50, 50, -12, -12+twist, 0, 0)), "%v dB", twist)
		}
		for _, off := range [][2]float64{{0.015, 0.015}, {-0.015, -0.015}, {0.015, -0.015}, {-0.015, 0.015}, {0.015, 0}, {0, -0.015}} {
			assert.Equal(t, keypad, detect(codec.DTMFConfig{}, dial(r, 50, 50, -12, -12, off[0], off[1])), "%v off", off)
		}
		// 15 dB below both tones together.
		assert.Equal(t, keypad, detect(codec.DTMFConfig{}, noisy(r, dial(r, 50, 50, -15, -15, 0, 0), -27)), "in noise, round %d", round)
	}
	// Through the codecs of a telephone.
	pcm := dial(r, 45, 45, -25, -25, 0.01, -0.01)
	for _, c := range []codec.Codec{codec.PCMU(), codec.PCMA()} {
		enc, _ := c.NewEncoder()
		dec, _ := c.NewDecoder()
		b, out := make([]byte, len(pcm)), make([]int16, len(pcm))
		_, err := enc.Encode(b, pcm)
		require.NoError(t, err)
		_, err = dec.Decode(out, b)
		require.NoError(t, err)
		assert.Equal(t, keypad, detect(codec.DTMFConfig{}, out), c.Name)
	}
	// Our own keys.
	for _, k := range []byte(keypad) {
		tone, err := codec.DTMF(k, 60*time.Millisecond)
		require.NoError(t, err)
		pcm, err := tone.PCM(8000, 200*time.Millisecond, 0.5)
		require.NoError(t, err)
		assert.Equal(t, string(k), detect(codec.DTMFConfig{}, pcm))
	}
}

func TestDTMFRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 12 {
		for _, ms := range []float64{10, 15, 20, 23} {
			assert.Empty(t, detect(codec.DTMFConfig{}, dial(r, ms, 60, -12, -12, 0, 0)), "%v ms", ms)
		}
		for _, off := range [][2]float64{{0.035, 0}, {0, 0.035}, {-0.035, 0}, {0, -0.035}, {0.035, 0.035}, {-0.035, -0.035}} {
			assert.Empty(t, detect(codec.DTMFConfig{}, dial(r, 80, 60, -12, -12, off[0], off[1])), "%v off", off)
		}
		for _, twist := range []float64{-12, 8} {
			assert.Empty(t, detect(codec.DTMFConfig{}, dial(r, 80, 60, -12, -12+twist, 0, 0)), "%v dB", twist)
		}
		assert.Empty(t, detect(codec.DTMFConfig{}, dial(r, 80, 60, -55, -55, 0, 0)), "too quiet")
		assert.Empty(t, detect(codec.DTMFConfig{}, dial(r, 80, 60, -10, -90, 0, 0)), "one tone only")
		assert.Empty(t, detect(codec.DTMFConfig{}, noisy(r, make([]int16, 80000), -15)), "noise")
	}
	// The limits are the caller's.
	assert.Equal(t, keypad, detect(codec.DTMFConfig{Twist: 14}, dial(r, 80, 60, -12, -24, 0, 0)))
	assert.Empty(t, detect(codec.DTMFConfig{MinLevel: -20}, dial(r, 80, 60, -25, -25, 0, 0)))
}

// A key held is one key, a dropout does not make it two, and a pause does.
func TestDTMFPauses(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		long := key(r, '5', 3000, -12, -12, 0, 0)
		clear(long[8000:8080])
		assert.Equal(t, "5", detect(codec.DTMFConfig{}, long), "10 ms of dropout")
		clear(long[16000 : 16000+320])
		assert.Equal(t, "55", detect(codec.DTMFConfig{}, long), "40 ms of pause")
		both := append(key(r, '1', 50, -12, -12, 0, 0), key(r, '9', 50, -12, -12, 0, 0)...)
		assert.Equal(t, "19", detect(codec.DTMFConfig{}, append(both, make([]int16, 400)...)), "no pause between two keys")
	}
	d := codec.NewDTMFDetector(codec.DTMFConfig{})
	assert.Equal(t, "7", string(d.Detect(nil, key(r, '7', 100, -12, -12, 0, 0))))
	assert.True(t, d.Pressed())
	d.Detect(nil, make([]int16, 800))
	assert.False(t, d.Pressed())
}

// Sums of harmonics glide through all keys as a voice would, and are none.
func TestDTMFTalkOffHarmonics(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	pcm := make([]int16, 8000*120)
	phase, f, goal := 0.0, 120.0, 120.0
	var amp [12]float64
	for i := range pcm {
		if i%1600 == 0 {
			goal = 80 + 250*r.Float64()
			for h := range amp {
				amp[h] = r.Float64() / float64(h+1)
			}
		}
		f += (goal - f) / 4000
		phase += f / 8000
		x := 0.0
		for h, a := range amp {
			x += a * math.Sin(2*math.Pi*phase*float64(h+1))
		}
		pcm[i] = int16(6000 * x)
	}
	assert.Empty(t, detect(codec.DTMFConfig{}, pcm))
}

// Minutes of speech in several voices hold no key.
func TestDTMFTalkOffSpeech(t *testing.T) {
	peer(t, "espeak-ng")
	const text = "The quick brown fox jumps over the lazy dog while eleven benevolent elephants wander away. She sells sea shells by the sea shore. " +
		"Your account number is one two three four five six seven eight nine zero. Please hold the line, we will be with you shortly. " +
		"Oh, you know, we were all away in May. Mama moved near the moon. Whistling, singing, and yodeling, they see three green trees. "
	total := time.Duration(0)
	for _, voice := range []string{"en-us", "en-gb", "de", "fr", "it", "es", "en-us+f3", "en-us+m7", "en-us+whisper", "sv+f2", "ja"} {
		for _, args := range [][]string{{"-s", "150", "-p", "30"}, {"-s", "190", "-p", "70"}, {"-s", "120", "-p", "99"}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			cmd := exec.CommandContext(ctx, "espeak-ng", append([]string{"--stdin", "--stdout", "-v", voice}, args...)...)
			cmd.Stdin = strings.NewReader(text)
			wav, err := cmd.Output()
			cancel()
			require.NoError(t, err, voice)
			a, err := codec.ReadWAV(bytes.NewReader(wav))
			require.NoError(t, err)
			pcm, err := codec.Resample(a.PCM, a.Rate, 8000)
			require.NoError(t, err)
			assert.Empty(t, detect(codec.DTMFConfig{}, pcm), "%s %v", voice, args)
			total += a.Duration()
		}
	}
	assert.Greater(t, total, 5*time.Minute)
}

func TestDTMFDoesNotAllocate(t *testing.T) {
	d := codec.NewDTMFDetector(codec.DTMFConfig{MinLevel: math.NaN()})
	r := rand.New(rand.NewPCG(5, 5))
	pcm, quiet, out := key(r, '3', 60, -12, -12, 0, 0), make([]int16, 800), make([]byte, 0, 8)
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		out = d.Detect(out[:0], pcm)
		out = d.Detect(out, quiet)
	}))
	assert.Equal(t, "3", string(out))
}

// FuzzDTMF: any audio in any pieces gives the same keys.
func FuzzDTMF(f *testing.F) {
	f.Add([]byte("hello"), uint8(3))
	r := rand.New(rand.NewPCG(6, 6))
	var seed []byte
	for _, v := range key(r, '8', 60, -12, -12, 0, 0) {
		seed = append(seed, byte(v>>8))
	}
	f.Add(seed, uint8(50))
	f.Fuzz(func(t *testing.T, in []byte, n uint8) {
		pcm := make([]int16, len(in))
		for i, b := range in {
			pcm[i] = int16(b) << 8
		}
		d := codec.NewDTMFDetector(codec.DTMFConfig{})
		var out []byte
		step := int(n) + 1
		for i := 0; i < len(pcm); i += step {
			out = d.Detect(out, pcm[i:min(i+step, len(pcm))])
		}
		require.Equal(t, detect(codec.DTMFConfig{}, pcm), string(out))
	})
}
