package srtp

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
)

// SenderConfig tunes a Sender. The zero value is ready for use.
type SenderConfig struct {
	// SSRC is the synchronization source to send as. If zero, a random one. Set it only with a key that never protected a packet.
	SSRC uint32
	// RekeyMargin is how many packets before the end of a key's lifetime RekeyDue begins to report. If zero, an eighth of the lifetime. A margin
	// of the lifetime or more reports from the start.
	RekeyMargin uint64
}

// Sender protects the packets of one source. It owns the source's SSRC and index, which go on rising when the key changes
// (RFC 3711 section 3.3.1). It is not safe for concurrent use.
type Sender struct {
	in      suiteInfo
	keys    []*sessionKey // the first is in use, the others are announced; none after Close
	used    [][2]uint64   // ids of keys that were in use
	margin  uint64
	ssrc    uint32
	started bool
	due     bool
	last    uint64 // index of the last protected packet: ROC and sequence number
	lastCtl uint32 // index of the last protected RTCP packet
	mki     int
	scratch scratch
}

// NewSender returns a Sender for the keys of c: it sends under the first and goes over to the next when that one's lifetime ends. The error is
// ErrUnknownSuite, ErrMalformed or ErrSessionParameter. What the Sender needs of the keys it keeps itself; c may be zeroed.
func NewSender(c Crypto, cfg SenderConfig) (*Sender, error) {
	in, err := checkCrypto(c)
	if err != nil {
		return nil, err
	}
	s := &Sender{in: in, ssrc: cfg.SSRC, margin: cfg.RekeyMargin, mki: len(c.Keys[0].MKI), keys: make([]*sessionKey, 0, len(c.Keys))}
	for _, k := range c.Keys {
		key, err := newSessionKey(in, k)
		if err != nil {
			s.Close()
			return nil, err
		}
		s.keys = append(s.keys, key)
	}
	for s.ssrc == 0 {
		var b [4]byte
		rand.Read(b[:])
		s.ssrc = binary.BigEndian.Uint32(b[:])
	}
	s.weigh()
	return s, nil
}

// SSRC returns the source this Sender sends as.
func (s *Sender) SSRC() uint32 { return s.ssrc }

// RandomSequence returns a random sequence number to start with: below 2^15, so that a receiver that misses the first
// packets still sees the counter before its first rollover (RFC 3711 section 3.3.1).
func RandomSequence() uint16 {
	var b [2]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint16(b[:]) >> 1
}

// ProtectRTP protects one RTP packet and returns it in dst's memory, or in new memory when dst has too little capacity:
// the packet's length plus Overhead. dst may be pkt[:0] and must not overlap pkt in another way. It does not allocate otherwise.
// It refuses with ErrPacket, ErrForeignSSRC, ErrIndexReused, ErrKeyExhausted or ErrClosed; nothing was protected then.
func (s *Sender) ProtectRTP(dst, pkt []byte) ([]byte, error) {
	if len(s.keys) == 0 {
		return nil, ErrClosed
	}
	if len(pkt) < 12 || len(pkt) > maxPacket || pkt[0]>>6 != 2 {
		return nil, ErrPacket
	}
	if binary.BigEndian.Uint32(pkt[8:]) != s.ssrc {
		return nil, ErrForeignSSRC
	}
	idx, ok := s.next(binary.BigEndian.Uint16(pkt[2:]))
	if !ok {
		return nil, ErrIndexReused
	}
	head, ok := headerLen(pkt)
	if !ok {
		return nil, ErrPacket
	}
	key := s.current()
	if key == nil {
		return nil, ErrKeyExhausted
	}
	// The index is spent before the key is used, whatever happens then.
	s.started, s.last = true, idx
	key.used++
	out := key.rtp.sealRTP(&s.scratch, dst[:0], pkt, head, s.ssrc, idx, key.mki)
	s.weigh()
	return out, nil
}

// next returns the index of seq if it is above the last one by less than half the sequence space. It holds the line
// against the two-time pad: nothing below this check may ever see one index twice.
func (s *Sender) next(seq uint16) (uint64, bool) {
	if !s.started {
		return uint64(seq), seq < 1<<15
	}
	step := seq - uint16(s.last)
	if step == 0 || step >= 1<<15 || s.last+uint64(step) >= maxPacketsRTP {
		return 0, false
	}
	return s.last + uint64(step), true
}

// ProtectRTCP protects one compound RTCP packet and returns it in dst's memory, or in new memory when dst has too little capacity; see ProtectRTP.
// Its first packet must carry the sender's SSRC. It refuses with ErrPacket, ErrForeignSSRC, ErrKeyExhausted or ErrClosed.
func (s *Sender) ProtectRTCP(dst, pkt []byte) ([]byte, error) {
	if len(s.keys) == 0 {
		return nil, ErrClosed
	}
	if len(pkt) < headRTCP || len(pkt) > maxPacket || pkt[0]>>6 != 2 {
		return nil, ErrPacket
	}
	if binary.BigEndian.Uint32(pkt[4:]) != s.ssrc {
		return nil, ErrForeignSSRC
	}
	key := s.current()
	if key == nil || s.lastCtl >= maxPacketsRTCP {
		return nil, ErrKeyExhausted
	}
	s.lastCtl++ // section 3.4: it is not reset with a new key
	key.usedCtl++
	out := key.rtcp.sealRTCP(&s.scratch, dst[:0], pkt, s.ssrc, s.lastCtl, key.mki)
	s.weigh()
	return out, nil
}

// current returns the key to use, moving on to the next announced one when a lifetime has ended; nil when none is left.
func (s *Sender) current() *sessionKey {
	for s.keys[0].exhausted() {
		if len(s.keys) == 1 {
			return nil
		}
		s.use(1)
	}
	return s.keys[0]
}

// use makes keys[i] the one in use and forgets the one before.
func (s *Sender) use(i int) {
	s.used = append(s.used, s.keys[0].id())
	s.keys[0].wipe()
	next := s.keys[i]
	s.keys = append(s.keys[:i], s.keys[i+1:]...)
	s.keys[0] = next
	s.weigh()
}

// weigh computes RekeyDue after a change, so that the question itself costs nothing.
func (s *Sender) weigh() {
	k := s.keys[0]
	margin, marginCtl := s.margin, s.margin
	if margin == 0 {
		margin, marginCtl = k.limit/rekeyFraction, k.limitCtl/rekeyFraction
	}
	s.due = len(s.keys) == 1 && (k.limit-k.used <= margin || k.limitCtl-k.usedCtl <= marginCtl)
}

// RekeyDue reports that the key in use nears the end of its lifetime, in RTP or RTCP packets, whichever is nearer, and that no other
// announced key is left to go over to: time to offer a new one (Policy.Rekey). It costs no allocation; ask it after any packet. False after Close.
func (s *Sender) RekeyDue() bool { return s.due && len(s.keys) > 0 }

// Rekey goes over to a further key within the stream, under the same SSRC and without a gap; the key in use is forgotten. Call it once the peer knows
// the key, by an accepted offer. The key needs an MKI of the length the Sender has: without one the peer could not tell which packets
// are under which key, and a new key takes a new Sender. The error is ErrMalformed, ErrKeyReused for a key or MKI that was in
// use or is announced already, or ErrClosed; nothing changed then.
func (s *Sender) Rekey(k InlineKey) error {
	if len(s.keys) == 0 {
		return ErrClosed
	}
	if s.mki == 0 {
		return malformed("a stream without MKI is rekeyed with a new Sender")
	}
	if err := checkKey(s.in, k, s.mki); err != nil {
		return err
	}
	key, err := newSessionKey(s.in, k)
	if err != nil {
		return err
	}
	if s.knows(key) {
		key.wipe()
		return ErrKeyReused
	}
	s.keys = append(s.keys, key)
	s.use(len(s.keys) - 1)
	return nil
}

// knows reports whether the key was in use, or its MKI names another (RFC 3711 section 9.2: used keys must not be used again).
func (s *Sender) knows(key *sessionKey) bool {
	for _, id := range s.used {
		if id == key.id() {
			return true
		}
	}
	for _, k := range s.keys {
		if k.id() == key.id() || bytes.Equal(k.mki, key.mki) {
			return true
		}
	}
	return false
}

// SwitchMKI goes over to another key of the Crypto the Sender was made from; the key in use is forgotten. To the key in use it is nothing.
// The error is ErrUnknownMKI for an MKI that was not announced or whose key was left before, or ErrClosed.
func (s *Sender) SwitchMKI(mki []byte) error {
	if len(s.keys) == 0 {
		return ErrClosed
	}
	for i, k := range s.keys {
		if bytes.Equal(k.mki, mki) {
			if i > 0 {
				s.use(i)
			}
			return nil
		}
	}
	return ErrUnknownMKI
}

// Overhead returns by how many bytes ProtectRTP makes a packet longer.
func (s *Sender) Overhead() int { return s.in.tag + s.mki }

// OverheadRTCP returns by how many bytes ProtectRTCP makes a packet longer.
func (s *Sender) OverheadRTCP() int { return s.in.rtcpTag + indexRTCP + s.mki }

// Remaining returns how many more RTP packets the key in use may protect, other announced keys not counted; 0 after Close.
func (s *Sender) Remaining() uint64 {
	if len(s.keys) == 0 || s.keys[0].exhausted() {
		return 0
	}
	return s.keys[0].limit - s.keys[0].used
}

// Close drops the derived keys and overwrites what of them is in reach. Every later call returns ErrClosed. It may be called twice.
func (s *Sender) Close() {
	for _, k := range s.keys {
		k.wipe()
	}
	s.keys, s.scratch = nil, scratch{}
	clear(s.used)
}
