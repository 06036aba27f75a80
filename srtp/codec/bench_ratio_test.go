package codec_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// TestBenchRatios prints how long we take against a plain way to the same result in the same run: the median of nine alternating pairs.
func TestBenchRatios(t *testing.T) {
	if os.Getenv("RINGFENCE_BENCH") != "1" {
		t.Skip("set RINGFENCE_BENCH=1")
	}
	const frames = 2000
	timed := func(f func()) func() time.Duration {
		return func() time.Duration {
			start := time.Now()
			for range frames {
				f()
			}
			return time.Since(start)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	speech := make([]int16, 160)
	for i := range speech {
		speech[i] = int16(4000*math.Sin(float64(i)/7) + 2000*math.Sin(float64(i)/3) + 500*r.NormFloat64())
	}
	out := make([]int16, 960)

	// Zero-stuffing to 48 kHz and filtering every sample, as the definition of interpolation has it.
	up, _ := codec.NewResampler(8000, 48000)
	taps := make([]float64, 6*48)
	for i := range taps {
		taps[i] = r.Float64()
	}
	stuffed := make([]float64, len(taps)+960)
	ratio("resample-8-48k", 0.35, timed(func() { _, _ = up.Process(out, speech) }), timed(func() {
		for i, v := range speech {
			stuffed[len(taps)+6*i] = float64(v)
		}
		for i := range 960 {
			sum := 0.0
			for k, h := range taps {
				sum += h * stuffed[i+k]
			}
			out[i] = int16(sum)
		}
		copy(stuffed, stuffed[960:])
	}))

	// G.722 both ways against its two mirror filters alone, in floating point and without the predictors and quantisers.
	enc, _ := codec.G722().NewEncoder()
	dec, _ := codec.G722().NewDecoder()
	wide, payload := make([]int16, 320), make([]byte, 160)
	for i := range wide {
		wide[i] = speech[i/2]
	}
	line := make([]float64, 344)
	ratio("g722-encode-decode", 6, timed(func() { _, _ = enc.Encode(payload, wide); _, _ = dec.Decode(out, payload) }), timed(func() {
		for range 2 {
			for i, v := range wide {
				line[24+i] = float64(v)
			}
			for i := 0; i < 320; i += 2 {
				even, odd := 0.0, 0.0
				for k := 0; k < 24; k += 2 {
					even += taps[k] * line[i+k]
					odd += taps[k+1] * line[i+k+1]
				}
				out[i], out[i+1] = int16(even+odd), int16(even-odd)
			}
			copy(line, line[320:])
		}
	}))

	goertzel := timed(func() { naiveGoertzel(speech) })
	d := codec.NewDTMFDetector(codec.DTMFConfig{})
	keys := make([]byte, 0, 16)
	ratio("dtmf-speech-vs-goertzel", 0.6, timed(func() { keys = d.Detect(keys[:0], speech) }), goertzel)
	tone := key(r, '5', 20, -12, -12, 0, 0)
	ratio("dtmf-key-vs-goertzel", 2, timed(func() { keys = d.Detect(keys[:0], tone) }), goertzel)

	// Three speakers, each listener added up on its own.
	m, _ := codec.NewMixer(160)
	in := [][]int16{speech, wide[:160], wide[160:]}
	hears := []codec.HearSet{codec.HearSet{}.Add(1).Add(2), codec.HearSet{}.Add(0).Add(2), codec.HearSet{}.Add(0).Add(1)}
	ratio("mix-3", 2.5, timed(func() { _ = m.Mix(in, hears) }), timed(func() {
		for i := range in {
			for k := range 160 {
				sum := int32(0)
				for j := range in {
					if j != i {
						sum += int32(in[j][k])
					}
				}
				out[k] = int16(max(-32768, min(32767, sum)))
			}
		}
	}))

	// A stream with one frame in a hundred lost, against the pitch search alone in the plain way, once per hundred frames.
	p, _ := codec.NewPLC(8000)
	past := make([]float64, 400)
	n := 0
	ratio("plc-1-percent", 1.5, timed(func() {
		if n++; n%100 == 0 {
			p.Conceal(out[:160])
		} else {
			p.Good(speech)
		}
	}), timed(func() {
		copy(past, past[160:])
		for i, v := range speech {
			past[240+i] = float64(v)
		}
		if n++; n%100 != 0 {
			return
		}
		best := 0.0
		for lag := 40; lag <= 120; lag++ {
			c, e := 0.0, 0.0
			for i := 240; i < 400; i++ {
				c += past[i] * past[i-lag]
				e += past[i-lag] * past[i-lag]
			}
			best = max(best, c/math.Sqrt(e+1))
		}
		out[0] = int16(best / 1e9)
	}))
}

// naiveGoertzel is the textbook's detector: eight recurrences over the frame.
func naiveGoertzel(pcm []int16) (power [8]float64) {
	for k, f := range append(append([]float64(nil), rows...), cols...) {
		c := 2 * math.Cos(2*math.Pi*f/8000)
		var s1, s2 float64
		for _, v := range pcm {
			s1, s2 = float64(v)+c*s1-s2, s1
		}
		power[k] = s1*s1 + s2*s2 - c*s1*s2
	}
	return power
}

func ratio(name string, goal float64, ours, baseline func() time.Duration) {
	var rs []float64
	ours()
	baseline()
	for range 9 {
		a, b := ours(), baseline()
		rs = append(rs, float64(a)/float64(b))
	}
	slices.Sort(rs)
	fmt.Printf("ratio srtp/codec-%s %.2f goal <= %.2f\n", name, rs[len(rs)/2], goal)
}

func BenchmarkG722Encode(b *testing.B) {
	enc, _ := codec.G722().NewEncoder()
	pcm, payload := sine(440, 16000, 320, 9000), make([]byte, 160)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = enc.Encode(payload, pcm)
	}
}

func BenchmarkG722Decode(b *testing.B) {
	dec, _ := codec.G722().NewDecoder()
	pcm, payload := make([]int16, 320), make([]byte, 160)
	for i := range payload {
		payload[i] = byte(i * 37)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = dec.Decode(pcm, payload)
	}
}

func BenchmarkResampler(b *testing.B) {
	for _, v := range [][2]int{{8000, 16000}, {16000, 8000}, {8000, 48000}, {48000, 8000}, {16000, 24000}} {
		b.Run(fmt.Sprintf("%d-%d", v[0], v[1]), func(b *testing.B) {
			s, _ := codec.NewResampler(v[0], v[1])
			in := sine(440, v[0], v[0]/50, 9000)
			out := make([]int16, s.Max(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Process(out, in)
			}
		})
	}
}

func BenchmarkPLC(b *testing.B) {
	p, _ := codec.NewPLC(8000)
	pcm := sine(220, 8000, 160, 9000)
	b.ReportAllocs()
	for b.Loop() {
		p.Good(pcm)
		p.Conceal(pcm)
	}
}

func BenchmarkMix(b *testing.B) {
	for _, n := range []int{3, 10, 300} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m, _ := codec.NewMixer(160)
			in, hears := make([][]int16, n), make([]codec.HearSet, n)
			for i := range n {
				in[i] = sine(float64(100+i), 8000, 160, 2000)
				for j := range n {
					if i != j {
						hears[i] = hears[i].Add(j)
					}
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				_ = m.Mix(in, hears)
			}
		})
	}
}

func BenchmarkDTMF(b *testing.B) {
	d := codec.NewDTMFDetector(codec.DTMFConfig{})
	pcm, out := sine(300, 8000, 160, 9000), make([]byte, 0, 8)
	b.ReportAllocs()
	for b.Loop() {
		out = d.Detect(out[:0], pcm)
	}
}
