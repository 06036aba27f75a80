package recording

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
)

// Pages of Ogg (RFC 3533 section 6).
const (
	pageHeader   = 27
	pageSegments = 255 // most lacing values of a page
	pageBegins   = 2   // header type: first page of its stream
	pageEnds     = 4   // last page of its stream
)

// pageSums has the CRC of each byte: generator 0x04c11db7, not reflected, from zero (RFC 3533 section 6).
var pageSums = func() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ c>>31*0x04c11db7
		}
		t[i] = c
	}
	return t
}()

// oggStream makes the pages of one logical stream. Packets are never split over pages: the longest takes nine lacing values.
type oggStream struct {
	w       io.Writer
	serial  uint32
	number  uint32
	lacing  []byte
	body    []byte
	granule uint64 // at the end of the last packet
}

// add puts a packet on the page, after writing the page if it is full. granule is where the packet ends.
func (s *oggStream) add(packet []byte, granule uint64) error {
	if len(s.lacing)+len(packet)/255+1 > pageSegments {
		if err := s.flush(0); err != nil {
			return err
		}
	}
	for n := len(packet); ; n -= 255 {
		s.lacing = append(s.lacing, byte(min(n, 255)))
		if n < 255 {
			break
		}
	}
	s.body, s.granule = append(s.body, packet...), granule
	return nil
}

// flush writes the page.
func (s *oggStream) flush(kind byte) error {
	le := binary.LittleEndian
	b := append(make([]byte, 0, pageHeader+len(s.lacing)+len(s.body)), "OggS"...)
	b = append(b, 0, kind)
	b = le.AppendUint64(b, s.granule)
	b = le.AppendUint32(b, s.serial)
	b = le.AppendUint32(b, s.number)
	b = le.AppendUint32(b, 0)
	b = append(b, byte(len(s.lacing)))
	b = append(append(b, s.lacing...), s.body...)
	sum := uint32(0)
	for _, c := range b {
		sum = sum<<8 ^ pageSums[byte(sum>>24)^c]
	}
	le.PutUint32(b[22:], sum)
	clear(s.body)
	s.number, s.lacing, s.body = s.number+1, s.lacing[:0], s.body[:0]
	_, err := s.w.Write(b)
	clear(b)
	return wrap(err)
}

const (
	opusRate    = 48000 // of granule positions, whatever was coded (RFC 7845 section 4)
	opusPerTick = opusRate / SampleRate
	// opusPreSkip is 80 ms that a decoder throws away to find its state (RFC 7845 section 4.2). They are silence put before the recording, so that nothing of
	// the recording is thrown away and it begins at its zero.
	opusPreSkip = 3840
	// opusUnit is the shortest packet, 2.5 ms, in ticks: shorter gaps cannot be filled (RFC 7845 section 4.1).
	opusUnit = SampleRate / 400
	// opusLost is the longest gap that sounds like lost packets. A longer one is silence: paused, muted or withheld.
	opusLost = 120 * SampleRate / 1000
)

// oggFile is a recording as Opus in Ogg: each party a logical stream, grouped (RFC 3533 section 4), the packets as they were recorded. Two parties are not one
// stereo stream because their packets neither begin nor last alike. Whoever was not recorded as Opus alone is encoded.
type oggFile struct {
	p       *Playback
	parties []int
}

func newOggFile(p *Playback, stream Stream) (oggFile, error) {
	f := oggFile{p: p}
	for i := range p.s.parties {
		if stream != Stereo && stream != Only(i) {
			continue
		}
		if f.parties = append(f.parties, i); p.onlyOpus(i) {
			continue
		}
		if p.opus == nil {
			return f, fmt.Errorf("%w: no encoder for %v", ErrInvalid, OggOpus)
		}
		if err := p.playable(Only(i)); err != nil {
			return f, err
		}
	}
	return f, nil
}

// onlyOpus reports whether all audio of a party was recorded as Opus. All of it must have been read.
func (p *Playback) onlyOpus(party int) bool {
	other := p.g711
	for code, who := range p.framed {
		if code != codeOpus {
			other |= who
		}
	}
	return other&(1<<party) == 0 && (p.s.box == nil || p.s.box.version != version1)
}

func (f oggFile) counts() int64 { return 2 * f.p.samples * int64(len(f.parties)) }

func (f oggFile) writeTo(w io.Writer) (int64, error) {
	c := &counter{w: w}
	return c.n, f.write(c)
}

func (f oggFile) write(w io.Writer) error {
	// Serial numbers tell streams of files apart that are put one after the other; random ones would make another file each time.
	sum := sha256.Sum256([]byte(f.p.info.ID))
	streams := make([]opusStream, len(f.parties))
	for i, party := range f.parties {
		streams[i] = opusStream{p: f.p, party: party, page: oggStream{w: w, serial: be32(sum[:]) + uint32(party)}}
		if f.p.onlyOpus(party) {
			continue
		}
		if streams[i].encoder = f.p.opus(); streams[i].encoder == nil {
			return fmt.Errorf("%w: no encoder for %v", ErrInvalid, OggOpus)
		}
	}
	for i := range streams { // all first pages come before any other (RFC 3533 section 4)
		if err := streams[i].begin(); err != nil {
			return err
		}
	}
	for i := range streams {
		if err := streams[i].comment(); err != nil {
			return err
		}
	}
	// A page of each stream for every second, so that they lie as they are heard.
	for from := int64(0); ; from += SampleRate {
		last := from+SampleRate >= f.p.samples
		for i := range streams {
			if err := streams[i].second(from, last); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// opusStream is one party's.
type opusStream struct {
	p     *Playback
	party int
	page  oggStream
	end   int64 // tick up to which there are packets
	toc   byte  // of the last packet that was recorded
	heard bool  // there was one

	encoder OpusEncoder // of what was not recorded as Opus; nil otherwise
}

// begin writes the identification header (RFC 7845 section 5.1).
func (s *opusStream) begin() error {
	channels, err := s.channels()
	if err != nil {
		return err
	}
	b := append([]byte("OpusHead"), 1, channels)
	b = binary.LittleEndian.AppendUint16(b, opusPreSkip)
	b = binary.LittleEndian.AppendUint32(b, 0) // what was put into the encoder is not known
	b = append(b, 0, 0, 0)                     // no gain, mapping family 0
	if err := s.page.add(b, 0); err != nil {
		return err
	}
	return s.page.flush(pageBegins)
}

// channels is how many the first packet has: one if there is none. A later packet that has more is mixed to as many by whoever plays it.
func (s *opusStream) channels() (n byte, err error) {
	if s.encoder != nil {
		return 1, nil
	}
	for it, err := range s.p.overlapping(0, s.p.samples) {
		if err != nil {
			return 0, err
		}
		if err := s.frames(it, func(_ int64, _ int, payload []byte) error {
			if n == 0 {
				n = 1 + payload[0]>>2&1
			}
			return nil
		}); err != nil || n > 0 {
			return n, err
		}
	}
	return 1, nil
}

// comment writes the comment header (RFC 7845 section 5.2). It says nothing about anybody.
func (s *opusStream) comment() error {
	const vendor = "ringfence"
	b := binary.LittleEndian.AppendUint32([]byte("OpusTags"), uint32(len(vendor)))
	b = binary.LittleEndian.AppendUint32(append(b, vendor...), 0)
	if err := s.page.add(b, 0); err != nil {
		return err
	}
	if err := s.page.flush(0); err != nil {
		return err
	}
	s.end = -opusPreSkip / opusPerTick
	if s.encoder != nil {
		return s.encode(0)
	}
	return s.silence(0)
}

// encode encodes up to a tick, and as much further as the last packet reaches.
func (s *opusStream) encode(to int64) error {
	var pcm [SampleRate / 50]int16
	var packet [MaxFrame]byte
	defer func() { clear(pcm[:]); clear(packet[:]) }()
	for s.end < to {
		clear(pcm[:])
		if n := min(int64(len(pcm)), s.p.samples-s.end); s.end >= 0 && n > 0 {
			if err := s.p.fill(s.party, pcm[:n], s.end); err != nil {
				return err
			}
		}
		n, err := s.encoder.Encode(packet[:], pcm[:])
		if err == nil && (n < 1 || n > len(packet) || opusTicks(packet[:n]) != int64(len(pcm))) {
			err = fmt.Errorf("%w: no packet of 20 ms", ErrCodec)
		}
		if err != nil {
			return wrap(err)
		}
		if err := s.packet(packet[:n], int64(len(pcm))); err != nil {
			return err
		}
	}
	return nil
}

// second writes the packets that begin within a second.
func (s *opusStream) second(from int64, last bool) error {
	to := from + SampleRate
	if s.encoder != nil {
		if err := s.encode(min(to, s.p.samples)); err != nil {
			return err
		}
		return s.finish(last)
	}
	for it, err := range s.p.overlapping(from, to) {
		if err != nil {
			return err
		}
		if err := s.frames(it, func(at int64, ticks int, payload []byte) error {
			if at < from || at >= to || s.p.cut.hides(s.party, at, at+int64(ticks)) {
				return nil
			}
			if err := s.gap(at); err != nil {
				return err
			}
			s.toc, s.heard = payload[0], true
			return s.packet(payload, int64(ticks))
		}); err != nil {
			return err
		}
	}
	if !last {
		if to-s.end > opusLost { // a shorter gap is filled when it is known how long it is
			if err := s.silence(to); err != nil {
				return err
			}
		}
	} else if err := s.silence(s.p.samples + opusUnit - 1); err != nil {
		return err
	}
	return s.finish(last)
}

// finish ends the page, and with the last the stream: at the end of the recording, which cuts a longer packet off (RFC 7845 section 4.4).
func (s *opusStream) finish(last bool) error {
	switch {
	case !last && len(s.page.lacing) == 0:
		return nil
	case !last:
		return s.page.flush(0)
	}
	s.page.granule = opusPreSkip + uint64(s.p.samples)*opusPerTick
	return s.page.flush(pageEnds)
}

func (s *opusStream) packet(payload []byte, ticks int64) error {
	s.end += ticks
	return s.page.add(payload, uint64(opusPreSkip+s.end*opusPerTick))
}

// gap fills what is missing up to a tick. Granule positions must not jump (RFC 7845 section 4.1): a short gap is filled with empty packets like the last one,
// by which a decoder conceals it as it does in a call, the rest with silence. Less than 2.5 ms cannot be filled; the next packet comes that much early.
func (s *opusStream) gap(to int64) error {
	if s.heard && to-s.end <= opusLost && !s.p.cut.hides(s.party, s.end, to) {
		empty := []byte{s.toc &^ 3} // one frame of no bytes (RFC 6716 section 3.2.1)
		for n := opusTicks(empty); to-s.end >= n; {
			if err := s.packet(empty, n); err != nil {
				return err
			}
		}
	}
	return s.silence(to)
}

// silence fills up to a tick with packets of CELT that say nothing but that (RFC 6716 section 4.3.1), as long as can be.
func (s *opusStream) silence(to int64) error {
	for to-s.end >= opusUnit {
		n, config := int64(8*opusUnit), byte(31) // 20 ms, fullband; the configurations before it are half as long each
		for n > to-s.end {
			n, config = n/2, config-1
		}
		if err := s.packet([]byte{config << 3, 0xff, 0xfe}, n); err != nil {
			return err
		}
	}
	return nil
}

// frames calls visit for the party's frames in a segment.
func (s *opusStream) frames(it item, visit func(at int64, ticks int, payload []byte) error) error {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.p.closed {
		return ErrClosed
	}
	c, err := s.p.segmentLocked(it)
	if err != nil {
		return err
	}
	for _, r := range c.audio {
		if int(r.party) != s.party {
			continue
		}
		if r.kind != kindFrames || r.code != codeOpus {
			return fmt.Errorf("%w: %s", ErrCodec, codecName(r.code)) // onlyOpus has looked: the recording goes on
		}
		at := int64(r.at)
		for b := r.data; len(b) > 0; {
			ticks, payload, rest, err := cutFrame(b)
			if err != nil {
				return err
			}
			if err := visit(at, ticks, payload); err != nil {
				return err
			}
			at, b = at+int64(ticks), rest
		}
	}
	return nil
}
