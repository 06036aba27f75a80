package srtp

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// SenderConfig tunes a Sender. The zero value is ready for use.
type SenderConfig struct {
	// SSRC is the synchronization source to send as. If zero, a random one. Set it only with a key that never protected a packet.
	SSRC uint32
}

// Sender protects the packets of one source under one key. It owns the source's SSRC and index.
// It is not safe for concurrent use.
type Sender struct {
	ctx      *srtp.Context
	gcm      *gcmSealer // nil for the counter-mode suites
	key      Key
	ssrc     uint32
	started  bool
	last     uint64 // index of the last protected packet: ROC and sequence number
	sent     uint64
	sentRTCP uint64
	limit    uint64
	limitCtl uint64
	grow     int // bytes of tag and MKI
	growRTCP int
	hdr      rtp.Header
	ctl      rtcp.Header
}

// NewSender returns a Sender for the first key of c. The error is ErrUnknownSuite, ErrMalformed or from the transform.
// The Sender keeps its own copy of the key.
func NewSender(c Crypto, cfg SenderConfig) (*Sender, error) {
	in, err := checkCrypto(c)
	if err != nil {
		return nil, err
	}
	k := c.Keys[0]
	s := &Sender{key: k.Key.clone(), ssrc: cfg.SSRC, limit: maxPacketsRTP, limitCtl: maxPacketsRTCP,
		grow: in.tag + len(k.MKI), growRTCP: in.rtcpTag + 4 + len(k.MKI)}
	if k.Lifetime > 0 {
		s.limit = min(s.limit, k.Lifetime)
		s.limitCtl = min(s.limitCtl, k.Lifetime)
	}
	for s.ssrc == 0 {
		var b [4]byte
		rand.Read(b[:])
		s.ssrc = binary.BigEndian.Uint32(b[:])
	}
	var opts []srtp.ContextOption
	if len(k.MKI) > 0 {
		opts = append(opts, srtp.MasterKeyIndicator(k.MKI))
	}
	b := s.key.bytes()
	s.ctx, err = srtp.CreateContext(b[:in.key], b[in.key:], in.profile, opts...)
	if err != nil {
		s.key.zero()
		return nil, fmt.Errorf("srtp: %s: %w", c.Suite, err)
	}
	if in.salt == 12 {
		if s.gcm, err = newGCMSealer(b[:in.key], b[in.key:], slices.Clone(k.MKI)); err != nil {
			s.Close()
			return nil, fmt.Errorf("srtp: %s: %w", c.Suite, err)
		}
	}
	return s, nil
}

// checkCrypto refuses what did not come from ParseCrypto or a Policy.
func checkCrypto(c Crypto) (suiteInfo, error) {
	in, ok := c.Suite.info()
	if !ok {
		return in, ErrUnknownSuite
	}
	if len(c.Keys) == 0 || len(c.Keys) > maxInlineKeys {
		return in, malformed("one to %d keys are required", maxInlineKeys)
	}
	for _, k := range c.Keys {
		if len(k.Key.bytes()) != in.key+in.salt {
			return in, malformed("key and salt of %s are %d bytes", c.Suite, in.key+in.salt)
		}
		if len(k.MKI) > maxMKI || len(c.Keys) > 1 && len(k.MKI) == 0 {
			return in, malformed("MKI")
		}
	}
	return in, nil
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
// the packet's length plus Overhead plus the MKI. dst may be pkt[:0]. It does not allocate otherwise.
// It refuses with ErrPacket, ErrForeignSSRC, ErrIndexReused, ErrKeyExhausted or ErrClosed; nothing was protected then.
func (s *Sender) ProtectRTP(dst, pkt []byte) ([]byte, error) {
	if s.ctx == nil {
		return nil, ErrClosed
	}
	if len(pkt) < 12 || pkt[0]>>6 != 2 {
		return nil, ErrPacket
	}
	if binary.BigEndian.Uint32(pkt[8:]) != s.ssrc {
		return nil, ErrForeignSSRC
	}
	idx, ok := s.next(binary.BigEndian.Uint16(pkt[2:]))
	if !ok {
		return nil, ErrIndexReused
	}
	if s.sent >= s.limit {
		return nil, ErrKeyExhausted
	}
	out, err := s.transform(dst[:0], pkt, idx)
	if err != nil {
		return nil, err
	}
	s.started = true
	s.last = idx
	s.sent++
	return out, nil
}

func (s *Sender) transform(dst, pkt []byte, idx uint64) ([]byte, error) {
	if s.gcm != nil {
		return s.gcm.seal(dst, pkt, idx)
	}
	out, err := s.ctx.EncryptRTP(dst, pkt, &s.hdr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPacket, err)
	}
	return out, nil
}

// next returns the index of seq if it is above the last one by less than half the sequence space. It holds the line
// against the two-time pad: nothing below this check may ever see one index twice.
func (s *Sender) next(seq uint16) (uint64, bool) {
	if !s.started {
		return uint64(seq), seq < 1<<15
	}
	step := seq - uint16(s.last)
	if step == 0 || step >= 1<<15 {
		return 0, false
	}
	return s.last + uint64(step), true
}

// ProtectRTCP protects one compound RTCP packet and returns it in dst's memory, or in new memory when dst has too little capacity.
// Its first packet must carry the sender's SSRC. It refuses with ErrPacket, ErrForeignSSRC, ErrKeyExhausted or ErrClosed.
func (s *Sender) ProtectRTCP(dst, pkt []byte) ([]byte, error) {
	if s.ctx == nil {
		return nil, ErrClosed
	}
	if len(pkt) < 8 || pkt[0]>>6 != 2 {
		return nil, ErrPacket
	}
	if binary.BigEndian.Uint32(pkt[4:]) != s.ssrc {
		return nil, ErrForeignSSRC
	}
	if s.sentRTCP >= s.limitCtl {
		return nil, ErrKeyExhausted
	}
	out, err := s.ctx.EncryptRTCP(dst[:0], pkt, &s.ctl)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPacket, err)
	}
	s.sentRTCP++
	return out, nil
}

// Overhead returns by how many bytes ProtectRTP makes a packet longer.
func (s *Sender) Overhead() int { return s.grow }

// OverheadRTCP returns by how many bytes ProtectRTCP makes a packet longer.
func (s *Sender) OverheadRTCP() int { return s.growRTCP }

// Remaining returns how many more RTP packets the key may protect; 0 after Close.
func (s *Sender) Remaining() uint64 {
	if s.ctx == nil {
		return 0
	}
	return s.limit - s.sent
}

// Close overwrites the master key and drops the derived ones. Every later call returns ErrClosed.
func (s *Sender) Close() {
	s.key.zero()
	if s.gcm != nil {
		clear(s.gcm.salt[:])
	}
	s.ctx, s.gcm = nil, nil
}
