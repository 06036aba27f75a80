package srtp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// ReceiverConfig tunes a Receiver. The zero value is ready for use.
type ReceiverConfig struct {
	// ReplayWindow is how many packets a packet may be late, 64 to 32768. If zero, 128.
	ReplayWindow int
	// ReplayWindowRTCP is the same for SRTCP. If zero, 64.
	ReplayWindowRTCP int
	// MaxSources is how many SSRCs may send under the key, 1 to 4096. If zero, 32.
	MaxSources int
}

func (c ReceiverConfig) withDefaults() ReceiverConfig {
	if c.ReplayWindow == 0 {
		c.ReplayWindow = defaultReplayWindow
	}
	if c.ReplayWindowRTCP == 0 {
		c.ReplayWindowRTCP = defaultReplayWindowRTCP
	}
	if c.MaxSources == 0 {
		c.MaxSources = defaultMaxSources
	}
	return c
}

func (c ReceiverConfig) validate() error {
	for _, w := range []int{c.ReplayWindow, c.ReplayWindowRTCP} {
		if w < minReplayWindow || w > maxReplayWindow {
			return fmt.Errorf("%w: replay window %d is not %d to %d", ErrConfig, w, minReplayWindow, maxReplayWindow)
		}
	}
	if c.MaxSources < 1 || c.MaxSources > maxMaxSources {
		return fmt.Errorf("%w: sources %d is not 1 to %d", ErrConfig, c.MaxSources, maxMaxSources)
	}
	return nil
}

// ReceiverStats counts what a Receiver refused and let pass.
type ReceiverStats struct {
	Packets      uint64 // authentic RTP packets
	PacketsRTCP  uint64 // authentic RTCP packets
	Replays      uint64 // refused as seen before or too old
	AuthFailures uint64 // refused as not made with the key, including packets that are not SRTP at all
	Sources      int    // SSRCs known
	Recoveries   uint64 // times a missed rollover of the counter was found again
}

// Receiver verifies and decrypts the packets of one peer under one set of keys. It is not safe for concurrent use.
type Receiver struct {
	ctx      *srtp.Context
	in       suiteInfo
	keys     []InlineKey
	cfg      ReceiverConfig
	sources  map[uint32]struct{}
	control  map[uint32]struct{}
	stats    ReceiverStats
	limit    uint64
	minRTP   int
	minRTCP  int
	replayed bool // set by the replay guard during one call of the transform
	failed   int  // consecutive RTP packets of failedID that failed
	failedID uint32
	hdr      rtp.Header
	ctl      rtcp.Header
}

// NewReceiver returns a Receiver for all keys of c. The error is ErrUnknownSuite, ErrMalformed, ErrConfig or from the transform.
// The Receiver keeps its own copy of the keys.
func NewReceiver(c Crypto, cfg ReceiverConfig) (*Receiver, error) {
	in, err := checkCrypto(c)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Receiver{in: in, cfg: cfg, limit: maxPacketsRTP,
		sources: make(map[uint32]struct{}, 1), control: make(map[uint32]struct{}, 1)}
	mki := len(c.Keys[0].MKI)
	r.minRTP = 12 + in.tag + mki
	r.minRTCP = 8 + in.rtcpTag + 4 + mki
	for i, k := range c.Keys {
		r.keys = append(r.keys, InlineKey{Key: k.Key.clone(), MKI: k.MKI})
		// With several keys each has its own limit; the sum bounds the stream and the transform holds the absolute one.
		if l := k.Lifetime; l > 0 {
			if i == 0 {
				r.limit = 0
			}
			r.limit += l
		}
	}
	r.limit = min(r.limit, maxPacketsRTP)
	if r.ctx, err = r.newContext(); err != nil {
		r.Close()
		return nil, fmt.Errorf("srtp: %s: %w", c.Suite, err)
	}
	return r, nil
}

// newContext makes a transform with empty state under the receiver's keys.
func (r *Receiver) newContext() (*srtp.Context, error) {
	opts := []srtp.ContextOption{
		srtp.SRTPReplayDetectorFactory(r.guard(uint(r.cfg.ReplayWindow), maxPacketsRTP-1)),
		srtp.SRTCPReplayDetectorFactory(r.guard(uint(r.cfg.ReplayWindowRTCP), maxPacketsRTCP)),
	}
	first := r.keys[0]
	if len(first.MKI) > 0 {
		opts = append(opts, srtp.MasterKeyIndicator(first.MKI))
	}
	b := first.Key.bytes()
	ctx, err := srtp.CreateContext(b[:r.in.key], b[r.in.key:], r.in.profile, opts...)
	if err != nil {
		return nil, err
	}
	for _, k := range r.keys[1:] {
		b := k.Key.bytes()
		if err := ctx.AddCipherForMKI(k.MKI, b[:r.in.key], b[r.in.key:]); err != nil {
			return nil, err
		}
	}
	return ctx, nil
}

// UnprotectRTP verifies and decrypts one SRTP packet and returns the RTP packet in dst's memory, or in new memory when dst has
// too little capacity. dst may be pkt[:0]; then pkt is spoiled also when the packet is refused. It allocates nothing for
// an authentic packet of a known source. It refuses with ErrPacket, ErrReplay, ErrAuth, ErrTooManySources, ErrKeyExhausted or
// ErrClosed; a refused packet leaves no state behind but the counters.
func (r *Receiver) UnprotectRTP(dst, pkt []byte) ([]byte, error) {
	if r.ctx == nil {
		return nil, ErrClosed
	}
	if len(pkt) < r.minRTP || pkt[0]>>6 != 2 {
		r.stats.AuthFailures++
		return nil, ErrPacket
	}
	ssrc := binary.BigEndian.Uint32(pkt[8:])
	_, known := r.sources[ssrc]
	if !known && len(r.sources) >= r.cfg.MaxSources {
		return nil, ErrTooManySources
	}
	if r.stats.Packets >= r.limit {
		return nil, ErrKeyExhausted
	}
	// The transform decrypts in place only after the tag verified for GCM; for counter mode it verifies first as well. A failed
	// packet may still be needed for recovery, so the try works on a copy only in that rare case.
	var saved []byte
	if r.failed >= recoverAfter && ssrc == r.failedID {
		saved = append(saved, pkt...)
	}
	r.replayed = false
	out, err := r.ctx.DecryptRTP(dst[:0], pkt, &r.hdr)
	if err != nil && saved != nil {
		r.failed = 0 // one try in recoverAfter packets bounds what a flood costs
		out, err = r.recover(dst, saved, ssrc)
	}
	if err != nil {
		return nil, r.refused(err, ssrc)
	}
	if !known {
		r.sources[ssrc] = struct{}{}
	}
	if r.failedID == ssrc {
		r.failed = 0
	}
	r.stats.Packets++
	return out, nil
}

// refused counts a refused RTP packet.
func (r *Receiver) refused(err error, ssrc uint32) error {
	if ssrc != r.failedID {
		r.failedID, r.failed = ssrc, 0
	}
	r.failed++ // replays too: behind a missed rollover, a new packet looks like one from long ago
	if r.replayed {
		r.stats.Replays++
		return ErrReplay
	}
	r.stats.AuthFailures++
	if errors.Is(err, srtp.ErrFailedToVerifyAuthTag) || errors.Is(err, srtp.ErrMKINotFound) {
		return ErrAuth
	}
	return ErrPacket
}

// recover tries the packet one rollover ahead: the peer's counter passed 2^16 while nothing reached us (RFC 3711 section 3.3.1 leaves
// that case open). The try runs on a context of its own, so that a forged packet cannot move the real one's counter.
func (r *Receiver) recover(dst, pkt []byte, ssrc uint32) ([]byte, error) {
	probe, err := r.newContext()
	if err != nil {
		return nil, err
	}
	roc, _ := r.ctx.ROC(ssrc)
	if roc == 1<<32-1 {
		return nil, srtp.ErrFailedToVerifyAuthTag
	}
	probe.SetROC(ssrc, roc+1)
	asReplay := r.replayed
	if _, err := probe.DecryptRTP(nil, pkt, nil); err != nil {
		r.replayed = asReplay
		return nil, err
	}
	r.ctx.SetROC(ssrc, roc+1)
	r.stats.Recoveries++
	r.replayed = false
	return r.ctx.DecryptRTP(dst[:0], pkt, &r.hdr)
}

// UnprotectRTCP verifies and decrypts one SRTCP packet; see UnprotectRTP for dst. It refuses with ErrPacket, ErrUnencrypted, ErrReplay,
// ErrAuth, ErrTooManySources or ErrClosed.
func (r *Receiver) UnprotectRTCP(dst, pkt []byte) ([]byte, error) {
	if r.ctx == nil {
		return nil, ErrClosed
	}
	if len(pkt) < r.minRTCP || pkt[0]>>6 != 2 {
		r.stats.AuthFailures++
		return nil, ErrPacket
	}
	// UNENCRYPTED_SRTCP is never agreed to, so a clear packet is somebody else's, even if its tag were right.
	trailer := len(pkt) - len(r.keys[0].MKI) - 4
	if r.in.salt == 14 {
		trailer -= r.in.rtcpTag // counter mode puts the tag last; GCM has it before the index
	}
	if pkt[trailer]&0x80 == 0 {
		r.stats.AuthFailures++
		return nil, ErrUnencrypted
	}
	ssrc := binary.BigEndian.Uint32(pkt[4:])
	_, known := r.control[ssrc]
	if !known && len(r.control) >= r.cfg.MaxSources {
		return nil, ErrTooManySources
	}
	r.replayed = false
	out, err := r.ctx.DecryptRTCP(dst[:0], pkt, &r.ctl)
	switch {
	case err == nil:
		if !known {
			r.control[ssrc] = struct{}{}
		}
		r.stats.PacketsRTCP++
		return out, nil
	case r.replayed:
		r.stats.Replays++
		return nil, ErrReplay
	default:
		r.stats.AuthFailures++
		return nil, ErrAuth
	}
}

// Stats returns the counters so far.
func (r *Receiver) Stats() ReceiverStats {
	s := r.stats
	s.Sources = len(r.sources)
	return s
}

// Close overwrites the master keys and drops the derived ones. Every later call but Stats returns ErrClosed.
func (r *Receiver) Close() {
	for _, k := range r.keys {
		k.Key.zero()
	}
	r.ctx = nil
}
