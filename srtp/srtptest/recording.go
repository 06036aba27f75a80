package srtptest

import (
	"math"
	"slices"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
)

// Recording is audio as it was heard: every packet where its timestamp puts it, silence where none came. Late packets are in their place, as in
// front of a jitter buffer that never ends.
type Recording struct {
	// PCM are the samples, Rate a second, one channel.
	PCM  []int16
	Rate int
	// Packets were heard, each once; Lost never came, counted between the first and the last; Twice are second copies; Late came behind a later one.
	Packets, Lost, Twice, Late int
}

// longestGap is the longest silence written down; what comes behind a longer one is put behind a second of it.
const longestGap = 10 * time.Second

// record puts packets in order, those of each source for themselves.
func record(heard []heardPacket) *Recording {
	r := &Recording{Rate: 8000}
	for i := 0; i < len(heard); {
		n := i + 1
		for n < len(heard) && heard[n].ssrc == heard[i].ssrc {
			n++
		}
		r.add(heard[i:n])
		i = n
	}
	return r
}

// numbered is a packet with its sequence number extended (RFC 3550 appendix A.1).
type numbered struct {
	heardPacket
	n int64
}

// add adds what came from one source.
func (r *Recording) add(packets []heardPacket) {
	var list []numbered
	n := int64(packets[0].seq)
	high := n
	for _, p := range packets {
		n = high + int64(int16(p.seq-uint16(high)))
		if n < high {
			r.Late++
		}
		high = max(high, n)
		list = append(list, numbered{p, n})
	}
	slices.SortStableFunc(list, func(a, b numbered) int { return int(a.n - b.n) })
	before := len(list)
	list = slices.CompactFunc(list, func(a, b numbered) bool { return a.n == b.n })
	r.Twice += before - len(list)
	r.Packets += len(list)
	r.Lost += int(list[len(list)-1].n-list[0].n) + 1 - len(list)

	c := list[0].codec
	r.Rate = c.Rate
	dec, err := c.NewDecoder()
	if err != nil {
		return // a codec that this build does not decode: it was heard, and that is all that can be said
	}
	begin, from := len(r.PCM), list[0].ts
	pcm := make([]int16, 6*c.FrameSamples) // packets of up to 120 ms
	for _, p := range list {
		if p.codec.Name != c.Name {
			if dec, err = p.codec.NewDecoder(); err != nil {
				continue
			}
			c = p.codec
			begin, from = len(r.PCM), p.ts
			pcm = make([]int16, 6*c.FrameSamples)
		}
		k, err := dec.Decode(pcm, p.payload)
		if err != nil {
			continue
		}
		at := begin + int(int64(int32(p.ts-from))*int64(c.FrameSamples)/int64(c.FrameTicks))
		if at < 0 || at > len(r.PCM)+int(longestGap/time.Second)*c.Rate {
			begin, from = len(r.PCM)+c.Rate, p.ts
			at = begin
		}
		if need := at + k; need > len(r.PCM) {
			r.PCM = append(r.PCM, make([]int16, need-len(r.PCM))...)
		}
		copy(r.PCM[at:], pcm[:k])
	}
}

// Duration is how long the recording is, silence included.
func (r *Recording) Duration() time.Duration {
	return time.Duration(len(r.PCM)) * time.Second / time.Duration(r.Rate)
}

// Level is the power in dB below full scale of a sine; -100 for silence.
func (r *Recording) Level() float64 {
	sum := 0.0
	for _, v := range r.PCM {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return -100
	}
	return max(-100, 10*math.Log10(2*sum/float64(len(r.PCM))/32767/32767))
}

const (
	// looked is how many seconds Pitch looks at.
	looked = 4
	// coarse and fine are the seconds of the pieces whose power is summed: a piece tells a frequency to about its inverse, and a sum of pieces is not
	// confused by gaps and jumps between them.
	coarse, fine = 0.05, 0.3
	// lowest and highest are the frequencies Pitch looks for.
	lowest, highest = 50.0, 3600.0
)

// Pitch returns the loudest frequency between 50 and 3600 Hz, to half a hertz, by the first four seconds. It is 0 for silence.
func (r *Recording) Pitch() float64 {
	pcm := r.PCM[:min(len(r.PCM), looked*r.Rate)]
	best := r.loudest(pcm, coarse, lowest, highest, 8)
	if best == 0 {
		return 0
	}
	return r.loudest(pcm, fine, best-12, best+12, 0.5)
}

// loudest looks for the loudest frequency from one to another.
func (r *Recording) loudest(pcm []int16, piece, from, to, step float64) float64 {
	best, power := 0.0, 0.0
	for f := from; f <= to; f += step {
		if p := r.power(pcm, piece, f); p > power {
			best, power = f, p
		}
	}
	return best
}

// power sums the power of a frequency over pieces of pcm.
func (r *Recording) power(pcm []int16, seconds, freq float64) float64 {
	sum := 0.0
	for n := int(seconds * float64(r.Rate)); len(pcm) > 0; pcm = pcm[min(n, len(pcm)):] {
		piece := pcm[:min(n, len(pcm))]
		total := 0.0
		for _, v := range piece {
			total += float64(v) * float64(v)
		}
		// Goertzel takes samples for 8000 a second, and says what share of the power the frequency has.
		sum += codec.Goertzel(piece, freq*8000/float64(r.Rate)) * total
	}
	return sum
}

// Share returns how much of the power is at freq, 0 to 1: about 1 for a pure tone of that frequency, however long.
func (r *Recording) Share(freq float64) float64 {
	total := 0.0
	for _, v := range r.PCM {
		total += float64(v) * float64(v)
	}
	if total == 0 {
		return 0
	}
	return r.power(r.PCM, fine, freq) / total
}

// clickGap is how near two clicks are one.
const clickGap = 4 * time.Millisecond

// Clicks counts the places where a tone breaks off, comes back or jumps: samples that do not follow from the two before them, as those of a sine do.
// It says nothing about speech, and an adaptive codec such as G.722 may click once while it settles.
func (r *Recording) Clicks() int {
	freq := r.Pitch()
	if freq == 0 {
		return 0
	}
	peak := 0.0
	for _, v := range r.PCM {
		peak = max(peak, math.Abs(float64(v)))
	}
	// x[n] = 2 cos(w) x[n-1] - x[n-2] holds for every sine of that frequency; G.711 rounds by 3 % of a sample, and three samples are in the sum.
	c := 2 * math.Cos(2*math.Pi*freq/float64(r.Rate))
	clicks, last, near := 0, -1, int(clickGap*time.Duration(r.Rate)/time.Second)
	for i := 2; i < len(r.PCM); i++ {
		off := float64(r.PCM[i]) - c*float64(r.PCM[i-1]) + float64(r.PCM[i-2])
		if math.Abs(off) < peak/6 {
			continue
		}
		if last < 0 || i-last > near {
			clicks++
		}
		last = i
	}
	return clicks
}
