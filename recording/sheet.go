package recording

// sheet is where two parties' records of up to a segment's length are laid down as they will lie in the segment: the first party's behind room for the head, the
// second's where a whole segment of the first's ends, then room for the tag. When both spoke all the time, or one did not at all, the segment is sealed where
// it lies, without a copy. It fills 16 KiB.
type sheet struct {
	data [sheetBytes]byte
	half [2]half
}

// half is what one party has on a sheet.
type half struct {
	n          int32 // bytes
	frames     uint32
	first, end int64 // ticks
}

const (
	sheetCost  = 16 << 10 // bytes of memory
	sheetBytes = sheetCost - 2*24
	sheetStart = headBytes
	sheetMid   = sheetStart + recordHeader + int(segmentTicks)
	sheetEnd   = sheetBytes - tagBytes
	sheets     = MaxParties / 2 // of a job
)

// bounds returns where a party's records begin and where they must end.
func bounds(party byte) (from, to int32) {
	if party&1 == 0 {
		return sheetStart, int32(sheetMid)
	}
	return int32(sheetMid), sheetEnd
}

// records returns one party's records.
func (s *sheet) records(i byte) []byte {
	from, _ := bounds(i)
	return s.data[from:][:s.half[i].n]
}

// segment returns room for the head and all records behind it, if they lie together.
func (s *sheet) segment() ([]byte, bool) {
	a, b := int(s.half[0].n), int(s.half[1].n)
	switch {
	case b == 0:
		return s.data[:sheetStart+a], true
	case a == 0:
		return s.data[sheetMid-headBytes:][:headBytes+b], true
	}
	return s.data[:sheetMid+b], sheetStart+a == sheetMid
}

// frames returns how many there are.
func (s *sheet) frames() uint64 { return uint64(s.half[0].frames) + uint64(s.half[1].frames) }

// sealed says that the records were overwritten with their ciphertext.
func (s *sheet) sealed() { s.half = [2]half{} }

// wipe zeroes the records, which are audio.
func (s *sheet) wipe() {
	for i := range s.half {
		clear(s.records(byte(i)))
	}
	s.half = [2]half{}
}
