package recording

// ITU-T G.711 expansion to 16-bit linear PCM. Written here because no other package of the house may be imported; 2 x 256 values made once.
var expand = func() (t [2][256]int16) {
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
}()

// decode expands src into dst, which is as long.
func decode(dst []int16, src []byte, code byte) {
	t := &expand[0]
	if code == codePCMA {
		t = &expand[1]
	}
	for i, b := range src {
		dst[i] = t[b]
	}
}
