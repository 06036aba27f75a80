package quality

import (
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// ErrBlock is returned by ParseBlock for what is no VoIP metrics block.
var ErrBlock = errors.New("quality: no VoIP metrics block")

// BlockSize is the length of a VoIP metrics block in bytes.
const BlockSize = 36

const blockType = 7

// Unknown stands for a level or a rating that was not measured (RFC 3611 section 4.7).
const Unknown = 127

// Metrics are the values of a VoIP metrics block (RFC 3611 section 4.7), of one source as its receiver heard it. Values out of the range of
// their field are written as the nearest in range.
type Metrics struct {
	// SSRC is the source the block is about.
	SSRC uint32
	// Loss and Discard are the shares of packets lost on the way, and late or left out by the playout buffer, 0 to 1.
	Loss, Discard float64
	// Bursts are densities and mean lengths in packets; Packet is how long a packet lasts.
	Bursts Measure
	Packet time.Duration
	// RoundTrip and EndSystem are the delay of the network and of both ends of our device, up to 65.5 s.
	RoundTrip, EndSystem time.Duration
	// R is the narrowband rating, 0 to 100; Unknown with a wideband codec. ExtR is the one of an external segment, Unknown if there is none.
	R, ExtR int
	// MOSLQ and MOSCQ are listening and conversational score, 1 to 5. If zero, unknown.
	MOSLQ, MOSCQ float64
	// Concealed says that lost packets are concealed.
	Concealed bool
	// Nominal, Maximum and AbsoluteMax describe an adaptive playout buffer: the delay aimed for, its greatest so far and its bound.
	Nominal, Maximum, AbsoluteMax time.Duration
}

// AppendBlock appends the block. Signal, noise and echo levels are written as unknown: nothing here measures them.
func (m Metrics) AppendBlock(b []byte) []byte {
	b = append(b, blockType, 0, 0, BlockSize/4-1)
	b = binary.BigEndian.AppendUint32(b, m.SSRC)
	b = append(b, fraction(m.Loss), fraction(m.Discard), fraction(m.Bursts.BurstDensity), fraction(m.Bursts.GapDensity))
	packet := float64(m.Packet) / float64(time.Millisecond)
	for _, v := range []float64{m.Bursts.Burst * packet, m.Bursts.Gap * packet, millis(m.RoundTrip), millis(m.EndSystem)} {
		b = binary.BigEndian.AppendUint16(b, uint16(clamp(math.Round(v), 0, math.MaxUint16)))
	}
	b = append(b, Unknown, Unknown, Unknown, Gmin, rating(m.R), rating(m.ExtR), tenths(m.MOSLQ), tenths(m.MOSCQ), m.config(), 0)
	for _, d := range []time.Duration{m.Nominal, m.Maximum, m.AbsoluteMax} {
		b = binary.BigEndian.AppendUint16(b, uint16(clamp(math.Round(millis(d)), 0, math.MaxUint16)))
	}
	return b
}

// config is the receiver configuration: concealment, an adaptive buffer, its rate of adjustment not told.
func (m Metrics) config() byte {
	const adaptive = 3 << 4
	if m.Concealed {
		return 3<<6 | adaptive
	}
	return 1<<6 | adaptive
}

// ParseBlock reads the block at the front of b. Packet is 1 ms then, so that Bursts has milliseconds in place of packets.
// The error is ErrBlock.
func ParseBlock(b []byte) (Metrics, error) {
	if len(b) < BlockSize || b[0] != blockType || binary.BigEndian.Uint16(b[2:]) != BlockSize/4-1 {
		return Metrics{}, ErrBlock
	}
	word := func(n int) time.Duration { return time.Duration(binary.BigEndian.Uint16(b[n:])) * time.Millisecond }
	return Metrics{
		SSRC: binary.BigEndian.Uint32(b[4:]), Loss: float64(b[8]) / 256, Discard: float64(b[9]) / 256, Packet: time.Millisecond,
		Bursts: Measure{BurstDensity: float64(b[10]) / 256, GapDensity: float64(b[11]) / 256,
			Burst: float64(binary.BigEndian.Uint16(b[12:])), Gap: float64(binary.BigEndian.Uint16(b[14:]))},
		RoundTrip: word(16), EndSystem: word(18), R: int(rating(int(b[24]))), ExtR: int(rating(int(b[25]))),
		MOSLQ: opinion(b[26]), MOSCQ: opinion(b[27]), Concealed: b[28]>>6 >= 2, Nominal: word(30), Maximum: word(32), AbsoluteMax: word(34),
	}, nil
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// fraction is a share of 256, rounded down, 255 for all (RFC 3611 section 4.7.1).
func fraction(v float64) byte { return byte(clamp(v*256, 0, 255)) }

// rating is 0 to 100, or Unknown for anything else.
func rating(r int) byte {
	if r < 0 || r > 100 {
		return Unknown
	}
	return byte(r)
}

// tenths is a score of 1 to 5 as 10 to 50, or Unknown.
func tenths(mos float64) byte {
	if !(mos >= 1 && mos <= 5) {
		return Unknown
	}
	return byte(math.Round(mos * 10))
}

func opinion(b byte) float64 {
	if b < 10 || b > 50 {
		return 0
	}
	return float64(b) / 10
}
