package jitter

import (
	"errors"
	"time"
)

// ErrConfig is returned by New for values out of range.
var ErrConfig = errors.New("jitter: configuration out of range")

const (
	slots      = 64   // packets held; a power of two
	chunkSize  = 80   // 10 ms of G.711
	chunks     = 128  // payload held
	maxPayload = 1500 // longer packets are refused
	noChunk    = 0xff
)

// Config describes a Buffer. It is copied by New.
type Config struct {
	// Clock is the rate of the RTP timestamps in Hz, 8000 to 96000. If zero, 8000.
	Clock int
	// Frame is how much the caller plays at a time, 10 to 60 ms: the step by which the delay changes. If zero, 20 ms.
	Frame time.Duration
	// Min and Max bound the target delay. If zero, 20 ms and 200 ms. Max is at most 400 ms and at least Min.
	Min, Max time.Duration
	// Start is the target before anything was measured. If zero, 40 ms, or what of Min and Max is nearer.
	Start time.Duration
}

func (c Config) withDefaults() Config {
	if c.Clock == 0 {
		c.Clock = 8000
	}
	if c.Frame == 0 {
		c.Frame = 20 * time.Millisecond
	}
	if c.Min == 0 {
		c.Min = 20 * time.Millisecond
	}
	if c.Max == 0 {
		c.Max = 200 * time.Millisecond
	}
	if c.Start == 0 {
		c.Start = min(max(40*time.Millisecond, c.Min), c.Max)
	}
	return c
}

func (c Config) valid() bool {
	return c.Clock >= 8000 && c.Clock <= 96000 && c.Frame >= 10*time.Millisecond && c.Frame <= 60*time.Millisecond &&
		c.Min > 0 && c.Min <= c.Max && c.Max <= 400*time.Millisecond && c.Start >= c.Min && c.Start <= c.Max
}

// Packet is one received packet.
type Packet struct {
	// SSRC, Seq, TS and Marker are those of the RTP header.
	SSRC   uint32
	Seq    uint16
	TS     uint32
	Marker bool
	// Ticks is how long the payload lasts, in units of the timestamp: for G.711 and G.722 its length in bytes. Up to 120 ms.
	Ticks int
	// Silent says that the packet begins or continues a silence: comfort noise (RFC 3389), or audio the caller measured to be quiet. Packets that follow
	// may then be missing by intention, and the delay may change unheard.
	Silent bool
	// Payload is copied. Up to 1500 bytes.
	Payload []byte
	// At is when the packet arrived, on the caller's monotonic clock since any moment it likes; Get is told the same clock.
	At time.Duration
}

// Kind says what to play.
type Kind uint8

// What Get returns.
const (
	Waiting Kind = iota // nothing to play yet: the stream has not begun, or is held back for the first time
	Frame               // the next packet
	Lost                // the next packet is missing while later ones are there: conceal one packet of Result.Ticks
	Dry                 // nothing has arrived, and the peer did not announce silence: conceal one frame
	Stretch             // the delay has to grow: conceal one frame; the next packet stays
	Comfort             // the peer is silent: play comfort noise for one frame
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Waiting:
		return "waiting"
	case Frame:
		return "frame"
	case Lost:
		return "lost"
	case Dry:
		return "dry"
	case Stretch:
		return "stretch"
	case Comfort:
		return "comfort"
	}
	return "invalid"
}

// Result is what Get returns.
type Result struct {
	// Kind says what to play.
	Kind Kind
	// Payload is the packet's with Frame. It is valid until the next Get.
	Payload []byte
	// Ticks is how long to play, in units of the timestamp.
	Ticks int
	// Marker and Silent are the packet's with Frame. TS and Seq are its numbers.
	Marker, Silent bool
	TS             uint32
	Seq            uint16
	// Missed is how many packets before this one were given up without a Lost of their own, because the time to conceal them had passed.
	Missed int
	// Skipped is how many packets that had arrived were left out before this one to shorten the delay.
	Skipped int
}

// Stats count since New. Lost + Played + Skipped is what the peer sent up to the last packet played; RFC 3611 calls Late and Skipped discarded.
type Stats struct {
	Received   uint64 // packets put, whatever became of them
	Played     uint64 // packets returned with Frame
	Lost       uint64 // packets given up as missing, with Lost or in Missed; those that came Late are among them
	Late       uint64 // packets that came after they were given up
	Skipped    uint64 // packets left out to shorten the delay or for want of room
	Duplicates uint64 // packets that came again
	Refused    uint64 // packets too long, or of a source or sequence that is not the stream's
	Concealed  uint64 // calls of Get that asked for concealment: Lost, Dry and Stretch
	Restarts   uint64 // new sources and jumps of sequence number or timestamp

	Target time.Duration // delay aimed for
	Delay  time.Duration // delay at the last call of Get that played: over the fastest recent packet
	Depth  int           // packets held
}

// slot is one packet held.
type slot struct {
	ext     int64         // number on the timeline; 0: empty
	media   time.Duration // when it was sent, on the timeline
	transit time.Duration // how long it took since
	ts      uint32
	seq     uint16
	size    uint16
	ticks   uint16
	first   uint8 // chunk
	marker  bool
	silent  bool
}

// Buffer is the playout buffer of one stream. New makes it.
type Buffer struct {
	cfg  Config
	ring [slots]slot
	data [chunks][chunkSize]byte
	link [chunks]uint8 // next chunk of the same packet or of the free list
	free uint8
	out  [maxPayload]byte

	line  timeline
	delay estimator

	started bool
	next    int64         // extended sequence number to play
	nextAt  time.Duration // where it should be on the timeline
	length  time.Duration // of the last packet
	ticks   int
	high    int64         // highest held or played
	played  uint64        // of the 64 packets before next, bit 0 being next-1: played, not given up
	silent  bool          // the last packet played was silent
	dry     time.Duration // concealed for want of packets since the last one played
	calm    int           // calls since the delay was last changed
	missed  int           // for the next Result
	skipped int
	held    int
	stats   Stats
}

// New returns an empty buffer. The error is ErrConfig.
func New(cfg Config) (*Buffer, error) {
	cfg = cfg.withDefaults()
	if !cfg.valid() {
		return nil, ErrConfig
	}
	b := &Buffer{cfg: cfg, length: cfg.Frame, ticks: int(cfg.Frame * time.Duration(cfg.Clock) / time.Second)}
	for i := range b.link {
		b.link[i] = uint8(i) + 1
	}
	b.link[chunks-1] = noChunk
	b.delay.target = cfg.Start
	return b, nil
}

// Stats returns the counters.
func (b *Buffer) Stats() Stats {
	s := b.stats
	s.Target, s.Depth = b.delay.target, b.held
	return s
}

// Put takes a packet in the order of arrival and reports whether it will be played unless it is skipped.
func (b *Buffer) Put(p Packet) bool {
	b.stats.Received++
	if len(p.Payload) > maxPayload || p.Ticks <= 0 || p.Ticks > 120*b.cfg.Clock/1000 {
		b.stats.Refused++
		return false
	}
	ext, media, verdict := b.line.place(&p, b.cfg.Clock)
	switch verdict {
	case placeRefuse:
		b.stats.Refused++
		return false
	case placeRestart:
		b.stats.Restarts++
	}
	s := &b.ring[ext&(slots-1)]
	age := b.next - 1 - ext
	if s.ext == ext || b.started && age >= 0 && age < 64 && b.played&(1<<age) != 0 {
		b.stats.Duplicates++
		return false
	}
	b.delay.learn(p.At-media, &b.cfg)
	if b.started && age >= 0 {
		b.stats.Late++
		return false
	}
	if !b.room(ext, len(p.Payload)) {
		b.stats.Refused++
		return false
	}
	*s = slot{ext: ext, media: media, transit: p.At - media, ts: p.TS, seq: p.Seq, size: uint16(len(p.Payload)), ticks: uint16(p.Ticks), marker: p.Marker, silent: p.Silent}
	s.first = b.store(p.Payload)
	b.held++
	b.high = max(b.high, ext)
	return true
}

// room gives up the oldest packets until ext and its payload fit. It returns false for a packet older than all of a full ring.
func (b *Buffer) room(ext int64, size int) bool {
	if b.held == 0 && !b.started {
		b.next = ext // the first packet; an earlier one may still come
	}
	if !b.started && ext < b.next {
		if b.high-ext >= slots {
			return false
		}
		b.next = ext
	}
	if ext-b.next >= slots {
		if b.held == 0 {
			b.pass(ext) // nothing of the gap is held, however long it is
		}
		for ext-b.next >= slots {
			b.drop()
		}
	}
	need, have := (size+chunkSize-1)/chunkSize, 0
	for c := b.free; c != noChunk && have < need; c = b.link[c] {
		have++
	}
	for have < need && b.held > 0 && b.next < ext {
		s := &b.ring[b.next&(slots-1)]
		if s.ext == b.next {
			have += (int(s.size) + chunkSize - 1) / chunkSize
		}
		b.drop()
	}
	return have >= need
}

// pass gives up every packet before ext; none of them is held.
func (b *Buffer) pass(ext int64) {
	n := ext - b.next
	b.stats.Lost += uint64(n)
	b.missed += int(n)
	b.played <<= min(n, 64)
	b.nextAt += time.Duration(min(n, slots)) * b.length
	b.next = ext
}

// drop gives up the next packet, whether it is there or not.
func (b *Buffer) drop() {
	s := &b.ring[b.next&(slots-1)]
	if s.ext != b.next {
		b.pass(b.next + 1)
		return
	}
	b.stats.Skipped++
	b.skipped++
	b.advance(s)
}

// advance leaves the next packet behind, which is there. A skipped one counts as played when it comes again.
func (b *Buffer) advance(s *slot) {
	b.length, b.ticks, b.silent = b.span(s), int(s.ticks), s.silent
	b.nextAt = s.media + b.length
	b.release(s)
	b.played = b.played<<1 | 1
	b.next++
}

func (b *Buffer) span(s *slot) time.Duration { return span(int64(s.ticks), b.cfg.Clock) }

func (b *Buffer) store(payload []byte) uint8 {
	first, last := uint8(noChunk), uint8(noChunk)
	for len(payload) > 0 {
		c := b.free
		b.free = b.link[c]
		b.link[c] = noChunk
		payload = payload[copy(b.data[c][:], payload):]
		if last == noChunk {
			first = c
		} else {
			b.link[last] = c
		}
		last = c
	}
	return first
}

// release returns the chunks of a slot and empties it.
func (b *Buffer) release(s *slot) {
	for c := s.first; c != noChunk; {
		after := b.link[c]
		b.link[c] = b.free
		b.free = c
		c = after
	}
	*s = slot{}
	b.held--
}
