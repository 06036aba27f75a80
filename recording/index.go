package recording

import (
	"encoding/binary"
	"errors"
)

// Where is second 9 000 of a call? Segments differ in length, so every indexEvery-th one begins with an index of those before it, and the final one with an
// index of the rest and a directory of the others: a reader finds any second with two reads. A recording without its final segment has no directory and is
// read from the beginning.
const (
	indexEvery     = 128
	entryBytes     = 12
	directoryBytes = 16
	marksBit       = 1 << 31
)

// entry describes one segment: how long it is and what lies in it.
type entry struct {
	size     uint32 // of the ciphertext
	marks    bool
	from, to uint32 // ticks of the first audio and the end of the last; both zero without audio
}

// block describes the segments that one index lists.
type block struct {
	offset   int64 // of the segment that has the index
	marks    bool
	from, to uint32
}

// span widens from and to to hold another stretch.
func span(from, to *uint32, from2, to2 uint32) {
	switch {
	case to2 == 0:
	case *to == 0:
		*from, *to = from2, to2
	default:
		*from, *to = min(*from, from2), max(*to, to2)
	}
}

func (b *block) add(e entry) {
	b.marks = b.marks || e.marks
	span(&b.from, &b.to, e.from, e.to)
}

// indexed reports whether a segment begins with an index.
func (p place) indexed() bool {
	return p.version != version1 && p.number > 0 && (p.final || p.number%indexEvery == 0)
}

// first returns the first segment that its index lists; the last is the one before it.
func (p place) first() uint32 { return (p.number - 1) / indexEvery * indexEvery }

// blocks returns how many other indexes there are before it.
func (p place) blocks() uint32 { return (p.number - 1) / indexEvery }

// directory reports whether a segment has a directory after its index.
func (p place) directory() bool { return p.indexed() && p.final && p.blocks() > 0 }

// indexFits checks an index or directory record: as many entries as there must be, each as the writer spells it.
func (p place) indexFits(r record) bool {
	if r.kind == kindIndex {
		entries, err := parseIndex(r.data)
		return err == nil && uint32(len(entries)) == p.number-p.first()
	}
	blocks, err := parseDirectory(r.data)
	return err == nil && uint32(len(blocks)) == p.blocks()
}

func appendEntry(b []byte, e entry) []byte {
	if e.marks {
		e.size |= marksBit
	}
	b = binary.BigEndian.AppendUint32(b, e.size)
	b = binary.BigEndian.AppendUint32(b, e.from)
	return binary.BigEndian.AppendUint32(b, e.to)
}

var errIndex = errors.New("malformed index")

func parseIndex(b []byte) ([]entry, error) {
	out := make([]entry, 0, len(b)/entryBytes)
	for ; len(b) >= entryBytes; b = b[entryBytes:] {
		size := binary.BigEndian.Uint32(b)
		e := entry{size: size &^ marksBit, marks: size&marksBit != 0, from: binary.BigEndian.Uint32(b[4:]), to: binary.BigEndian.Uint32(b[8:])}
		if e.size <= tagBytes || e.size > maxPlaintext+tagBytes || !ordered(e.from, e.to) {
			return nil, errIndex
		}
		out = append(out, e)
	}
	if len(b) > 0 {
		return nil, errIndex
	}
	return out, nil
}

// ordered reports whether from and to are a stretch of audio, or say in the one way there is that there is none.
func ordered(from, to uint32) bool { return from < to || (from == 0 && to == 0) }

func appendBlock(b []byte, k block) []byte {
	offset := uint64(k.offset)
	if k.marks {
		offset |= 1 << 63
	}
	b = binary.BigEndian.AppendUint64(b, offset)
	b = binary.BigEndian.AppendUint32(b, k.from)
	return binary.BigEndian.AppendUint32(b, k.to)
}

func parseDirectory(b []byte) ([]block, error) {
	out := make([]block, 0, len(b)/directoryBytes)
	for ; len(b) >= directoryBytes; b = b[directoryBytes:] {
		offset := binary.BigEndian.Uint64(b)
		k := block{offset: int64(offset &^ (1 << 63)), marks: offset>>63 != 0, from: binary.BigEndian.Uint32(b[8:]), to: binary.BigEndian.Uint32(b[12:])}
		if k.offset <= headerBytes || !ordered(k.from, k.to) || (len(out) > 0 && k.offset <= out[len(out)-1].offset) {
			return nil, errIndex
		}
		out = append(out, k)
	}
	if len(b) > 0 {
		return nil, errIndex
	}
	return out, nil
}

// indexer builds index and directory while segments are written, and again while they are checked.
type indexer struct {
	entries []entry // since the last index
	tail    block   // of those
	blocks  []block
	offset  int64 // of the next segment
}

// newIndexer is for a blob whose header is written. Its room is what an open recording needs until it has lasted two minutes.
func newIndexer() indexer { return indexer{entries: make([]entry, 0, indexEvery), offset: headerBytes} }

// append writes the records that a segment begins with because of its number.
func (x *indexer) append(b []byte, at place) []byte {
	if !at.indexed() {
		return b
	}
	b = appendRecord(b, record{kind: kindIndex, party: noParty})
	start := len(b)
	for _, e := range x.entries {
		b = appendEntry(b, e)
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	if !at.directory() {
		return b
	}
	b = appendRecord(b, record{kind: kindDirectory, party: noParty})
	start = len(b)
	for _, k := range x.blocks {
		b = appendBlock(b, k)
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// add takes in a segment that was sealed or read.
func (x *indexer) add(at place, e entry) {
	if at.indexed() && !at.final {
		x.tail.offset = x.offset
		x.blocks = append(x.blocks, x.tail)
		x.tail, x.entries = block{}, x.entries[:0]
	}
	x.entries = append(x.entries, e)
	x.tail.add(e)
	x.offset += headBytes + int64(e.size)
	if at.final {
		x.offset += trailerBytes
	}
}
