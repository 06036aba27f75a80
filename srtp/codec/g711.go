package codec

// SilenceMulaw and SilenceAlaw are the codes of the smallest positive level, which is what silence is in G.711.
const (
	SilenceMulaw = 0xff
	SilenceAlaw  = 0xd5
)

// The tables are computed once at program start by plain functions; nothing writes to them afterwards.
var (
	mulawToLinear = decodeTable(decodeMulaw)
	alawToLinear  = decodeTable(decodeAlaw)
	linearToMulaw = encodeTable(encodeMulaw)
	linearToAlaw  = encodeTable(encodeAlaw)
	mulawToAlaw   = crossTable(&mulawToLinear, &linearToAlaw)
	alawToMulaw   = crossTable(&alawToLinear, &linearToMulaw)
)

func decodeTable(f func(byte) int16) (t [256]int16) {
	for i := range t {
		t[i] = f(byte(i))
	}
	return t
}

// encodeTable maps the 14 most significant bits of a sample (13 are enough for A-law) to its code.
func encodeTable(f func(int16) byte) (t [1 << 14]byte) {
	for i := range t {
		t[i] = f(int16(i << 2)) //nolint:gosec // the wrap to negative samples is the point
	}
	return t
}

func crossTable(dec *[256]int16, enc *[1 << 14]byte) (t [256]byte) {
	for i := range t {
		t[i] = enc[uint16(dec[i])>>2]
	}
	return t
}

// decodeMulaw expands one code (ITU-T G.711 table 2): inverted bits, sign, three bits of segment, four of step; 16-bit scale.
func decodeMulaw(c byte) int16 {
	c = ^c
	v := (int16(c&0x0f)<<3 + 0x84) << (c >> 4 & 7)
	if c&0x80 != 0 {
		return 0x84 - v
	}
	return v - 0x84
}

func encodeMulaw(s int16) byte {
	const bias, clip = 0x84, 32635
	v, sign := int(s), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, clip) + bias
	seg := byte(7)
	for mask := 0x4000; v&mask == 0 && seg > 0; mask >>= 1 {
		seg--
	}
	return ^(sign | seg<<4 | byte(v>>(seg+3))&0x0f)
}

// decodeAlaw expands one code (ITU-T G.711 table 1): even bits inverted; 16-bit scale.
func decodeAlaw(c byte) int16 {
	c ^= 0x55
	v := int16(c&0x0f)<<4 + 8
	if seg := c >> 4 & 7; seg > 0 {
		v = (v + 0x100) << (seg - 1)
	}
	if c&0x80 != 0 {
		return v
	}
	return -v
}

func encodeAlaw(s int16) byte {
	v, sign := int(s)>>4, byte(0x80) // 12 bits of magnitude
	if v < 0 {
		v, sign = -v-1, 0
	}
	var code byte
	if v < 32 {
		code = byte(v) // segments 0 and 1 have the same step
	} else {
		seg := byte(2)
		for x := v >> 6; x != 0; x >>= 1 {
			seg++
		}
		code = seg<<4 | byte(v>>(seg-1))&0x0f
	}
	return (sign | code) ^ 0x55
}

// DecodeMulaw expands µ-law codes to 16-bit samples. It returns how many were written: the shorter of both lengths.
func DecodeMulaw(dst []int16, src []byte) int {
	n := min(len(dst), len(src))
	for i, c := range src[:n] {
		dst[i] = mulawToLinear[c]
	}
	return n
}

// DecodeAlaw expands A-law codes to 16-bit samples. It returns how many were written: the shorter of both lengths.
func DecodeAlaw(dst []int16, src []byte) int {
	n := min(len(dst), len(src))
	for i, c := range src[:n] {
		dst[i] = alawToLinear[c]
	}
	return n
}

// EncodeMulaw compresses 16-bit samples to µ-law codes. It returns how many were written: the shorter of both lengths.
func EncodeMulaw(dst []byte, src []int16) int {
	n := min(len(dst), len(src))
	for i, s := range src[:n] {
		dst[i] = linearToMulaw[uint16(s)>>2]
	}
	return n
}

// EncodeAlaw compresses 16-bit samples to A-law codes. It returns how many were written: the shorter of both lengths.
func EncodeAlaw(dst []byte, src []int16) int {
	n := min(len(dst), len(src))
	for i, s := range src[:n] {
		dst[i] = linearToAlaw[uint16(s)>>2]
	}
	return n
}

// MulawToAlaw converts µ-law codes to A-law codes. dst may be src. It returns how many were written: the shorter of both lengths.
func MulawToAlaw(dst, src []byte) int {
	n := min(len(dst), len(src))
	for i, c := range src[:n] {
		dst[i] = mulawToAlaw[c]
	}
	return n
}

// AlawToMulaw converts A-law codes to µ-law codes. dst may be src. It returns how many were written: the shorter of both lengths.
func AlawToMulaw(dst, src []byte) int {
	n := min(len(dst), len(src))
	for i, c := range src[:n] {
		dst[i] = alawToMulaw[c]
	}
	return n
}
