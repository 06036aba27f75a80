package codec

import "math"

// DTMFConfig describes a DTMFDetector. The zero value is what ITU-T Q.24 lists for public networks.
type DTMFConfig struct {
	// MinLevel is the level in dBov that the weaker tone must have. If zero, -45.
	MinLevel float64
	// Twist is how much weaker the high tone may be than the low one, in dB: long lines weaken high tones. If zero, 8.
	Twist float64
	// ReverseTwist is how much weaker the low tone may be than the high one, in dB. If zero, 4.
	ReverseTwist float64
}

const (
	dtmfMinLevel     = -45
	dtmfTwist        = 8
	dtmfReverseTwist = 4

	dtmfHop    = 32  // 4 ms: the grain of durations
	dtmfWindow = 128 // 16 ms, looked at through a Hann window
	// dtmfRun is how many windows in a row must show the same key. Six of 16 ms, 4 ms apart, lie inside every tone of 40 ms, however the grid falls, and
	// never fit into one of 23 ms: a window that lacks a third of the tone fails dtmfShare.
	dtmfRun = 6
	// dtmfGap is how many windows without the key end it: a dropout of 10 ms breaks four at most, a pause of 40 ms at least ten.
	dtmfGap = 6
	// dtmfSpan is what a run covers.
	dtmfSpan = dtmfWindow + (dtmfRun-1)*dtmfHop
	// dtmfShare is the share of all energy that both tones must have.
	dtmfShare = 0.75
	// dtmfPure is that share over a whole run: noise 15 dB below leaves 0.97.
	dtmfPure = 0.9
	// dtmfOff is how far a frequency may be off: between the 1.5 % that must work and the 3.5 % that must not.
	dtmfOff = 0.025
	// dtmfHarmonic is how strong twice a frequency may be as a share of its power. Voices have strong harmonics, keypads none.
	dtmfHarmonic = 0.05
	// dtmfIdle is how often a window is looked at while there is no key: twelve milliseconds. When one shows a key those left out are looked at too.
	dtmfIdle = 3
)

// The windowed sines and cosines of the eight frequencies, rows first. They are computed once at program start; nothing writes to them afterwards.
var (
	dtmfCos, dtmfSin = dtmfTables()
	dtmfHann         = hann(dtmfWindow)
	dtmfSpanHann     = hann(dtmfSpan)
)

// hann is scaled so that the product with a sine of amplitude a and its cosine, squared and added, gives the sine's power a²/2.
func hann(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = float32((1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))) * math.Sqrt2 / float64(n))
	}
	return w
}

func dtmfTables() (c, s [8][dtmfWindow]float32) {
	w := hann(dtmfWindow)
	for k := range c {
		for i := range w {
			sin, cos := math.Sincos(2 * math.Pi * dtmfFreq(k) * float64(i) / 8000)
			c[k][i], s[k][i] = w[i]*float32(cos), w[i]*float32(sin)
		}
	}
	return c, s
}

func dtmfFreq(k int) float64 {
	if k < 4 {
		return float64(dtmfRows[k])
	}
	return float64(dtmfCols[k-4])
}

// dtmfSight is what one window shows: the key, and of its two tones the phase and the power.
type dtmfSight struct {
	key            int8 // row*4+column, or -1
	rowRe, rowIm   float32
	colRe, colIm   float32
	rowPow, colPow float32
}

// DTMFDetector finds keys in audio at 8000 Hz, for peers that send them in-band. It takes tones of 40 ms and more and ignores those up to 23 ms; it takes
// frequencies up to 1.5 % off and refuses those 3.5 % off. Against talk-off (a voice taken for a key) both tones must hold nine
// tenths of all energy for 36 ms, stay at their frequencies and have no second harmonic. It is used by one goroutine at a time.
type DTMFDetector struct {
	cfg    DTMFConfig
	minPow float32
	fwd    float32 // the least ratio of column to row
	rev    float32 // the least ratio of row to column

	buf   []float32 // the newest hops: a span, and those an idle detector has not looked at
	fresh int       // samples of the next hop in place
	skip  int       // hops not looked at

	run  [dtmfRun]dtmfSight // the newest sights of one key in a row
	n    int
	held int8 // the key that was reported and is still pressed, or -1
	gap  int
}

// dtmfBuf is how many samples a detector keeps.
const dtmfBuf = dtmfSpan + dtmfIdle*dtmfHop

// NewDTMFDetector makes a detector. A NaN in cfg counts as zero.
func NewDTMFDetector(cfg DTMFConfig) *DTMFDetector {
	or := func(v, zero float64) float64 {
		if v == 0 || math.IsNaN(v) {
			return zero
		}
		return v
	}
	ratio := func(db float64) float32 { return float32(math.Pow(10, db/10)) }
	return &DTMFDetector{
		cfg:    cfg,
		minPow: 32767 * 32767 * ratio(or(cfg.MinLevel, dtmfMinLevel)),
		fwd:    ratio(-math.Abs(or(cfg.Twist, dtmfTwist))),
		rev:    ratio(-math.Abs(or(cfg.ReverseTwist, dtmfReverseTwist))),
		buf:    make([]float32, dtmfBuf),
		held:   -1,
	}
}

// Detect takes samples, any number, and appends the keys that became certain to dst: '0' to '9', 'A' to 'D', '*', '#'. A key is reported once,
// about 40 ms after its beginning. It does not allocate if dst has room.
func (d *DTMFDetector) Detect(dst []byte, pcm []int16) []byte {
	for len(pcm) > 0 {
		k := min(len(pcm), dtmfHop-d.fresh)
		at := d.buf[dtmfBuf-dtmfHop+d.fresh:]
		for i, v := range pcm[:k] {
			at[i] = float32(v)
		}
		d.fresh += k
		pcm = pcm[k:]
		if d.fresh < dtmfHop {
			return dst
		}
		dst = d.hop(dst)
		copy(d.buf, d.buf[dtmfHop:])
		d.fresh = 0
	}
	return dst
}

// Pressed reports that a reported key has not been let go yet.
func (d *DTMFDetector) Pressed() bool { return d.held >= 0 }

// hop looks at the newest window, or leaves it for later.
func (d *DTMFDetector) hop(dst []byte) []byte {
	if d.n > 0 || d.held >= 0 {
		return d.see(dst, d.look(dtmfBuf), dtmfBuf)
	}
	if d.skip++; d.skip < dtmfIdle {
		return dst
	}
	d.skip = 0
	s := d.look(dtmfBuf)
	if s.key < 0 {
		return dst
	}
	for back := dtmfIdle - 1; back > 0; back-- {
		end := dtmfBuf - back*dtmfHop
		dst = d.see(dst, d.look(end), end)
	}
	return d.see(dst, s, dtmfBuf)
}

// look is what the window that ends at end shows.
func (d *DTMFDetector) look(end int) dtmfSight {
	none := dtmfSight{key: -1}
	x := d.buf[end-dtmfWindow : end]
	// All power, through the same window, whose squares add up to 3/n.
	var energy float32
	for i, v := range x {
		v *= dtmfHann[i]
		energy += v * v
	}
	energy *= dtmfWindow / 3.0
	if energy < 2*d.minPow {
		return none
	}
	var s dtmfSight
	row, best := 0, float32(-1)
	for k := range 4 {
		re, im := dot(dtmfCos[k][:], x), dot(dtmfSin[k][:], x)
		if p := re*re + im*im; p > best {
			row, best, s.rowRe, s.rowIm, s.rowPow = k, p, re, im, p
		}
	}
	// With the most twist allowed the row still has this share; most windows of speech end here.
	if best < d.minPow/2 || best < 0.1*energy {
		return none
	}
	col, best := 0, float32(-1)
	for k := range 4 {
		re, im := dot(dtmfCos[4+k][:], x), dot(dtmfSin[4+k][:], x)
		if p := re*re + im*im; p > best {
			col, best, s.colRe, s.colIm, s.colPow = k, p, re, im, p
		}
	}
	if best < d.minPow/2 || s.rowPow+s.colPow < dtmfShare*energy {
		return none
	}
	s.key = int8(row<<2 | col)
	return s
}

// see takes what the next window shows into the state. end is where the window ends.
func (d *DTMFDetector) see(dst []byte, s dtmfSight, end int) []byte {
	if d.held >= 0 {
		if s.key == d.held {
			d.gap, d.n = 0, 0
			return dst
		}
		if d.gap++; d.gap >= dtmfGap {
			d.held = -1
		}
	}
	if s.key < 0 {
		d.n = 0
		return dst
	}
	if d.n > 0 && d.run[d.n-1].key != s.key {
		d.n = 0
	}
	if d.n == dtmfRun {
		copy(d.run[:], d.run[1:])
		d.n--
	}
	d.run[d.n] = s
	d.n++
	if d.n < dtmfRun || !d.certain(end) {
		return dst
	}
	d.held, d.gap, d.n = s.key, 0, 0
	return append(dst, dtmfDigits[s.key])
}

// certain is the last word on a run: steadiness, frequencies, twist and harmonics over all of it.
func (d *DTMFDetector) certain(end int) bool {
	key := d.run[0].key
	var row, col dtmfTone
	for i := range d.run {
		s := &d.run[i]
		row.add(s.rowRe, s.rowIm, s.rowPow)
		col.add(s.colRe, s.colIm, s.colPow)
	}
	fr, fc := float64(dtmfRows[key>>2]), float64(dtmfCols[key&3])
	offRow, offCol := row.off(fr), col.off(fc)
	if !row.steady() || !col.steady() || math.Abs(offRow) > dtmfOff*fr || math.Abs(offCol) > dtmfOff*fc {
		return false
	}
	p, q := row.power(offRow), col.power(offCol)
	if q < d.fwd*p || p < d.rev*q || min(p, q) < d.minPow {
		return false
	}
	fr, fc = fr+offRow, fc+offCol
	span := d.buf[end-dtmfSpan : end]
	// Over the whole span and at the frequencies they really have, little but noise is left beside the tones.
	if powerAt(span, fr)+powerAt(span, fc) < dtmfPure*power(span) {
		return false
	}
	// Where twice the low tone falls on the high one (within two lines of the span's spectrum) it says nothing.
	if math.Abs(2*fr-fc) > 2*8000.0/dtmfSpan && powerAt(span, 2*fr) > dtmfHarmonic*p {
		return false
	}
	return powerAt(span, 2*fc) <= dtmfHarmonic*q
}

// dtmfTone is what a run of windows says of one tone.
type dtmfTone struct {
	re, im           float32 // of the last window
	turnRe, turnIm   float32 // how the phase turned from window to window, added up
	sum, least, most float32 // power
	n                int
}

func (t *dtmfTone) add(re, im, pow float32) {
	if t.n > 0 {
		t.turnRe += re*t.re + im*t.im
		t.turnIm += re*t.im - im*t.re
		t.least, t.most = min(t.least, pow), max(t.most, pow)
	} else {
		t.least, t.most = pow, pow
	}
	t.re, t.im = re, im
	t.sum += pow
	t.n++
}

// off is how many Hz the tone is off freq: what the phase turned in 4 ms beyond what freq turns it.
func (t *dtmfTone) off(freq float64) float64 {
	turned := math.Atan2(float64(t.turnIm), float64(t.turnRe))
	return math.Remainder(turned-2*math.Pi*freq*dtmfHop/8000, 2*math.Pi) * 8000 / (2 * math.Pi * dtmfHop)
}

// steady reports that the power stayed within 6 dB; the first and last window may lack some of the tone.
func (t *dtmfTone) steady() bool { return t.most <= 4*t.least }

// power is the tone's, corrected for what the window takes from a tone off the nominal frequency.
func (t *dtmfTone) power(off float64) float32 {
	x := off * dtmfWindow / 8000
	r := sinc(x) / (1 - x*x) // at most dtmfOff of 1633 Hz is 0.66 of a line
	return t.sum / float32(t.n) / float32(r*r)
}

// powerAt is the power at freq in a span, through a Hann window.
func powerAt(x []float32, freq float64) float32 {
	stepIm, stepRe := math.Sincos(2 * math.Pi * freq / 8000)
	re, im := 1.0, 0.0
	var c, s float64
	for i, v := range x {
		w := float64(v * dtmfSpanHann[i])
		c, s = c+w*re, s+w*im
		re, im = re*stepRe-im*stepIm, re*stepIm+im*stepRe
	}
	return float32(c*c + s*s)
}

// power is that of all frequencies, through the same window.
func power(x []float32) float32 {
	var sum float32
	for i, v := range x {
		v *= dtmfSpanHann[i]
		sum += v * v
	}
	return sum * dtmfSpan / 3
}
