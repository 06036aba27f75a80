package codec

import (
	"fmt"
	"math"
	"time"
)

// CallTone is an audible signal: parts that follow one another, over and over or once. The zero value is silence.
type CallTone struct {
	Parts []TonePart
	// Once says that the tone is not repeated: silence follows its parts.
	Once bool
}

// TonePart is one stretch of a CallTone. With F1 zero it is a pause.
type TonePart struct {
	// F1 and F2 are frequencies in whole Hz, below half the sample rate. F2 zero means a single tone. Without Modulated both are added.
	F1, F2 int
	// Modulated says that F1 is the carrier and F2 modulates its amplitude, to a depth of 85 %.
	Modulated bool
	// For is how long the part lasts, in whole milliseconds. Zero or less means without end; then it should be the only part.
	For time.Duration
}

// toneRamp is how long a part takes to fade in and out, so that it does not click; it is inside the part's duration. Continuous tones have none.
const toneRamp = 2 // milliseconds

// toneDepth is how much of the amplitude a modulating frequency takes away.
const toneDepth = 0.85

// Loop returns after how many samples at rate the tone repeats itself exactly, so that a recording of that length can be looped without a
// seam. For a tone that is played once it is the length. It is zero for silence.
func (t CallTone) Loop(rate int) int {
	total := 0
	for _, p := range t.Parts {
		n := p.samples(rate)
		if n == 0 { // whole periods of every frequency
			g := gcd(rate, p.F1)
			if p.F2 > 0 {
				g = gcd(g, p.F2)
			}
			return total + rate/max(1, g)
		}
		total += n
	}
	return total
}

func (p TonePart) samples(rate int) int {
	return max(0, int(p.For.Milliseconds())*rate/1000)
}

// Fill writes len(dst) samples of the tone at rate Hz, beginning with sample at of it; below zero counts as zero. level is the peak,
// 0 to 1 of full scale; values outside are clipped to it. Because nothing is remembered, consecutive calls join exactly at any length, and
// many calls may share one tone. It does not allocate.
func (t CallTone) Fill(dst []int16, at, rate int, level float64) {
	if rate <= 0 {
		clear(dst)
		return
	}
	at, level = max(0, at), max(0, min(1, level))
	total := t.Loop(rate)
	for len(dst) > 0 {
		pos := at
		if total > 0 && pos >= total {
			if t.Once {
				clear(dst)
				return
			}
			pos %= total
		}
		var part TonePart
		left, rest := total-pos, len(dst)
		for _, p := range t.Parts {
			n := p.samples(rate)
			if n == 0 {
				part, rest = p, left
				break
			}
			if pos < n {
				part, rest = p, n-pos
				break
			}
			pos -= n
		}
		n := min(rest, len(dst))
		part.fill(dst[:n], pos, rate, level)
		dst, at = dst[n:], at+n
	}
}

// fill writes samples of one part, beginning with its sample pos.
func (p TonePart) fill(dst []int16, pos, rate int, level float64) {
	if p.F1 <= 0 {
		clear(dst)
		return
	}
	ramp, n := toneRamp*rate/1000, p.samples(rate)
	step := 2 * math.Pi / float64(rate)
	for i := range dst {
		at := pos + i
		// The phase is taken in whole steps modulo the rate: it is exact after hours.
		v := math.Sin(float64(at*p.F1%rate) * step)
		if p.F2 > 0 {
			w := math.Sin(float64(at*p.F2%rate) * step)
			if p.Modulated {
				v *= (1 + toneDepth*w) / (1 + toneDepth)
			} else {
				v = (v + w) / 2
			}
		}
		if n > 0 {
			v *= min(1, float64(at+1)/float64(ramp), float64(n-at)/float64(ramp))
		}
		dst[i] = int16(math.Round(32767 * level * v))
	}
}

// PCM returns the tone's first d at rate Hz, as Fill would write it. A duration of zero or less gives no samples. The error wraps ErrRate for a rate
// that is not above twice the highest frequency or not from 8000 to 192000 Hz, and ErrTooLong for more than an hour.
func (t CallTone) PCM(rate int, d time.Duration, level float64) ([]int16, error) {
	if rate < 8000 || rate > 192000 {
		return nil, fmt.Errorf("%w: %d Hz", ErrRate, rate)
	}
	if d > maxWAV {
		return nil, fmt.Errorf("%w: tone of %v", ErrTooLong, d)
	}
	for _, p := range t.Parts {
		if 2*max(p.F1, p.F2) >= rate {
			return nil, fmt.Errorf("%w: a tone of %d Hz needs more than %d", ErrRate, max(p.F1, p.F2), rate)
		}
	}
	pcm := make([]int16, max(0, int(d*time.Duration(rate)/time.Second)))
	t.Fill(pcm, 0, rate, level)
	return pcm, nil
}

// DTMF returns the signal of one key: 0 to 9, A to D, star and pound (ITU-T Q.23), for on, once. The error wraps ErrFrame for another character.
func DTMF(key byte, on time.Duration) (CallTone, error) {
	for r, row := range dtmfKeys {
		for c, k := range []byte(row) {
			if k == key {
				return CallTone{Parts: []TonePart{{F1: dtmfRows[r], F2: dtmfCols[c], For: max(on, time.Millisecond)}}, Once: true}, nil
			}
		}
	}
	return CallTone{}, fmt.Errorf("%w: no key %q", ErrFrame, key)
}

// The keypad of ITU-T Q.23: each key is one low and one high frequency.
const dtmfDigits = "123A456B789C*0#D"

var (
	dtmfKeys = [4]string{dtmfDigits[0:4], dtmfDigits[4:8], dtmfDigits[8:12], dtmfDigits[12:16]}
	dtmfRows = [4]int{697, 770, 852, 941}
	dtmfCols = [4]int{1209, 1336, 1477, 1633}
)
