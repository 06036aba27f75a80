package srtp

// window is the replay list of RFC 3711 section 3.3.2: which of the last packets of one source were authentic. The zero window has seen
// nothing; grow gives it memory, which happens with the source's first authentic packet and never before.
type window struct {
	seen []uint64 // a ring of bits, its length a power of two
	size uint64   // packets a packet may be late
	top  uint64   // greatest index seen
	any  bool
}

func newWindow(size int) window {
	words := 1
	for words*64 < size {
		words *= 2
	}
	return window{seen: make([]uint64, words), size: uint64(size)}
}

func (w *window) slot(index uint64) (*uint64, uint64) {
	return &w.seen[index/64&uint64(len(w.seen)-1)], 1 << (index % 64)
}

// fresh reports whether index was not seen and is not too old to tell.
func (w *window) fresh(index uint64) bool {
	if !w.any || index > w.top {
		return true
	}
	if w.top-index >= w.size {
		return false
	}
	word, bit := w.slot(index)
	return *word&bit == 0
}

// accept marks an index of an authentic packet that is fresh.
func (w *window) accept(index uint64) {
	switch {
	case !w.any || index > w.top && index-w.top >= uint64(len(w.seen))*64:
		clear(w.seen)
		w.any, w.top = true, index
	case index > w.top:
		for i := w.top + 1; i <= index; i++ {
			word, bit := w.slot(i)
			*word &^= bit
		}
		w.top = index
	}
	word, bit := w.slot(index)
	*word |= bit
}

// guess is the rollover counter that seq most likely belongs to (RFC 3711 section 3.3.1). A counter of zero has none before it.
func (w *window) guess(seq uint16) uint32 {
	roc, last := uint32(w.top>>16), uint16(w.top)
	switch {
	case last < 1<<15 && seq > last && seq-last > 1<<15 && roc > 0:
		return roc - 1
	case last >= 1<<15 && last-(1<<15) > seq && roc < 1<<32-1:
		return roc + 1
	}
	return roc
}
