package codec

import (
	"fmt"
	"math"
)

// lobes is how many zero crossings the windowed sinc has on each side: 16 give over 70 dB of stopband, more than G.711 resolves.
const lobes = 16

// Resample converts samples from one rate to another in Hz with a polyphase windowed-sinc filter. Frequencies above the lower of both
// Nyquist limits are removed. The result has len(pcm)*to/from samples, rounded up, in step with the input: the filter's delay is compensated.
// With equal rates the result is a copy. The error wraps ErrRate.
func Resample(pcm []int16, from, to int) ([]int16, error) {
	for _, r := range []int{from, to} {
		if r < 1000 || r > 192000 {
			return nil, fmt.Errorf("%w: %d Hz", ErrRate, r)
		}
	}
	if from == to {
		return append([]int16(nil), pcm...), nil
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	// The filter works in units of input samples. Below unity the cut-off moves down with the output rate; 0.94 leaves room for
	// the transition band, so that nothing folds back into speech.
	scale := min(1, float64(to)/float64(from)) * 0.94
	half := int(math.Ceil(lobes / scale))
	bank := filterBank(up, half, scale)
	out := make([]int16, (len(pcm)*up+down-1)/down)
	for i := range out {
		pos, phase := i*down/up, i*down%up
		taps := bank[phase]
		var sum float64
		for k, h := range taps {
			j := pos + k - half + 1
			if j >= 0 && j < len(pcm) {
				sum += h * float64(pcm[j])
			}
		}
		out[i] = int16(math.Round(max(-32768, min(32767, sum))))
	}
	return out, nil
}

// filterBank returns one set of taps for each of the up positions an output sample can have between two input samples. Each set
// sums to one, so that a constant stays what it is.
func filterBank(up, half int, scale float64) [][]float64 {
	bank := make([][]float64, up)
	for p := range bank {
		taps := make([]float64, 2*half)
		frac, sum := float64(p)/float64(up), 0.0
		for k := range taps {
			x := float64(k-half+1) - frac
			taps[k] = sinc(x*scale) * blackman(x/float64(half))
			sum += taps[k]
		}
		for k := range taps {
			taps[k] /= sum
		}
		bank[p] = taps
	}
	return bank
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// blackman is the window over -1 to 1.
func blackman(x float64) float64 {
	if x <= -1 || x >= 1 {
		return 0
	}
	return 0.42 + 0.5*math.Cos(math.Pi*x) + 0.08*math.Cos(2*math.Pi*x)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
