package recording

// ITU-T G.711. Written here because no other package of the house may be imported; tables made once.
var (
	expand   = makeExpand()
	compress = makeCompress()
)

func makeExpand() (t [2][256]int16) {
	for i := range 256 {
		u := ^byte(i)
		v := (int16(u&0x0f)<<3 + 0x84) << (u >> 4 & 7)
		v -= 0x84
		if u&0x80 != 0 {
			v = -v
		}
		t[0][i] = v
		a := byte(i) ^ 0x55
		w := int16(a&0x0f)<<4 + 8
		if e := a >> 4 & 7; e > 0 {
			w = (w + 0x100) << (e - 1)
		}
		if a&0x80 == 0 {
			w = -w
		}
		t[1][i] = w
	}
	return t
}

// makeCompress maps each sample, its lowest two bits cut off, to the nearest code, so that what was expanded comes back as the code it was; the negative
// zero of µ-law comes back as the positive one.
func makeCompress() (t [2][1 << 14]byte) {
	for law := range t {
		codes := make([]int, 0, 256) // by value
		for i := range 256 {
			if law != 0 || i != 0x7f { // the negative zero
				codes = append(codes, i)
			}
		}
		value := func(i int) int { return int(expand[law][codes[i]]) }
		for i := 1; i < len(codes); i++ { // 256 values, once
			for j := i; j > 0 && value(j) < value(j-1); j-- {
				codes[j], codes[j-1] = codes[j-1], codes[j]
			}
		}
		k := 0
		for n := range t[law] {
			s := (n-1<<13)<<2 + 2
			for k+1 < len(codes) && abs(s-value(k+1)) < abs(s-value(k)) {
				k++
			}
			t[law][n] = byte(codes[k])
		}
	}
	return t
}

func abs(n int) int { return max(n, -n) }

func law(code byte) int {
	if code == codePCMA {
		return 1
	}
	return 0
}

// decode expands src into dst, which is as long.
func decode(dst []int16, src []byte, code byte) {
	t := &expand[law(code)]
	for i, b := range src {
		dst[i] = t[b]
	}
}

// encode compresses one sample.
func encode(s int16, code byte) byte { return compress[law(code)][(int(s)+1<<15)>>2] }
