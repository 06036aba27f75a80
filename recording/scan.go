package recording

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// scanner reads the segments of one blob, checking each before its plaintext is looked at.
type scanner struct {
	id      string
	blob    blobSource
	box     *box
	parties int
	header  []byte
	buf     []byte // ciphertext and then plaintext; whoever closes the blob zeroes it
	start   int64  // where in the blob buf begins, while a scan runs
}

// blobSource is what a scanner needs of a blob.
type blobSource interface {
	io.ReaderAt
	Size() int64
}

// window is how much of a blob a scan reads at once.
const window = 512 << 10

// segment is where one segment lies.
type segment struct {
	offset int64
	head   uint32
}

func (s segment) size() int64 { return int64(s.head &^ finalBit) }
func (s segment) final() bool { return s.head&finalBit != 0 }

// total is how many bytes of the blob it takes, for a container of that version.
func (s segment) total(version byte) int64 {
	n := headBytes + s.size()
	if s.final() && version != version1 {
		n += trailerBytes
	}
	return n
}

// found is what a scan found.
type found struct {
	segments int64
	final    bool // the final segment is there
	bytes    int64
	torn     int64 // bytes after the last whole segment, of one that was being written
	samples  int64
	sum      summary // of the final segment
	root     digest  // of the tree, if asked for; version 2
	leaves   []digest
	sha256   []byte // of bytes, if asked for; version 1

	ends   [MaxParties]int64 // where each party's audio ends
	framed map[byte]byte     // codecs other than G.711, with a bit for each party
	g711   byte              // a bit for each party with some
	index  indexer
	atlas  atlas   // where what lies, if asked for; version 2
	runs   [][]run // by party, if asked for; version 1
	heads  []segment
	marks  []Mark
}

// wants says what a scan is for.
type wants struct {
	digest bool // root or sha256
	leaves bool // and of the tree its leaves
	play   bool // atlas, runs and marks
}

func (s *scanner) bad(n, offset int64, err error, reason string) error {
	return &CorruptError{ID: s.id, Segment: n, Offset: offset, Reason: reason, Err: err}
}

// scan reads everything. It stops with a *CorruptError at the first segment that is not what was written, and then what it found up to there holds.
func (s *scanner) scan(w wants) (found, error) {
	f := found{bytes: int64(len(s.header)), index: newIndexer()}
	f.index.offset = f.bytes
	if w.play && s.box.version == version1 {
		f.runs = make([][]run, s.parties)
	}
	var (
		sum hash.Hash
		h   *hasher
		t   tree
	)
	switch {
	case w.digest && s.box.version == version1:
		sum = sha256.New()
		sum.Write(s.header)
	case w.digest:
		h = newHasher()
	}
	s.start, s.buf = 0, s.buf[:0]
	size := s.blob.Size()
	for f.bytes < size {
		if f.final {
			return f, s.bad(f.segments, f.bytes, ErrTampered, "bytes after the final segment")
		}
		seg, err := s.head(f.bytes, size)
		if errors.Is(err, errTorn) {
			f.torn = size - f.bytes
			break
		}
		var raw []byte
		if err == nil {
			raw, err = s.view(seg.offset, seg.total(s.box.version))
		}
		if r := reason(""); errors.As(err, &r) {
			return f, s.bad(f.segments, f.bytes, ErrTampered, err.Error())
		}
		if err != nil {
			return f, err
		}
		if sum != nil {
			sum.Write(raw)
		}
		if h != nil {
			leaf := h.leaf(raw)
			if t.add(h, leaf); w.leaves {
				f.leaves = append(f.leaves, leaf)
			}
		}
		if err := f.take(s, seg, raw, w); err != nil {
			return f, s.bad(f.segments, seg.offset, ErrTampered, err.Error())
		}
	}
	if f.final && int64(f.sum.segments) != f.segments {
		return f, s.bad(f.segments, f.bytes, ErrTampered, "the final segment counts otherwise")
	}
	if sum != nil {
		f.sha256 = sum.Sum(nil)
	}
	if h != nil {
		f.root = t.root(h)
	}
	return f, nil
}

var errTorn = errors.New("torn")

// reason is why a segment is bad, before it is said which.
type reason string

func (r reason) Error() string { return string(r) }

// head reads the head of the segment at offset: errTorn if the blob ends before the segment does.
func (s *scanner) head(offset, size int64) (segment, error) {
	if size-offset < headBytes {
		return segment{}, errTorn
	}
	b, err := s.view(offset, headBytes)
	if err != nil {
		return segment{}, err
	}
	seg := segment{offset: offset, head: binary.BigEndian.Uint32(b)}
	if seg.size() < tagBytes || seg.size() > s.box.maxPlaintext()+tagBytes { // before memory is taken for it: the head is not authenticated yet
		return segment{}, reason("impossible length")
	}
	if size-offset < seg.total(s.box.version) {
		return segment{}, errTorn
	}
	return seg, nil
}

// view returns n bytes of the blob from offset on, valid until the next view. It is for reading on and on: what lies before offset is given up.
func (s *scanner) view(offset, n int64) ([]byte, error) {
	if have := s.start + int64(len(s.buf)); offset >= s.start && offset+n <= have {
		return s.buf[offset-s.start:][:n], nil
	}
	keep := s.buf[min(max(offset-s.start, 0), int64(len(s.buf))):]
	want := min(max(n, window), s.blob.Size()-offset)
	if int64(cap(s.buf)) < want {
		old := s.buf
		s.buf = make([]byte, 0, want)
		defer clear(old[:cap(old)])
	}
	s.buf = s.buf[:copy(s.buf[:cap(s.buf)], keep)]
	s.start = offset
	m, err := s.blob.ReadAt(s.buf[len(s.buf):want], offset+int64(len(s.buf)))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("recording: %s: %w", s.id, err)
	}
	if s.buf = s.buf[:len(s.buf)+m]; int64(len(s.buf)) < n { // shorter than it said
		return nil, reason("the blob became shorter while it was read")
	}
	return s.buf[:n], nil
}

// decrypt opens a segment in place and checks its trailer.
func (s *scanner) decrypt(raw []byte, number uint32, seg segment) ([]byte, error) {
	end := headBytes + seg.size()
	if binary.BigEndian.Uint32(raw) != seg.head {
		return nil, reason("does not authenticate at this place")
	}
	plain, err := s.box.open(raw[headBytes:headBytes], raw[headBytes:end], number, seg.head)
	if err != nil {
		return nil, reason("does not authenticate at this place")
	}
	if t := raw[end:]; len(t) == trailerBytes && binary.BigEndian.Uint64(t) != uint64(seg.offset) {
		return nil, reason("the trailer points elsewhere")
	}
	return plain, nil
}

// take opens the next segment and takes in its records.
func (f *found) take(s *scanner, seg segment, raw []byte, w wants) error {
	limit := int64(maxSegments)
	if s.box.version == version1 {
		limit = maxSegments1
	}
	if f.segments >= limit {
		return reason("more segments than there can be")
	}
	plain, err := s.decrypt(raw, uint32(f.segments), seg)
	if err != nil {
		return err
	}
	at := place{version: s.box.version, number: uint32(f.segments), final: seg.final()}
	if !bytes.HasPrefix(plain, f.index.append(nil, at)) { // nothing, for most segments
		return fmt.Errorf("%w: the index is not that of the segments before it", errRecord)
	}
	e := entry{size: uint32(seg.size())}
	err = parseRecords(plain, at, func(r record) error { return f.record(s, at, &e, r, plain, w) })
	if err != nil {
		return err
	}
	if at.version == version1 {
		f.heads = append(f.heads, seg)
	} else {
		f.index.add(at, e)
		if w.play {
			f.atlas.add(item{number: at.number, segment: seg, entry: e})
		}
	}
	f.segments++
	f.final = seg.final()
	f.bytes += int64(len(raw))
	return nil
}

// record takes in one record of a segment that authenticated.
func (f *found) record(s *scanner, at place, e *entry, r record, plain []byte, w wants) error {
	switch r.kind {
	case kindAudio, kindFrames:
		if int(r.party) >= s.parties {
			return fmt.Errorf("%w: party %d", errRecord, r.party)
		}
		if at.version == version1 {
			if w.play {
				// The position of data in plain, from the two capacities: data is a slice of plain.
				f.place(int(r.party), run{at: int64(r.at), n: len(r.data), segment: int(at.number), offset: cap(plain) - cap(r.data), code: r.code})
			}
			f.samples = max(f.samples, f.placed(int(r.party), int64(r.at), len(r.data)))
			return nil
		}
		end := int64(r.at) + int64(r.ticks())
		if int64(r.at) < f.ends[r.party] {
			return fmt.Errorf("%w: audio that overlaps", errRecord)
		}
		if f.ends[r.party] = end; r.kind == kindFrames {
			if f.framed == nil {
				f.framed = map[byte]byte{}
			}
			f.framed[r.code] |= 1 << r.party
		} else {
			f.g711 |= 1 << r.party
		}
		f.samples = max(f.samples, end)
		span(&e.from, &e.to, r.at, uint32(end))
	case kindMark:
		e.marks = true
		if w.play {
			f.marks = append(f.marks, r.mark())
		}
		f.samples = max(f.samples, int64(r.at))
	case kindSummary:
		f.sum = r.summary()
		if at.version != version1 && int64(r.at) < f.samples {
			return fmt.Errorf("%w: a length under that of the audio", errRecord)
		}
		f.samples = max(f.samples, int64(r.at))
	}
	return nil
}

func (f *found) duration() time.Duration { return time.Duration(f.samples) * tick }
