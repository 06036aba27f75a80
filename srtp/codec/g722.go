package codec

import "fmt"

// The tables of ITU-T G.722. Low band: 6 bits a sample, of which the upper 4 drive the predictor, so that a network may steal the lower two;
// high band: 2 bits a sample.
var (
	// g722QMF are the even coefficients of the 24-tap quadrature mirror filter (table 11); the odd ones are the same backwards.
	g722QMF = [12]int32{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11}
	// g722Levels are the decision levels of the low band's 60 steps (table 14), in units of the scale factor over 4096.
	g722Levels = [30]int32{
		0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
		1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
	}
	// g722Out6 are the output levels by 6-bit code, g722Out4 those by its upper four bits (tables 17 and 18), over 32768.
	g722Out6 = [64]int32{
		-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856,
		-7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728,
		24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456,
		4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
	}
	g722Out4 = [16]int32{0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0}
	g722Out2 = [4]int32{-7408, -1616, 7408, 1616}
	// g722Grow4 and g722Grow2 are what a code adds to the logarithm of the scale factor (tables 15, 16 and 20).
	g722Grow4 = [16]int32{-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60}
	g722Grow2 = [4]int32{798, -214, 798, -214}
	// g722Antilog is 2048 * 2^(i/32), rounded as the Recommendation has it (table 19).
	g722Antilog = [32]int32{
		2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
		2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
	}
)

const (
	g722Taps  = 24
	g722Chunk = 320 // samples worked on at a time: 20 ms
)

// g722Band is the adaptive predictor and scale factor of one band; encoder and decoder run the same one in step.
type g722Band struct {
	a1, a2 int32    // poles
	b      [6]int32 // zeros
	d      [6]int32 // the last quantised differences
	r1, r2 int32    // the last reconstructed samples
	p1, p2 int32    // the last partial reconstructions
	sz, s  int32    // predictions: of the zeros, of all
	log    int32    // logarithm of the scale factor, 11 bits of fraction
	det    int32    // the scale factor
}

func sat16(v int32) int32 { return max(-32768, min(32767, v)) }

// adapt takes one quantised difference into the predictor (section 3.6, blocks RECONS to PREDIC).
func (z *g722Band) adapt(d int32) {
	r, p := sat16(z.s+d), sat16(z.sz+d)
	same1, same2 := (p^z.p1) >= 0, (p^z.p2) >= 0
	// Poles. The second is held within 0.75 and the first within 1 less the second, so that the predictor stays stable.
	w := sat16(z.a1 * 4)
	if same1 {
		w = min(-w, 32767)
	}
	a2 := w>>7 + z.a2*32512>>15
	if same2 {
		a2 += 128
	} else {
		a2 -= 128
	}
	a2 = max(-12288, min(12288, a2))
	a1 := z.a1 * 32640 >> 15
	if same1 {
		a1 += 192
	} else {
		a1 -= 192
	}
	limit := 15360 - a2
	a1 = max(-limit, min(limit, sat16(a1)))
	// Zeros.
	step := int32(128)
	if d == 0 {
		step = 0
	}
	last, sz := d, int32(0)
	for i := range z.b {
		w := z.b[i] * 32640 >> 15
		if (d ^ z.d[i]) >= 0 {
			w += step
		} else {
			w -= step
		}
		w = sat16(w)
		z.b[i] = w
		last, z.d[i] = z.d[i], last
		sz += w * sat16(2*z.d[i]) >> 15
	}
	z.sz = sat16(sz)
	z.a1, z.a2 = a1, a2
	z.r1, z.r2 = r, z.r1
	z.p1, z.p2 = p, z.p1
	z.s = sat16(sat16(a1*sat16(2*z.r1)>>15+a2*sat16(2*z.r2)>>15) + z.sz)
}

// scale moves the logarithm of the scale factor and takes its antilogarithm (blocks LOGSCL, SCALEL, LOGSCH, SCALEH).
func (z *g722Band) scale(grow, limit, shift int32) {
	z.log = max(0, min(limit, z.log*127>>7+grow))
	v := g722Antilog[z.log>>6&31]
	if s := shift - z.log>>11; s >= 0 {
		z.det = v >> s << 2
	} else {
		z.det = v << -s << 2
	}
}

func (z *g722Band) low(code4 int32) {
	d := z.det * g722Out4[code4] >> 15
	z.scale(g722Grow4[code4], 18432, 8)
	z.adapt(d)
}

func (z *g722Band) high(code2 int32) (d int32) {
	d = z.det * g722Out2[code2] >> 15
	z.scale(g722Grow2[code2], 22528, 10)
	z.adapt(d)
	return d
}

// g722State is one direction: two bands and the samples the mirror filter still needs.
type g722State struct {
	lo, hi g722Band
	x      [g722Taps - 2 + g722Chunk]int32
}

func (s *g722State) reset() {
	*s = g722State{}
	s.lo.det, s.hi.det = 32, 8
}

type g722Encoder struct{ g722State }

func newG722Encoder() *g722Encoder {
	e := &g722Encoder{}
	e.reset()
	return e
}

// Encode takes any even number of samples.
func (e *g722Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(pcm)%2 != 0 {
		return 0, fmt.Errorf("%w: %d samples of G.722 make no whole byte", ErrFrame, len(pcm))
	}
	if len(dst) < len(pcm)/2 {
		return 0, fmt.Errorf("%w: %d bytes for %d samples", ErrShort, len(dst), len(pcm))
	}
	n := 0
	for len(pcm) > 0 {
		k := min(len(pcm), g722Chunk)
		for i, v := range pcm[:k] {
			e.x[g722Taps-2+i] = int32(v)
		}
		for i := 0; i < k; i += 2 {
			dst[n] = e.encode((*[g722Taps]int32)(e.x[i:]))
			n++
		}
		copy(e.x[:g722Taps-2], e.x[k:])
		pcm = pcm[k:]
	}
	return n, nil
}

// encode makes one code of the two newest of 24 samples.
func (e *g722Encoder) encode(x *[g722Taps]int32) byte {
	var even, odd int32
	for i, c := range g722QMF {
		odd += c * x[2*i]
		even += g722QMF[11-i] * x[2*i+1]
	}
	xl, xh := (even+odd)>>14, (even-odd)>>14

	el := sat16(xl - e.lo.s)
	w := el
	if el < 0 {
		w = ^el
	}
	// The levels are sorted: five halvings find the step.
	i, j := int32(1), int32(30)
	for i < j {
		if m := (i + j) >> 1; w < g722Levels[m]*e.lo.det>>12 {
			j = m
		} else {
			i = m + 1
		}
	}
	// Positive codes go down from 61, negative ones from 63 with a gap where the positive ones are (tables 14 and 17).
	low := 62 - i
	if el < 0 {
		low = 34 - i
		if i <= 2 {
			low = 64 - i
		}
	}
	e.lo.low(low >> 2)

	eh := sat16(xh - e.hi.s)
	high := int32(3)
	if w = eh; eh < 0 {
		w, high = ^eh, 1
	}
	if w >= 564*e.hi.det>>12 {
		high--
	}
	e.hi.high(high)
	return byte(high<<6 | low)
}

type g722Decoder struct{ g722State }

func newG722Decoder() *g722Decoder {
	d := &g722Decoder{}
	d.reset()
	return d
}

// Decode takes any number of bytes: each is two samples, and every byte has a meaning.
func (d *g722Decoder) Decode(dst []int16, payload []byte) (int, error) {
	if len(dst) < 2*len(payload) {
		return 0, fmt.Errorf("%w: room for %d samples of %d", ErrShort, len(dst), 2*len(payload))
	}
	n := 0
	for len(payload) > 0 {
		k := min(len(payload), g722Chunk/2)
		for i, c := range payload[:k] {
			l, h := int32(c&0x3f), int32(c>>6)
			rl := max(-16384, min(16383, d.lo.s+d.lo.det*g722Out6[l]>>15))
			d.lo.low(l >> 2)
			rh := d.hi.s
			rh = max(-16384, min(16383, rh+d.hi.high(h)))
			d.x[g722Taps-2+2*i] = rl + rh
			d.x[g722Taps-1+2*i] = rl - rh
			x := (*[g722Taps]int32)(d.x[2*i:])
			var first, second int32
			for j, q := range g722QMF {
				first += g722QMF[11-j] * x[2*j+1]
				second += q * x[2*j]
			}
			dst[n], dst[n+1] = int16(sat16(first>>11)), int16(sat16(second>>11))
			n += 2
		}
		copy(d.x[:g722Taps-2], d.x[2*k:])
		payload = payload[k:]
	}
	return n, nil
}
