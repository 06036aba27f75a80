package recording

import (
	"errors"
	"fmt"
	"iter"
)

// item is one segment and what lies in it.
type item struct {
	number uint32
	segment
	entry
}

// group is the segments between two indexes.
type group struct {
	block        // of its segments; offset is where the segment lies that has their index
	items []item // nil until its index was read
}

// atlas says where in a blob of version 2 what lies. That of a recording with a directory is read as needed; otherwise a scan fills it.
type atlas struct {
	groups []group
}

// add appends a segment that was read; each one is added in order.
func (a *atlas) add(it item) {
	if it.number%indexEvery == 0 {
		a.groups = append(a.groups, group{items: make([]item, 0, indexEvery)})
	}
	g := &a.groups[len(a.groups)-1]
	g.items = append(g.items, it)
	g.block.add(it.entry)
}

// list turns index entries into items: the last one ends where the segment with the index begins.
func list(entries []entry, first uint32, end int64) ([]item, error) {
	offset := end
	for _, e := range entries {
		offset -= headBytes + int64(e.size)
	}
	if offset < headerBytes || (first == 0) != (offset == headerBytes) {
		return nil, errIndex
	}
	out := make([]item, len(entries))
	for i, e := range entries {
		out[i] = item{number: first + uint32(i), segment: segment{offset: offset, head: e.size}, entry: e}
		offset += headBytes + int64(e.size)
	}
	return out, nil
}

// ending is what the final segment says.
type ending struct {
	item
	sum     summary
	samples int64
}

// openAtlas reads the final segment of a complete recording and makes the atlas of it: two reads, however long the recording is.
func (s *scanner) openAtlas(segments int64) (a atlas, end ending, err error) {
	bad := func(err error, reason string) (atlas, ending, error) {
		return atlas{}, ending{}, s.bad(segments-1, end.offset, err, reason)
	}
	size := s.blob.Size()
	if segments < 1 || segments > maxSegments {
		return bad(ErrTampered, "a number of segments that there cannot be")
	}
	if size < int64(len(s.header))+headBytes+tagBytes+trailerBytes {
		return bad(ErrTruncated, "the final segment is missing")
	}
	if end.offset, end.head, err = s.trailer(size); err != nil {
		return bad(ErrTruncated, "the final segment is missing: "+err.Error())
	}
	c, err := s.load(item{number: uint32(segments - 1), segment: end.segment}, nil)
	if err != nil {
		return a, end, err
	}
	defer clear(c.plain)
	at := place{version: version2, number: uint32(segments - 1), final: true}
	end.number = at.number
	var blocks []block
	var entries []entry
	if err := parseRecords(c.plain, at, func(r record) (err error) {
		switch r.kind {
		case kindIndex:
			entries, err = parseIndex(r.data)
		case kindDirectory:
			blocks, err = parseDirectory(r.data)
		case kindMark:
			end.marks = true
		case kindAudio, kindFrames:
			span(&end.from, &end.to, r.at, r.at+uint32(r.ticks()))
		case kindSummary:
			end.sum, end.samples = r.summary(), int64(r.at)
		}
		return err
	}); err != nil {
		return bad(ErrTampered, err.Error())
	}
	if int64(end.sum.segments) != segments {
		return bad(ErrTampered, "the final segment counts otherwise")
	}
	for _, b := range blocks {
		a.groups = append(a.groups, group{block: b})
	}
	var items []item
	if at.number > 0 {
		if items, err = list(entries, at.first(), end.offset); err != nil {
			return bad(ErrTampered, err.Error())
		}
	}
	end.entry.size = uint32(end.segment.size())
	tail := group{items: append(items, end.item)}
	for _, it := range tail.items {
		tail.block.add(it.entry)
	}
	a.groups = append(a.groups, tail)
	return a, end, nil
}

// items returns the segments of a group, whose index is read the first time.
func (p *Playback) items(n int) ([]item, error) {
	g := &p.atlas.groups[n]
	if g.items != nil {
		return g.items, nil
	}
	// The segment that has the index of group n is the first of group n+1.
	number := uint32(n+1) * indexEvery
	seg, err := p.s.headAt(g.offset)
	if err != nil {
		return nil, p.s.bad(int64(number), g.offset, ErrTampered, err.Error())
	}
	c, err := p.segmentLocked(item{number: number, segment: seg})
	if err != nil {
		return nil, err
	}
	if len(c.plain) < recordHeader || c.plain[0] != kindIndex { // checked when it was read, so it is there
		return nil, p.s.bad(int64(number), g.offset, ErrTampered, errIndex.Error())
	}
	var entries []entry
	err = parseRecords(c.plain, place{version: version2, number: number}, func(r record) (err error) {
		if r.kind == kindIndex {
			entries, err = parseIndex(r.data)
		}
		return err
	})
	if err == nil {
		g.items, err = list(entries, number-indexEvery, g.offset)
	}
	if err != nil {
		return nil, p.s.bad(int64(number), g.offset, ErrTampered, err.Error())
	}
	return g.items, nil
}

// overlapping yields the segments that hold audio between two ticks.
func (p *Playback) overlapping(from, to int64) iter.Seq2[item, error] {
	return p.choose(func(f, t uint32, _ bool) bool { return int64(f) < to && int64(t) > from })
}

// marked yields the segments that hold marks.
func (p *Playback) marked() iter.Seq2[item, error] {
	return p.choose(func(_, _ uint32, marks bool) bool { return marks })
}

func (p *Playback) choose(want func(from, to uint32, marks bool) bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for n := range p.atlas.groups {
			if g := &p.atlas.groups[n].block; !want(g.from, g.to, g.marks) {
				continue
			}
			items, err := p.items(n)
			if err != nil {
				yield(item{}, err)
				return
			}
			for _, it := range items {
				if want(it.from, it.to, it.entry.marks) && !yield(it, nil) {
					return
				}
			}
		}
	}
}

// trailer reads where the final segment is said to lie, and its head. Nothing of it is believed: a segment that lies there and is not the final one
// does not authenticate.
func (s *scanner) trailer(size int64) (offset int64, head uint32, err error) {
	var b [trailerBytes]byte
	if err := s.readAt(b[:], size-trailerBytes); err != nil {
		return 0, 0, err
	}
	offset = int64(be64(b[:]))
	if offset < int64(len(s.header)) || offset > size-headBytes-tagBytes-trailerBytes {
		return 0, 0, errors.New("no trailer")
	}
	seg, err := s.headAt(offset)
	if err != nil {
		return 0, 0, err
	}
	if !seg.final() || offset+seg.total(version2) != size {
		return 0, 0, errors.New("no trailer")
	}
	return offset, seg.head, nil
}

// headAt reads the head of a segment.
func (s *scanner) headAt(offset int64) (segment, error) {
	var b [headBytes]byte
	if err := s.readAt(b[:], offset); err != nil {
		return segment{}, err
	}
	seg := segment{offset: offset, head: be32(b[:])}
	if seg.size() <= tagBytes || seg.size() > s.box.maxPlaintext()+tagBytes || offset+seg.total(s.box.version) > s.blob.Size() {
		return segment{}, reason("impossible length")
	}
	return seg, nil
}

func (s *scanner) readAt(b []byte, offset int64) error {
	if n, err := s.blob.ReadAt(b, offset); n < len(b) {
		return fmt.Errorf("recording: %s: %w", s.id, err)
	}
	return nil
}
