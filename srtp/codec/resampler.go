package codec

import (
	"fmt"
	"math"
)

const (
	// streamHalf is half of a filter's length in samples of the lower rate, and its delay: 24 are 3 ms at 8000 Hz.
	streamHalf = 24
	// streamCut is where the filter is 6 dB down, as a share of the lower Nyquist limit: 3780 of 4000 Hz.
	streamCut = 0.945
	// streamBeta shapes the Kaiser window for 70 dB of stop band.
	streamBeta = 7
	// streamChunk is how many input samples are worked on at a time: 20 ms at 48 kHz.
	streamChunk = 960
)

// Resampler converts a stream of one channel between two of 8000, 16000, 24000 and 48000 Hz with a polyphase FIR filter that remembers
// the end of each frame, so that frames join without a seam. The pass band is flat within 0.1 dB up to 0.85 of the lower Nyquist limit (3400 Hz if
// one rate is 8000); what would fold or mirror from beyond 1.1 of it is 65 dB down. The delay is fixed: 24 samples of the lower rate,
// 3 ms where that is 8000 Hz and 1.5 ms where it is 16000. With equal rates it copies and delays nothing. It is used by one goroutine at a time.
type Resampler struct {
	up, down int
	taps     int
	bank     [][]float32 // by phase
	phase    int         // of the next output sample: how far it lies behind input sample next, in 1/up
	next     int         // the newest input sample the next output needs, as an index into the frame to come
	buf      []float32   // taps-1 samples of the past, then the chunk
}

// NewResampler makes a Resampler. The error wraps ErrRate for any other rate.
func NewResampler(from, to int) (*Resampler, error) {
	for _, r := range []int{from, to} {
		switch r {
		case 8000, 16000, 24000, 48000:
		default:
			return nil, fmt.Errorf("%w: %d Hz in a stream", ErrRate, r)
		}
	}
	g := gcd(from, to)
	s := &Resampler{up: to / g, down: from / g}
	if s.up == s.down {
		return s, nil
	}
	low := min(from, to)
	half := streamHalf * from / low
	s.taps = 2 * half
	scale := streamCut * float64(low) / float64(from)
	s.bank = make([][]float32, s.up)
	for p := range s.bank {
		// Phase p is the sample that lies p/up behind the centre, half samples back.
		h, sum := make([]float64, s.taps), 0.0
		for k := range h {
			x := float64(k-half+1) - float64(p)/float64(s.up)
			h[k] = sinc(x*scale) * kaiser(x/float64(half), streamBeta)
			sum += h[k]
		}
		s.bank[p] = make([]float32, s.taps)
		for k := range h {
			s.bank[p][k] = float32(h[k] / sum) // a constant stays what it is, at every phase
		}
	}
	s.buf = make([]float32, s.taps-1+streamChunk)
	return s, nil
}

// Max returns the most samples that Process may write for n samples: exactly that many for whole 20 ms.
func (s *Resampler) Max(n int) int { return (n*s.up + s.down - 1) / s.down }

// Process converts src into dst and returns how many samples it wrote. dst and src do not overlap. It does not allocate. The error wraps ErrShort if
// dst has less room than Max says; nothing is taken then.
func (s *Resampler) Process(dst, src []int16) (int, error) {
	if len(dst) < s.Max(len(src)) {
		return 0, fmt.Errorf("%w: room for %d samples of %d", ErrShort, len(dst), s.Max(len(src)))
	}
	if s.up == s.down {
		return copy(dst, src), nil
	}
	n := 0
	for len(src) > 0 {
		k := min(len(src), streamChunk)
		in := s.buf[s.taps-1:]
		for i, v := range src[:k] {
			in[i] = float32(v)
		}
		for s.next < k {
			dst[n] = round16(dot(s.bank[s.phase], s.buf[s.next:s.next+s.taps]))
			n++
			s.phase += s.down
			for s.phase >= s.up {
				s.phase -= s.up
				s.next++
			}
		}
		s.next -= k
		copy(s.buf, s.buf[k:k+s.taps-1])
		src = src[k:]
	}
	return n, nil
}

// Delay returns how many samples, at the rate it writes, the output lies behind the input.
func (s *Resampler) Delay() int {
	if s.up == s.down {
		return 0
	}
	return s.taps / 2 * s.up / s.down
}

// dot has four sums, because each addition waits for the one before it. The lengths are equal and a multiple of four.
func dot(h, x []float32) float32 {
	var a, b, c, d float32
	x = x[:len(h)]
	for len(h) >= 4 && len(x) >= 4 {
		a += h[0] * x[0]
		b += h[1] * x[1]
		c += h[2] * x[2]
		d += h[3] * x[3]
		h, x = h[4:], x[4:]
	}
	return a + b + c + d
}

func round16(v float32) int16 {
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v < 0:
		return int16(v - 0.5)
	default:
		return int16(v + 0.5)
	}
}

// kaiser is the window over -1 to 1.
func kaiser(x, beta float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return bessel0(beta*math.Sqrt(1-x*x)) / bessel0(beta)
}

// bessel0 is the modified Bessel function of order zero, by its power series.
func bessel0(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-12*sum; k++ {
		term *= x * x / (4 * k * k)
		sum += term
	}
	return sum
}
