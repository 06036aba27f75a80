package codec

import (
	"fmt"
	"math/bits"
	"slices"
)

// HearSet is a set of participants by number, 64 to a word. Words that are missing are empty.
type HearSet []uint64

// Has reports whether participant i is in the set.
func (s HearSet) Has(i int) bool {
	return i >= 0 && i>>6 < len(s) && s[i>>6]>>(i&63)&1 != 0
}

// Add puts participant i into the set, which grows if it must, and returns it. A negative i is ignored.
func (s HearSet) Add(i int) HearSet {
	if i < 0 {
		return s
	}
	for len(s) <= i>>6 {
		s = append(s, 0)
	}
	s[i>>6] |= 1 << (i & 63)
	return s
}

// Remove takes participant i out of the set.
func (s HearSet) Remove(i int) {
	if s.Has(i) {
		s[i>>6] &^= 1 << (i & 63)
	}
}

// mixMost bounds the participants of one Mixer: their sum fits 32 bits.
const mixMost = 4096

// Mixer adds up the frames of a conference, for each listener those of whom it hears: everybody but itself, or less where somebody whispers or only
// listens. Listeners who hear the same voices share one result, so a room of many listeners and few speakers costs the speakers only. It is
// arithmetic: who hears whom, and clocks, are its owner's. It is used by one goroutine at a time.
type Mixer struct {
	samples int
	live    HearSet   // participants with a frame
	count   int       // how many
	total   []int32   // the sum of all live frames
	acc     []int32   // one result before it is clipped
	group   []int32   // by listener: its result, or -1 for silence
	sets    []uint64  // by result: what is heard, words words each
	pcm     [][]int16 // by result
	used    int
	table   []int32 // hash table of results: one more than the number, 0 for none
}

// NewMixer makes a Mixer for frames of that many samples, 1 to 48000. The error wraps ErrFrame.
func NewMixer(samples int) (*Mixer, error) {
	if samples < 1 || samples > 48000 {
		return nil, fmt.Errorf("%w: %d samples", ErrFrame, samples)
	}
	return &Mixer{samples: samples, total: make([]int32, samples), acc: make([]int32, samples)}, nil
}

// Mix takes one frame of each participant, nil for one who is silent, and for each listener whom it hears. Both go by the participant's number; a listener without a
// frame and a speaker who hears nobody are both fine. A participant hears itself only if its own number is in its set. The results stay valid
// until the next Mix. It keeps neither slice and does not allocate unless there are more participants or more different results than ever before. The error
// wraps ErrFrame for a frame of another length and for more than 4096 participants; there are no results then.
func (m *Mixer) Mix(frames [][]int16, hears []HearSet) error {
	m.used, m.group = 0, m.group[:0]
	if len(frames) > mixMost || len(hears) > mixMost {
		return fmt.Errorf("%w: %d participants", ErrFrame, max(len(frames), len(hears)))
	}
	words := (len(frames) + 63) / 64
	m.live = slices.Grow(m.live[:0], words)[:words]
	clear(m.live)
	clear(m.total)
	m.count = 0
	for i, f := range frames {
		if f == nil {
			continue
		}
		if len(f) != m.samples {
			return fmt.Errorf("%w: participant %d has %d samples of %d", ErrFrame, i, len(f), m.samples)
		}
		m.live[i>>6] |= 1 << (i & 63)
		m.count++
		add(m.total, f)
	}
	m.prepare(len(hears), words)
	for _, h := range hears {
		m.group = append(m.group, m.find(h, frames))
	}
	return nil
}

func (m *Mixer) prepare(listeners, words int) {
	size := 16
	for size < 2*listeners {
		size *= 2
	}
	m.table = slices.Grow(m.table[:0], size)[:size]
	clear(m.table)
	m.group = slices.Grow(m.group, listeners)
	// One set more than there are results: the one that is looked for.
	m.sets = slices.Grow(m.sets[:0], (listeners+1)*words)[:(listeners+1)*words]
}

// find returns the result for a set, which it makes if it is the first listener with it.
func (m *Mixer) find(h HearSet, frames [][]int16) int32 {
	words := len(m.live)
	want := m.sets[m.used*words : (m.used+1)*words]
	hash, n := uint64(14695981039346656037), 0
	for i, live := range m.live {
		var w uint64
		if i < len(h) {
			w = h[i] & live
		}
		want[i] = w
		n += bits.OnesCount64(w)
		hash = (hash ^ w) * 1099511628211
		hash ^= hash >> 29
	}
	if n == 0 {
		return -1
	}
	mask := len(m.table) - 1
	for at := int(hash) & mask; ; at = (at + 1) & mask {
		g := m.table[at]
		if g == 0 {
			m.table[at] = int32(m.used + 1)
			m.make(want, n, frames)
			return int32(m.used - 1)
		}
		if slices.Equal(m.sets[int(g-1)*words:int(g)*words], want) {
			return g - 1
		}
	}
}

// make adds up a new result: from nothing or from everything, whichever is less work.
func (m *Mixer) make(set []uint64, n int, frames [][]int16) {
	if m.used == len(m.pcm) {
		m.pcm = append(m.pcm, make([]int16, m.samples))
	}
	out := m.pcm[m.used]
	m.used++
	if n == 1 {
		for i, w := range set {
			if w != 0 {
				copy(out, frames[i<<6+bits.TrailingZeros64(w)]) // one voice is left as it is
				return
			}
		}
	}
	if n > m.count-n {
		copy(m.acc, m.total)
		for i, w := range set {
			for w = m.live[i] &^ w; w != 0; w &= w - 1 {
				sub(m.acc, frames[i<<6+bits.TrailingZeros64(w)])
			}
		}
	} else {
		clear(m.acc)
		for i, w := range set {
			for ; w != 0; w &= w - 1 {
				add(m.acc, frames[i<<6+bits.TrailingZeros64(w)])
			}
		}
	}
	for i, v := range m.acc {
		if v > mixKnee || v < -mixKnee {
			v = bend(v)
		}
		out[i] = int16(v)
	}
}

// Heard returns what listener i hears, and the number of that result: listeners with the same number hear the same, so one encoder serves
// them. nil and -1 mean silence. The samples belong to the Mixer.
func (m *Mixer) Heard(i int) (pcm []int16, result int) {
	if i < 0 || i >= len(m.group) || m.group[i] < 0 {
		return nil, -1
	}
	g := int(m.group[i])
	return m.pcm[g], g
}

// Results returns how many different results the last Mix had, without silence.
func (m *Mixer) Results() int { return m.used }

func add(acc []int32, f []int16) {
	f = f[:len(acc)]
	for i := range acc {
		acc[i] += int32(f[i])
	}
}

func sub(acc []int32, f []int16) {
	f = f[:len(acc)]
	for i := range acc {
		acc[i] -= int32(f[i])
	}
}

// mixKnee is where a sum begins to be bent: 2.5 dB below full scale.
const mixKnee = 24576

// bend takes a sum beyond the knee towards full scale, which it never passes: y = knee + r·x/(x+r) for x beyond the knee and r left above it. At
// the knee the slope is one, so loud voices are squeezed and do not crackle.
func bend(v int32) int32 {
	const r = 32767 - mixKnee
	if v < 0 {
		return -bend(-v)
	}
	x := int64(v - mixKnee)
	return mixKnee + int32(x*r/(x+r))
}
