package recording

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Codecs by their names in SDP.
const (
	PCMU = "PCMU"
	PCMA = "PCMA"
	G722 = "G722"
	Opus = "opus"

	codePCMU = 0 // as RTP payload types, where there is a static one
	codePCMA = 8
	codeG722 = 9
	codeOpus = 111
)

// codecName returns the name of a codec that a container can hold.
func codecName(code byte) string {
	switch code {
	case codePCMU:
		return PCMU
	case codePCMA:
		return PCMA
	case codeG722:
		return G722
	case codeOpus:
		return Opus
	}
	return fmt.Sprintf("codec %d", code)
}

// codecOf returns the code of a codec by its name, whose case does not matter (RFC 4855 section 3).
func codecOf(name string) (byte, bool) {
	switch name { // as everybody spells them
	case PCMU:
		return codePCMU, true
	case PCMA:
		return codePCMA, true
	}
	for _, code := range []byte{codePCMU, codePCMA, codeG722, codeOpus} {
		if strings.EqualFold(name, codecName(code)) {
			return code, true
		}
	}
	return 0, false
}

// framed reports whether audio of a codec is kept as frames, each with its duration. G.711 is not: one byte is one tick.
func framed(code byte) bool { return code == codeG722 || code == codeOpus }

// A frame is u16(ticks) ‖ u16(length) ‖ data.
const frameHead = 4

func appendFrame(b []byte, ticks int64, payload []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(ticks))
	b = binary.BigEndian.AppendUint16(b, uint16(len(payload)))
	return append(b, payload...)
}

// cutFrame takes off the first frame.
func cutFrame(b []byte) (ticks int, payload, rest []byte, err error) {
	if len(b) < frameHead {
		return 0, nil, nil, errRecord
	}
	ticks, n := int(binary.BigEndian.Uint16(b)), int(binary.BigEndian.Uint16(b[2:]))
	if b = b[frameHead:]; ticks == 0 || ticks > MaxFrame || n == 0 || n > MaxFrame || n > len(b) {
		return 0, nil, nil, errRecord
	}
	return ticks, b[:n], b[n:], nil
}

// framesTicks returns how long the frames of a record last together; there is at least one.
func framesTicks(b []byte) (ticks int, err error) {
	if len(b) == 0 {
		return 0, errRecord
	}
	for len(b) > 0 {
		n, _, rest, err := cutFrame(b)
		if err != nil {
			return 0, err
		}
		ticks, b = ticks+n, rest
	}
	return ticks, nil
}

// duration returns how many ticks a payload lasts, zero for one that is none of its codec.
func duration(code byte, payload []byte) int64 {
	if code == codeOpus {
		return opusTicks(payload)
	}
	return int64(len(payload)) // G.711; G.722 has one byte for each tick of its RTP clock too (RFC 3551 section 4.5.2)
}

// opusTicks reads the duration from the first bytes of a packet (RFC 6716 section 3.1): at most 120 ms.
func opusTicks(p []byte) int64 {
	if len(p) == 0 {
		return 0
	}
	const ms = SampleRate / 1000
	var one int64
	switch config := p[0] >> 3; {
	case config < 12: // SILK
		one = []int64{10, 20, 40, 60}[config&3] * ms
	case config < 16: // hybrid
		one = []int64{10, 20}[config&1] * ms
	default: // CELT
		one = []int64{5, 10, 20, 40}[config&3] * ms / 2
	}
	frames := int64(1)
	switch p[0] & 3 {
	case 1, 2:
		frames = 2
	case 3:
		if len(p) < 2 {
			return 0
		}
		frames = int64(p[1] & 0x3f)
	}
	if one*frames > 120*ms {
		return 0
	}
	return one * frames
}
