package flac

// crc8 is the check sum of a frame's header: generator 0x07, from zero (RFC 9639 section 9.1.8).
func crc8(b []byte) (sum byte) {
	for _, c := range b {
		sum ^= c
		for range 8 {
			sum = sum<<1 ^ sum>>7*0x07
		}
	}
	return sum
}

// crcTable has the check sum of each byte for crc16.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			c = c<<1 ^ c>>15*0x8005
		}
		t[i] = c
	}
	return t
}()

// crc16 is the check sum of a frame: generator 0x8005, from zero (RFC 9639 section 9.3).
func crc16(b []byte) (sum uint16) {
	for _, c := range b {
		sum = sum<<8 ^ crcTable[byte(sum>>8)^c]
	}
	return sum
}
