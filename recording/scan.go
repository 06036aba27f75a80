package recording

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// scanner reads the segments of one blob in order, checking each before its plaintext is looked at.
type scanner struct {
	id   string
	blob BlobReader
	box  *box
	buf  []byte // ciphertext and then plaintext of one segment; whoever closes the blob zeroes it
}

// segment is where one segment lies.
type segment struct {
	offset int64
	head   uint32
}

func (s segment) size() int64 { return int64(s.head &^ finalBit) }
func (s segment) final() bool { return s.head&finalBit != 0 }

// found is what a scan found.
type found struct {
	segments []segment
	final    bool // the final segment is there
	bytes    int64
	torn     int64 // bytes after the last whole segment, of one that was being written
	samples  int64
	marks    []Mark
	runs     [][]run // by party
	sum      summary // of the final segment
	digest   []byte  // SHA-256 of bytes
}

// run is a piece of one party's audio.
type run struct {
	at      int64 // first sample
	n       int   // samples
	segment int   // where it lies
	offset  int   // of its first byte in the segment's plaintext
	code    byte
}

func (s *scanner) bad(n int, offset int64, err error, reason string) error {
	return &CorruptError{ID: s.id, Segment: int64(n), Offset: offset, Reason: reason, Err: err}
}

// scan reads everything. It stops with a *CorruptError at the first segment that is not what was written, and then what it found up to there holds.
func (s *scanner) scan(parties int, digest bool) (found, error) {
	f := found{runs: make([][]run, parties), bytes: headerBytes}
	var sum hash.Hash
	if digest {
		sum = sha256.New()
		head := make([]byte, headerBytes)
		if _, err := s.blob.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
			return f, fmt.Errorf("recording: %w", err)
		}
		sum.Write(head)
	}
	size := s.blob.Size()
	for offset := int64(headerBytes); offset < size; {
		n := len(f.segments)
		if f.final {
			return f, s.bad(n, offset, ErrTampered, "bytes after the final segment")
		}
		seg, err := s.head(offset, size)
		if err != nil {
			if errors.Is(err, errTorn) {
				f.torn = size - offset
				break
			}
			return f, s.bad(n, offset, ErrTampered, err.Error())
		}
		raw, err := s.read(seg)
		if err != nil {
			return f, err
		}
		if sum != nil {
			sum.Write(raw[:headBytes+seg.size()])
		}
		plain, err := s.box.open(raw[headBytes:headBytes], raw[headBytes:], uint32(n), seg.head)
		if err != nil {
			return f, s.bad(n, offset, ErrTampered, "does not authenticate at this place")
		}
		if err := f.add(n, seg, plain); err != nil {
			return f, s.bad(n, offset, ErrTampered, err.Error())
		}
		f.segments = append(f.segments, seg)
		f.final = seg.final()
		offset += headBytes + seg.size()
		f.bytes = offset
	}
	if f.final && int64(f.sum.segments) != int64(len(f.segments)) {
		return f, s.bad(len(f.segments), f.bytes, ErrTampered, "the final segment counts otherwise")
	}
	if sum != nil {
		f.digest = sum.Sum(nil)
	}
	return f, nil
}

var errTorn = errors.New("torn")

// head reads the head of the segment at offset: errTorn if the blob ends before the segment does.
func (s *scanner) head(offset, size int64) (segment, error) {
	if size-offset < headBytes {
		return segment{}, errTorn
	}
	var h [headBytes]byte
	if _, err := s.blob.ReadAt(h[:], offset); err != nil && !errors.Is(err, io.EOF) {
		return segment{}, err
	}
	seg := segment{offset: offset, head: binary.BigEndian.Uint32(h[:])}
	if seg.size() < tagBytes || seg.size() > maxPlaintext+tagBytes { // before memory is taken for it: the head is not authenticated yet
		return segment{}, errors.New("impossible length")
	}
	if size-offset-headBytes < seg.size() {
		return segment{}, errTorn
	}
	return seg, nil
}

// read returns head and ciphertext of a segment, valid until the next read.
func (s *scanner) read(seg segment) ([]byte, error) {
	n := int(headBytes + seg.size())
	if cap(s.buf) < n {
		s.buf = make([]byte, n)
	}
	b := s.buf[:n]
	if _, err := s.blob.ReadAt(b, seg.offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("recording: %s: %w", s.id, err)
	}
	return b, nil
}

// add takes in the records of one segment that authenticated.
func (f *found) add(n int, seg segment, plain []byte) error {
	summed := false
	err := parseRecords(plain, seg.final(), func(r record) error {
		switch r.kind {
		case kindAudio:
			if int(r.party) >= len(f.runs) {
				return fmt.Errorf("%w: party %d", errRecord, r.party)
			}
			// The position of data in plain, from the two capacities: data is a slice of plain.
			f.place(int(r.party), run{at: int64(r.at), n: len(r.data), segment: n, offset: cap(plain) - cap(r.data), code: r.code})
		case kindMark:
			f.marks = append(f.marks, r.mark())
			f.samples = max(f.samples, int64(r.at))
		case kindSummary:
			summed = true
			f.sum = r.summary()
			f.samples = max(f.samples, int64(r.at))
		}
		return nil
	})
	if err == nil && seg.final() != summed {
		err = fmt.Errorf("%w: final segment without summary", errRecord)
	}
	return err
}

// place appends a run to a party's audio so that runs never overlap: a small overlap is jitter and moves the run, a large one is cut away.
func (f *found) place(party int, r run) {
	rs := f.runs[party]
	if len(rs) > 0 {
		last := rs[len(rs)-1]
		end := last.at + int64(last.n)
		switch over := end - r.at; {
		case over <= 0:
		case over <= overlapSlack:
			r.at = end
		case over >= int64(r.n):
			return
		default:
			r.at, r.n, r.offset = end, r.n-int(over), r.offset+int(over)
		}
	}
	f.runs[party] = append(rs, r)
	f.samples = max(f.samples, r.at+int64(r.n))
}

func (f *found) duration() time.Duration { return time.Duration(f.samples) * tick }
