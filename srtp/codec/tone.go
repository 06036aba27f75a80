package codec

import (
	"math"
	"time"
)

// Tone returns a sine of freq Hz at 8000 samples a second. level is the peak, 0 to 1 of full scale; values outside are clipped to it. It fades
// in and out over 5 ms, so that it starts and ends without a click. A duration of zero or less gives no samples.
func Tone(freq float64, d time.Duration, level float64) []int16 {
	n := max(0, int(d*8000/time.Second))
	level = max(0, min(1, level))
	const fade = 40
	pcm := make([]int16, n)
	for i := range pcm {
		a := level * min(1, float64(i+1)/fade, float64(n-i)/fade)
		pcm[i] = int16(math.Round(32767 * a * math.Sin(2*math.Pi*freq*float64(i)/8000)))
	}
	return pcm
}

// Goertzel returns the power of one frequency in samples taken at 8000 a second, as a share of the whole power: 1 for a pure tone
// of a whole number of periods, 0 for silence.
func Goertzel(pcm []int16, freq float64) float64 {
	w := 2 * math.Pi * freq / 8000
	c := 2 * math.Cos(w)
	var s1, s2, total float64
	for _, v := range pcm {
		x := float64(v)
		total += x * x
		s1, s2 = x+c*s1-s2, s1
	}
	if total == 0 {
		return 0
	}
	power := s1*s1 + s2*s2 - c*s1*s2
	return power * 2 / (float64(len(pcm)) * total)
}
