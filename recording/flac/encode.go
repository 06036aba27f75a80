package flac

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is returned by Encode for audio that a file cannot hold.
var ErrFormat = errors.New("recording/flac: outside what a file can hold")

const (
	block      = 4096 // samples of a frame, of each channel
	bits       = 16   // of a sample
	maxOrder   = 4    // of a fixed predictor
	maxSplit   = 6    // partitions of a frame, as a power of two
	maxRice    = 14   // 15 is an escape (RFC 9639 section 9.2.7.1)
	maxSamples = 1<<36 - 1
	maxRate    = 1<<20 - 1
)

// Encode writes a file of so many samples of each of the channels (1 to 8, 16 bits), at rate in Hz. read fills dst with interleaved samples from sample at on;
// it is asked for everything twice, because the header, which is written first, holds the MD5 of all samples, and must give the same both times. The error is
// ErrFormat, that of read or that of w.
func Encode(w io.Writer, rate, channels int, samples int64, read func(dst []int16, at int64) error) error {
	if rate < 1 || rate > maxRate || channels < 1 || channels > 8 || samples < 0 || samples > maxSamples {
		return fmt.Errorf("%w: %d samples of %d channels at %d Hz", ErrFormat, samples, channels, rate)
	}
	e := &encoder{channels: channels, rate: rate, samples: samples, read: read, interleaved: make([]int16, block*channels)}
	defer e.wipe()
	sum := md5.New()
	for at := int64(0); at < samples; at += block {
		part, err := e.take(at)
		if err != nil {
			return err
		}
		e.out = e.out[:0]
		for _, s := range part {
			e.out = binary.LittleEndian.AppendUint16(e.out, uint16(s))
		}
		sum.Write(e.out)
	}
	if _, err := w.Write(e.header(sum.Sum(nil))); err != nil {
		return err
	}
	for at, n := int64(0), uint64(0); at < samples; at, n = at+block, n+1 {
		part, err := e.take(at)
		if err != nil {
			return err
		}
		if _, err := w.Write(e.frame(part, n)); err != nil {
			return err
		}
	}
	return nil
}

type encoder struct {
	channels, rate int
	samples        int64
	read           func(dst []int16, at int64) error

	interleaved []int16
	channel     [block]int32
	residual    [maxOrder + 1][block]int32
	sums        [1 << maxSplit][maxRice + 1]uint64
	out         []byte
	acc         uint64 // bits not yet in out
	held        uint   // how many
}

func (e *encoder) wipe() {
	clear(e.interleaved)
	clear(e.channel[:])
	clear(e.residual[:])
	clear(e.out[:cap(e.out)])
}

// take reads the block at a sample.
func (e *encoder) take(at int64) ([]int16, error) {
	part := e.interleaved[:min(block, e.samples-at)*int64(e.channels)]
	return part, e.read(part, at)
}

// header returns the signature and the streaminfo (RFC 9639 section 8.2), with frame sizes that are not known.
func (e *encoder) header(sum []byte) []byte {
	b := append([]byte("fLaC"), 0x80, 0, 0, 34)
	b = binary.BigEndian.AppendUint16(b, block)
	b = binary.BigEndian.AppendUint16(b, block)
	b = append(b, 0, 0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(e.rate)<<44|uint64(e.channels-1)<<41|(bits-1)<<36|uint64(e.samples))
	return append(b, sum...)
}

// put appends the low n bits of v, at most 32.
func (e *encoder) put(v uint64, n uint) {
	e.acc = e.acc<<n | v&(1<<n-1)
	for e.held += n; e.held >= 8; {
		e.held -= 8
		e.out = append(e.out, byte(e.acc>>e.held))
	}
}

// zeros appends n zeros and a one.
func (e *encoder) zeros(n uint64) {
	for ; n >= 32; n -= 32 {
		e.put(0, 32)
	}
	e.put(1, uint(n)+1)
}

// frame returns one frame (RFC 9639 section 9).
func (e *encoder) frame(part []int16, number uint64) []byte {
	n := len(part) / e.channels
	e.out, e.acc, e.held = e.out[:0], 0, 0
	size := byte(12) // 4096
	if n != block {
		size = 7 // two bytes of size minus one at the end
	}
	e.out = append(e.out, 0xff, 0xf8, size<<4|rateCode(e.rate), byte(e.channels-1)<<4|4<<1) // fixed size, channels apart, 16 bits
	e.out = appendNumber(e.out, number)
	if n != block {
		e.out = binary.BigEndian.AppendUint16(e.out, uint16(n-1))
	}
	e.out = append(e.out, crc8(e.out))
	for c := range e.channels {
		for i := range n {
			e.channel[i] = int32(part[i*e.channels+c])
		}
		e.subframe(e.channel[:n])
	}
	if e.held > 0 {
		e.put(0, 8-e.held)
	}
	return binary.BigEndian.AppendUint16(e.out, crc16(e.out))
}

// rateCode is for the rates that a frame can name (RFC 9639 section 9.1.2); the others are in the streaminfo only.
func rateCode(rate int) byte {
	switch rate {
	case 8000:
		return 4
	case 16000:
		return 5
	case 48000:
		return 10
	}
	return 0
}

// appendNumber writes a frame's number as UTF-8 does, up to 36 bits (RFC 9639 section 9.1.5).
func appendNumber(b []byte, n uint64) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	more := 1
	for n >= 1<<(6*more+6-more) {
		more++
	}
	b = append(b, byte(0xff<<(7-more))|byte(n>>(6*more)))
	for more--; more >= 0; more-- {
		b = append(b, 0x80|byte(n>>(6*more))&0x3f)
	}
	return b
}

// subframe writes one channel (RFC 9639 section 9.2), as whatever is shortest.
func (e *encoder) subframe(s []int32) {
	same, or := true, int32(0)
	for _, v := range s {
		same, or = same && v == s[0], or|v
	}
	if same {
		e.put(0, 8)
		e.put(uint64(s[0]), bits)
		return
	}
	wasted := uint(0)
	for or>>wasted&1 == 0 { // something is not zero
		wasted++
	}
	if wasted > 0 {
		for i := range s {
			s[i] >>= wasted
		}
	}
	depth := bits - wasted
	order := e.predict(s)
	res := e.residual[order][order:len(s)]
	split, params, cost := e.partition(res, len(s), order)
	if verbatim := uint64(len(s)) * uint64(depth); cost+uint64(order)*uint64(depth) >= verbatim {
		e.begin(1, wasted)
		for _, v := range s {
			e.put(uint64(v), depth)
		}
		return
	}
	e.begin(8|uint64(order), wasted)
	for _, v := range s[:order] {
		e.put(uint64(v), depth)
	}
	e.put(0, 2) // parameters of four bits
	e.put(uint64(split), 4)
	for i, k := range params {
		from, to := bounds(i, len(s), split, order)
		e.put(uint64(k), 4)
		for _, r := range res[from:to] {
			u := fold(r)
			e.zeros(u >> k)
			e.put(u, uint(k))
		}
	}
}

// begin writes a subframe's header.
func (e *encoder) begin(kind uint64, wasted uint) {
	if wasted == 0 {
		e.put(kind<<1, 8)
		return
	}
	e.put(kind<<1|1, 8)
	e.zeros(uint64(wasted - 1))
}

// predict computes the residuals of all orders (RFC 9639 section 9.2.5) and returns the order with the least.
func (e *encoder) predict(s []int32) int {
	copy(e.residual[0][:], s)
	best, least := 0, ^uint64(0)
	for order := range min(maxOrder, len(s)-1) + 1 {
		res := e.residual[order][:len(s)]
		if order > 0 {
			before := e.residual[order-1][:len(s)]
			for i := order; i < len(s); i++ {
				res[i] = before[i] - before[i-1]
			}
		}
		var sum uint64
		for _, r := range res[min(maxOrder, len(s)-1):] { // of the same samples for each
			sum += uint64(max(r, -r))
		}
		if sum < least {
			best, least = order, sum
		}
	}
	return best
}

// partition returns how residuals are split, with the parameter of each part, and the bits that takes.
func (e *encoder) partition(res []int32, n, order int) (split int, params []byte, cost uint64) {
	top := 0
	for top < maxSplit && n&(1<<(top+1)-1) == 0 && n>>(top+1) > order {
		top++
	}
	clear(e.sums[:])
	for i := range 1 << top {
		from, to := bounds(i, n, top, order)
		for _, r := range res[from:to] {
			u := fold(r)
			for k := range e.sums[i] {
				e.sums[i][k] += u >> k
			}
		}
	}
	cost = ^uint64(0)
	for level := top; level >= 0; level-- {
		total, now := uint64(6), make([]byte, 1<<level)
		for i := range now {
			from, to := bounds(i, n, level, order)
			least := ^uint64(0)
			for k, sum := range e.sums[i] {
				if c := sum + uint64(to-from)*uint64(k+1); c < least {
					least, now[i] = c, byte(k)
				}
			}
			total += least + 4
		}
		if total < cost {
			split, params, cost = level, now, total
		}
		for i := range 1 << level / 2 { // the sums of the next level
			for k := range e.sums[i] {
				e.sums[i][k] = e.sums[2*i][k] + e.sums[2*i+1][k]
			}
		}
	}
	return split, params, cost
}

// fold makes signed residuals unsigned: 0, -1, 1, -2, ...
func fold(r int32) uint64 { return uint64(uint32(r<<1 ^ r>>31)) }

// bounds returns which residuals are in partition i. The first is shorter by the samples that are not predicted.
func bounds(i, n, split, order int) (from, to int) {
	size := n >> split
	return max(0, i*size-order), (i+1)*size - order
}
