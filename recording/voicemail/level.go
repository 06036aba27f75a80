package voicemail

import (
	"time"

	"github.com/ringfence/ringfence/recording"
)

const (
	frameSamples = 160 // 20 ms
	// loud is the mean of the magnitudes of a frame from which on somebody speaks: -44 dB below the loudest.
	loud = 200
)

// level says whether a frame may be somebody speaking, and how long it is. What is not G.711 cannot be measured without a decoder and counts as speech.
func level(codec string, payload []byte) (speech bool, length time.Duration) {
	var expand func(byte) int
	switch codec {
	case recording.PCMU:
		expand = fromMulaw
	case recording.PCMA:
		expand = fromAlaw
	default:
		return len(payload) > 0, 20 * time.Millisecond
	}
	sum := 0
	for _, c := range payload {
		sum += max(expand(c), -expand(c))
	}
	return len(payload) > 0 && sum/len(payload) >= loud, time.Duration(len(payload)) * time.Second / recording.SampleRate
}

// fromMulaw and fromAlaw expand one sample of ITU-T G.711.
func fromMulaw(c byte) int {
	c = ^c
	v := (int(c&0x0f)<<3+0x84)<<(c>>4&7) - 0x84
	if c&0x80 != 0 {
		return -v
	}
	return v
}

func fromAlaw(c byte) int {
	c ^= 0x55
	v := int(c&0x0f)<<4 + 8
	if e := c >> 4 & 7; e > 0 {
		v = (v + 0x100) << (e - 1)
	}
	if c&0x80 == 0 {
		return -v
	}
	return v
}

// mulaw compresses one sample; what was expanded comes back as the code it was.
func mulaw(s int16) byte {
	v, sign := int(s), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, 32635) + 0x84
	e := byte(7)
	for mask := 0x4000; e > 0 && v&mask == 0; mask >>= 1 {
		e--
	}
	return ^(sign | e<<4 | byte(v>>(e+3))&0x0f)
}
