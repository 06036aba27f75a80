package recording

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Playback is one recording opened for listening. Safe for concurrent use. Close it.
//
// Opening a complete recording checks that its end is there and reads no audio; each segment is checked when it is read, and reading stops before the first
// that is bad. An incomplete one has no directory and was read from the beginning to the end when it was opened. Access.Verify is what checks all of it.
type Playback struct {
	info     Info
	s        *scanner
	release  func() error // of the blob
	decoders map[string]func() Decoder
	encoders map[Format]Encoder
	opus     func() OpusEncoder
	cut      cut
	spend    func(bytes int64) error // asks Config.Bulk; nil if nobody counts
	samples  int64
	complete bool
	f        found         // of version 1
	framed   map[byte]byte // as in found, if all of it was read
	g711     byte          // likewise; not for version 1, which holds nothing else

	mu      sync.Mutex
	atlas   atlas
	cache   [cachedSegments]*cached
	clock   uint64
	streams [MaxParties]stream
	closed  bool
}

// cachedSegments is how many decrypted segments are held: those that one second of two parties may lie in, and one with an index.
const cachedSegments = 4

// cached is a segment that was decrypted.
type cached struct {
	number uint32
	buf    []byte // all of it
	plain  []byte // its plaintext, in buf
	audio  []record
	pcm    [MaxParties][]pcm // of framed audio in it, once decoded
	used   uint64
	pinned bool // in use: not to be replaced
}

func (c *cached) wipe() {
	clear(c.buf[:cap(c.buf)])
	for i := range c.pcm {
		for _, s := range c.pcm[i] {
			clear(s.samples)
		}
		c.pcm[i] = nil
	}
	c.plain, c.audio = nil, c.audio[:0]
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func be64(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// load reads and decrypts one segment into the memory of old, which may be nil.
func (s *scanner) load(it item, old *cached) (*cached, error) {
	n := it.total(s.box.version)
	if old == nil {
		old = new(cached)
	}
	old.wipe()
	if int64(cap(old.buf)) < n {
		old.buf = make([]byte, n)
	}
	old.buf, old.number = old.buf[:n], it.number
	if err := s.readAt(old.buf, it.offset); err != nil {
		return nil, s.bad(int64(it.number), it.offset, ErrTruncated, err.Error())
	}
	plain, err := s.decrypt(old.buf, it.number, it.segment)
	if err == nil {
		err = parseRecords(plain, place{version: s.box.version, number: it.number, final: it.final()}, func(r record) error {
			if r.kind != kindAudio && r.kind != kindFrames {
				return nil
			}
			if int(r.party) >= s.parties {
				return fmt.Errorf("%w: party %d", errRecord, r.party)
			}
			old.audio = append(old.audio, r)
			return nil
		})
	}
	if err != nil {
		old.wipe()
		return nil, s.bad(int64(it.number), it.offset, ErrTampered, err.Error())
	}
	old.plain = plain
	return old, nil
}

// segmentLocked returns a segment, decrypted anew unless it was asked for lately.
func (p *Playback) segmentLocked(it item) (*cached, error) {
	p.clock++
	oldest, age := 0, ^uint64(0)
	for i, c := range p.cache {
		switch {
		case c == nil:
			oldest, age = i, 0
		case c.number == it.number:
			c.used = p.clock
			return c, nil
		case !c.pinned && c.used < age:
			oldest, age = i, c.used
		}
	}
	old := p.cache[oldest]
	p.cache[oldest] = nil
	c, err := p.s.load(it, old)
	if err != nil {
		return nil, err
	}
	c.used = p.clock
	p.cache[oldest] = c
	return c, nil
}

// Info returns what is known of the recording.
func (p *Playback) Info() Info { return p.info }

// Duration returns the length, to the last thing that was stored.
func (p *Playback) Duration() time.Duration { return time.Duration(p.samples) * tick }

// Complete reports whether the recording ended well. If not, it is readable up to the last finished segment.
func (p *Playback) Complete() bool { return p.complete }

// Withheld returns what is silence because it is flagged and nobody approved, as it was decided when the recording was opened; nil if nothing is.
func (p *Playback) Withheld() []Span { return slices.Clone(p.cut.spans) }

// Marks returns the marks in the order they were written, without the texts of those in parts that are withheld. It reads the segments that have some, and
// no others; a *CorruptError if one is bad.
func (p *Playback) Marks() ([]Mark, error) {
	out, err := p.allMarks()
	for i, m := range out {
		for _, s := range p.cut.spans {
			if a, b := s.ticks(); int64(m.At/tick) >= a && int64(m.At/tick) < b && (m.Party < 0 || s.concerns(m.Party)) {
				out[i].Text = ""
			}
		}
	}
	return out, err
}

func (p *Playback) allMarks() ([]Mark, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if p.s.box == nil || p.s.box.version == version1 {
		return append([]Mark(nil), p.f.marks...), nil
	}
	var out []Mark
	for it, err := range p.marked() {
		if err != nil {
			return nil, err
		}
		c, err := p.segmentLocked(it)
		if err != nil {
			return nil, err
		}
		at := place{version: version2, number: it.number, final: it.final()}
		if err := parseRecords(c.plain, at, func(r record) error {
			if r.kind == kindMark {
				out = append(out, r.mark())
			}
			return nil
		}); err != nil {
			return nil, p.s.bad(int64(it.number), it.offset, ErrTampered, err.Error())
		}
	}
	return out, nil
}

// ReadPCM fills dst with 16-bit samples of one party (from 0) at SampleRate, starting at sample at; where the party was silent, paused, masked, lost or
// withheld, it writes zeros. It returns fewer than len(dst) and io.EOF only at the end of the recording. Any sample can be asked for at any time. A *CorruptError if a
// segment is not what was written, ErrCodec if there is no decoder; then it returns 0 and dst is zero. ErrBulk if the actor has read too much.
func (p *Playback) ReadPCM(party int, dst []int16, at int64) (int, error) {
	if party < 0 || party >= p.s.parties {
		return 0, fmt.Errorf("%w: party %d", ErrInvalid, party)
	}
	if at < 0 {
		return 0, fmt.Errorf("%w: negative position", ErrInvalid)
	}
	if at >= p.samples {
		return 0, io.EOF
	}
	n := int(min(int64(len(dst)), p.samples-at))
	if p.spend != nil {
		if err := p.spend(2 * int64(n)); err != nil {
			return 0, err
		}
	}
	if err := p.fill(party, dst[:n], at); err != nil {
		return 0, err
	}
	if n < len(dst) {
		return n, io.EOF
	}
	return n, nil
}

// fill is ReadPCM for what lies within the recording.
func (p *Playback) fill(party int, dst []int16, at int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(dst)
	if p.closed {
		return ErrClosed
	}
	var err error
	switch {
	case p.s.box == nil:
	case p.s.box.version == version1:
		err = p.readV1(party, dst, at)
	default:
		err = p.read(party, dst, at)
	}
	p.cut.silence(party, dst, at)
	if err != nil {
		clear(dst)
	}
	return err
}

// read fills dst from segments of version 2.
func (p *Playback) read(party int, dst []int16, at int64) error {
	end := at + int64(len(dst))
	for it, err := range p.overlapping(at, end) {
		if err != nil {
			return err
		}
		c, err := p.segmentLocked(it)
		if err != nil {
			return err
		}
		if err := p.play(c, it, party, dst, at); err != nil {
			return err
		}
	}
	return nil
}

// play copies what one segment has of a party.
func (p *Playback) play(c *cached, it item, party int, dst []int16, at int64) error {
	end := at + int64(len(dst))
	framed := false
	for _, r := range c.audio {
		from, to := max(at, int64(r.at)), min(end, int64(r.at)+int64(len(r.data)))
		switch {
		case int(r.party) != party:
		case r.kind == kindFrames:
			framed = true
		case from < to:
			decode(dst[from-at:to-at], r.data[from-int64(r.at):to-int64(r.at)], r.code)
		}
	}
	if !framed {
		return nil
	}
	if err := p.decodeFrames(c, it, party); err != nil {
		return err
	}
	for _, s := range c.pcm[party] {
		if from, to := max(at, s.at), min(end, s.at+int64(len(s.samples))); from < to {
			copy(dst[from-at:to-at], s.samples[from-s.at:to-s.at])
		}
	}
	return nil
}

// Close forgets the key and zeroes what was decrypted.
func (p *Playback) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for _, c := range p.cache {
		if c != nil {
			c.wipe()
		}
	}
	p.cache = [cachedSegments]*cached{}
	p.s.box = nil
	return p.release()
}

func (s *scanner) clear() { clear(s.buf[:cap(s.buf)]) }
