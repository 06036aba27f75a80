package codec

import (
	"fmt"
	"math"
)

// PLC hides lost frames of one stream of one channel in the manner of ITU-T G.711 Appendix I: it repeats the last pitch period, from the
// second ten milliseconds on two and then three of them so that it does not buzz, and fades to silence within 60 ms. When audio comes back the
// repetition goes over into it. It adds no delay. Frames may have any length up to 60 ms and may change it. It is used by one goroutine at a time.
type PLC struct {
	unit int       // samples of a millisecond
	hist []float32 // what was played last, the repetition included
	lost int       // samples concealed in a row

	before  []float32 // hist when the loss began
	cycle   []float32 // what is repeated: 1 to 3 periods
	pos     int       // in cycle
	period  int       // samples
	offset  float32   // what joins the first repeated sample to the last played one; it goes to zero over half a period
	peak    float32   // of before: a repetition is never louder than what it repeats
	overlap []float32 // the shorter cycle's continuation, while a longer one takes over
	over    int       // how much of overlap is used up
}

const (
	plcHistory = 50 // ms remembered: three of the longest pitch periods and a quarter to join them
	plcMatch   = 20 // ms compared to find the pitch
	plcSilent  = 60 // ms after which nothing is left
)

// NewPLC makes a PLC for 8000 or 16000 Hz. The error wraps ErrRate for another rate.
func NewPLC(rate int) (*PLC, error) {
	if rate != 8000 && rate != 16000 {
		return nil, fmt.Errorf("%w: %d Hz", ErrRate, rate)
	}
	n := plcHistory * rate / 1000
	return &PLC{unit: rate / 1000, hist: make([]float32, n), before: make([]float32, n), cycle: make([]float32, 0, n), overlap: make([]float32, 0, n)}, nil
}

// Good takes a frame that arrived, before it is played. After a loss it changes the frame's first milliseconds, so that it begins where the
// repetition was. It does not allocate.
func (p *PLC) Good(frame []int16) {
	if p.lost > 0 {
		p.join(frame)
		p.lost = 0
	}
	p.remember(frame)
}

// Conceal fills a frame that did not arrive. It does not allocate.
func (p *PLC) Conceal(frame []int16) {
	if p.lost == 0 {
		p.start()
	}
	for i := range frame {
		frame[i] = round16(p.sample())
	}
	p.remember(frame)
}

// join goes over from the repetition into the frame: 4 ms, and 4 more for each 10 ms lost, but 10 at most.
func (p *PLC) join(frame []int16) {
	n := min(len(frame), 10*p.unit, 4*p.unit+p.lost*4/10)
	for i := range frame[:n] {
		w := float32(i+1) / float32(n+1)
		frame[i] = round16(w*float32(frame[i]) + (1-w)*p.sample())
	}
}

func (p *PLC) remember(frame []int16) {
	if over := len(frame) - len(p.hist); over > 0 {
		frame = frame[over:]
	}
	keep := len(p.hist) - len(frame)
	copy(p.hist, p.hist[len(frame):])
	for i, v := range frame {
		p.hist[keep+i] = float32(v)
	}
}

// start finds the pitch and prepares the first period.
func (p *PLC) start() {
	copy(p.before, p.hist)
	p.peak = 0
	for _, v := range p.before {
		p.peak = max(p.peak, v, -v)
	}
	p.period = p.pitch()
	p.cut(1)
	p.pos, p.over, p.overlap = 0, 0, p.overlap[:0]
	last := len(p.hist) - 1
	p.offset = p.hist[last] - p.hist[last-p.period]
}

// cut takes the last periods of what was played before the loss. The last quarter of a period goes over into the one before them, so that the end
// joins the beginning.
func (p *PLC) cut(periods int) {
	size, q := periods*p.period, p.period/4
	from := len(p.before) - size
	p.cycle = append(p.cycle[:0], p.before[from:]...)
	for i := range q {
		w := float32(i+1) / float32(q+1)
		p.cycle[size-q+i] += w * (p.before[from-q+i] - p.cycle[size-q+i])
	}
}

// lengthen repeats one period more from here on. The position in the period stays; what the shorter cycle would have played goes over into it.
func (p *PLC) lengthen(periods int) {
	p.over, p.overlap = 0, p.overlap[:p.period/4]
	for i := range p.overlap {
		p.overlap[i] = p.cycle[(p.pos+i)%len(p.cycle)]
	}
	p.cut(periods)
	p.pos %= p.period
}

// pitch returns the lag in samples, from 5 to 15 ms, at which the last 20 ms resemble what was before them most. At 16000 Hz every second sample
// decides and the neighbours of the best are looked at again.
func (p *PLC) pitch() int {
	step := p.unit / 8
	best := p.best(5*p.unit, 15*p.unit, step)
	if step > 1 {
		best = p.best(best-step+1, best+step-1, 1)
	}
	return best
}

func (p *PLC) best(from, to, step int) int {
	h := p.hist
	m := plcMatch * p.unit
	x := h[len(h)-m:]
	lag, top := from, float32(-math.MaxFloat32)
	for l := from; l <= to; l += step {
		y := h[len(h)-m-l : len(h)-l]
		var c, e float32
		for i := 0; i < len(y); i += step {
			c += x[i] * y[i]
			e += y[i] * y[i]
		}
		if e < 1 {
			continue // silence resembles nothing
		}
		if s := c / float32(math.Sqrt(float64(e))); s > top {
			lag, top = l, s
		}
	}
	return lag
}

// sample makes the next concealed sample.
func (p *PLC) sample() float32 {
	at := p.lost
	p.lost++
	if at >= plcSilent*p.unit {
		p.lost = plcSilent*p.unit + 1
		return 0
	}
	switch at {
	case 10 * p.unit:
		p.lengthen(2)
	case 20 * p.unit:
		p.lengthen(3)
	}
	v := p.cycle[p.pos]
	if p.pos++; p.pos == len(p.cycle) {
		p.pos = 0
	}
	if p.over < len(p.overlap) {
		v += (p.overlap[p.over] - v) * (1 - float32(p.over+1)/float32(len(p.overlap)+1))
		p.over++
	}
	if half := p.period / 2; at < half {
		v = max(-p.peak, min(p.peak, v+p.offset*(1-float32(at)/float32(half))))
	}
	if late := at - 10*p.unit; late > 0 {
		v *= 1 - float32(late)/float32((plcSilent-10)*p.unit)
	}
	return v
}
