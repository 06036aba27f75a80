package srtp

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// ReceiverConfig tunes a Receiver. The zero value is ready for use.
type ReceiverConfig struct {
	// ReplayWindow is how many packets a packet may be late, 64 to 32768. If zero, 128.
	ReplayWindow int
	// ReplayWindowRTCP is the same for SRTCP. If zero, 64.
	ReplayWindowRTCP int
	// MaxSources is how many SSRCs may send under the keys, 1 to 4096. If zero, 32.
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
	in       suiteInfo
	keys     []*sessionKey // none after Close
	cfg      ReceiverConfig
	sources  map[uint32]*source
	control  map[uint32]*window
	stats    ReceiverStats
	mki      int
	newcomer failures // of the last SSRC that is not known
	newSSRC  uint32
	saved    []byte // copy of a packet that is opened in place while recovery is tried; empty in a call that needs none
	scratch  scratch
}

// source is an SSRC that sent an authentic packet.
type source struct {
	window window
	failed failures
}

// failures tells when to look for a missed rollover.
type failures struct {
	count int    // in a row
	ahead uint32 // rollovers the last try looked ahead
}

// NewReceiver returns a Receiver for all keys of c. The error is ErrUnknownSuite, ErrMalformed, ErrSessionParameter or ErrConfig. What the
// Receiver needs of the keys it keeps itself; c may be zeroed.
func NewReceiver(c Crypto, cfg ReceiverConfig) (*Receiver, error) {
	in, err := checkCrypto(c)
	if err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Receiver{in: in, cfg: cfg, mki: len(c.Keys[0].MKI), keys: make([]*sessionKey, 0, len(c.Keys)),
		sources: make(map[uint32]*source, 1), control: make(map[uint32]*window, 1)}
	for _, k := range c.Keys {
		key, err := newSessionKey(in, k)
		if err != nil {
			r.Close()
			return nil, err
		}
		r.keys = append(r.keys, key)
	}
	return r, nil
}

// UnprotectRTP verifies and decrypts one SRTP packet and returns the RTP packet in dst's memory, or in new memory when dst has
// too little capacity. dst may be pkt[:0], then pkt is spoiled also when the packet is refused; it must not overlap pkt in another way.
// It allocates nothing for an authentic packet of a known source, and nothing for a packet it refuses if dst has the capacity.
// It refuses with ErrPacket, ErrReplay, ErrAuth, ErrTooManySources, ErrKeyExhausted or ErrClosed; a refused packet leaves no state
// behind but counters.
func (r *Receiver) UnprotectRTP(dst, pkt []byte) ([]byte, error) {
	if len(r.keys) == 0 {
		return nil, ErrClosed
	}
	head, ok := r.headerOf(pkt)
	if !ok {
		r.stats.AuthFailures++
		return nil, ErrPacket
	}
	ssrc, seq := binary.BigEndian.Uint32(pkt[8:]), binary.BigEndian.Uint16(pkt[2:])
	src := r.sources[ssrc]
	if src == nil && len(r.sources) >= r.cfg.MaxSources {
		return nil, ErrTooManySources
	}
	key := r.keyOf(pkt[r.mkiAt(len(pkt)):])
	if key == nil {
		r.stats.AuthFailures++
		return nil, ErrAuth
	}
	if key.exhausted() {
		return nil, ErrKeyExhausted
	}
	in := opening{key: key, ssrc: ssrc, head: head, src: src, failed: r.failuresOf(src, ssrc)}
	out, err := r.tryRTP(dst, pkt, in, seq)
	if err != nil {
		return nil, err
	}
	key.used++
	r.stats.Packets++
	return out, nil
}

// opening is what is known about a packet before it is opened.
type opening struct {
	key    *sessionKey
	ssrc   uint32
	head   int
	src    *source // nil if not known
	failed *failures
}

// tryRTP opens the packet under the index that is likely and, once in a while, under a rollover that we may have missed.
func (r *Receiver) tryRTP(dst, pkt []byte, in opening, seq uint16) ([]byte, error) {
	roc := uint32(0)
	if in.src != nil {
		roc = in.src.window.guess(seq)
	}
	recovering := in.failed.count >= recoverAfter
	if recovering && cap(dst) > 0 && &dst[:1][0] == &pkt[0] {
		// A failed try overwrites what it opens in place, and a second one needs it.
		r.saved = append(r.saved[:0], pkt...)
		pkt = r.saved
	}
	index := uint64(roc)<<16 | uint64(seq)
	replay := in.src != nil && !in.src.window.fresh(index)
	if !replay {
		if out, ok := in.key.rtp.openRTP(&r.scratch, dst[:0], pkt, in.head, in.ssrc, index, r.mki); ok {
			r.accept(in, index)
			return out, nil
		}
	}
	if recovering {
		// The peer's counter passed 2^16 while nothing reached us (RFC 3711 section 3.3.1 leaves that case open), or we joined late. One try in
		// recoverAfter packets bounds what a flood costs; a forged packet fails here as well and changes nothing.
		in.failed.ahead = in.failed.ahead%maxRecoverAhead + 1
		index := (r.highest(in.src)+uint64(in.failed.ahead))<<16 | uint64(seq)
		if index < maxPacketsRTP {
			if out, ok := in.key.rtp.openRTP(&r.scratch, dst[:0], pkt, in.head, in.ssrc, index, r.mki); ok {
				r.stats.Recoveries++
				r.accept(in, index)
				return out, nil
			}
		}
	}
	if recovering {
		in.failed.count = 0
	} else {
		in.failed.count++ // replays too: behind a missed rollover, a new packet looks like one from long ago
	}
	if replay {
		r.stats.Replays++
		return nil, ErrReplay
	}
	r.stats.AuthFailures++
	return nil, ErrAuth
}

// highest is the rollover counter of the newest packet of a source.
func (*Receiver) highest(src *source) uint64 {
	if src == nil {
		return 0
	}
	return src.window.top >> 16
}

// accept remembers an authentic packet; only from here on is its source known.
func (r *Receiver) accept(in opening, index uint64) {
	src := in.src
	if src == nil {
		src = &source{window: newWindow(r.cfg.ReplayWindow)}
		r.sources[in.ssrc] = src
	}
	src.window.accept(index)
	*in.failed = failures{}
}

// failuresOf returns the count for a source. All SSRCs that are not known share one, for the last of them.
func (r *Receiver) failuresOf(src *source, ssrc uint32) *failures {
	if src != nil {
		return &src.failed
	}
	if ssrc != r.newSSRC {
		r.newSSRC, r.newcomer = ssrc, failures{}
	}
	return &r.newcomer
}

// headerOf checks that pkt can be an SRTP packet and returns the length of its header.
func (r *Receiver) headerOf(pkt []byte) (int, bool) {
	rest := r.in.tag + r.mki
	if len(pkt) < 12+rest || len(pkt) > maxPacket || pkt[0]>>6 != 2 {
		return 0, false
	}
	return headerLen(pkt[:len(pkt)-rest])
}

// mkiAt is where the MKI of an SRTP packet of n bytes is: GCM counts its tag to the ciphertext before it.
func (r *Receiver) mkiAt(n int) int {
	if r.in.gcm {
		return n - r.mki
	}
	return n - r.mki - r.in.tag
}

// keyOf returns the key whose MKI rest begins with. A set of keys is small, and MKIs are no secret.
func (r *Receiver) keyOf(rest []byte) *sessionKey {
	if r.mki == 0 {
		return r.keys[0]
	}
	for _, k := range r.keys {
		if bytes.Equal(k.mki, rest[:r.mki]) {
			return k
		}
	}
	return nil
}

// UnprotectRTCP verifies and decrypts one SRTCP packet; see UnprotectRTP for dst. It refuses with ErrPacket, ErrUnencrypted, ErrReplay,
// ErrAuth, ErrTooManySources, ErrKeyExhausted or ErrClosed.
func (r *Receiver) UnprotectRTCP(dst, pkt []byte) ([]byte, error) {
	if len(r.keys) == 0 {
		return nil, ErrClosed
	}
	if len(pkt) < headRTCP+r.in.rtcpTag+indexRTCP+r.mki || len(pkt) > maxPacket || pkt[0]>>6 != 2 {
		r.stats.AuthFailures++
		return nil, ErrPacket
	}
	at := len(pkt) - r.mki - indexRTCP
	if !r.in.gcm {
		at -= r.in.rtcpTag
	}
	// UNENCRYPTED_SRTCP is never agreed to, so a clear packet is somebody else's, even if its tag were right.
	word := binary.BigEndian.Uint32(pkt[at:])
	if word&bitE == 0 {
		r.stats.AuthFailures++
		return nil, ErrUnencrypted
	}
	ssrc, index := binary.BigEndian.Uint32(pkt[4:]), word&^bitE
	w := r.control[ssrc]
	switch {
	case w == nil && len(r.control) >= r.cfg.MaxSources:
		return nil, ErrTooManySources
	case w != nil && !w.fresh(uint64(index)):
		r.stats.Replays++
		return nil, ErrReplay
	}
	key := r.keyOf(pkt[at+indexRTCP:])
	if key == nil {
		r.stats.AuthFailures++
		return nil, ErrAuth
	}
	if key.exhausted() {
		return nil, ErrKeyExhausted
	}
	out, ok := key.rtcp.openRTCP(&r.scratch, dst[:0], pkt, at, ssrc, index)
	if !ok {
		r.stats.AuthFailures++
		return nil, ErrAuth
	}
	if w == nil {
		made := newWindow(r.cfg.ReplayWindowRTCP)
		w = &made
		r.control[ssrc] = w
	}
	w.accept(uint64(index))
	key.usedCtl++
	r.stats.PacketsRTCP++
	return out, nil
}

// AddKey takes a further key that the peer announced, so that it can go over to it at any packet. The key needs an MKI of the length the Receiver has,
// and at most four keys are held: remove the old one when its packets are through. The error is ErrMalformed, ErrKeyReused for a key
// or MKI that is held, or ErrClosed; nothing changed then.
func (r *Receiver) AddKey(k InlineKey) error {
	if len(r.keys) == 0 {
		return ErrClosed
	}
	if r.mki == 0 {
		return malformed("a stream without MKI is rekeyed with a new Receiver")
	}
	if len(r.keys) >= maxInlineKeys {
		return malformed("more than %d keys", maxInlineKeys)
	}
	if err := checkKey(r.in, k, r.mki); err != nil {
		return err
	}
	key, err := newSessionKey(r.in, k)
	if err != nil {
		return err
	}
	for _, o := range r.keys {
		if bytes.Equal(o.mki, key.mki) || o.id() == key.id() {
			key.wipe()
			return ErrKeyReused
		}
	}
	r.keys = append(r.keys, key)
	return nil
}

// RemoveKey forgets a key; packets under it are ErrAuth from then on. The last key stays: Close ends a Receiver. The error is ErrUnknownMKI,
// ErrMalformed for the last key, or ErrClosed.
func (r *Receiver) RemoveKey(mki []byte) error {
	if len(r.keys) == 0 {
		return ErrClosed
	}
	for i, k := range r.keys {
		if r.mki == 0 || !bytes.Equal(k.mki, mki) {
			continue
		}
		if len(r.keys) == 1 {
			return malformed("the last key cannot be removed")
		}
		k.wipe()
		r.keys = append(r.keys[:i], r.keys[i+1:]...)
		return nil
	}
	return ErrUnknownMKI
}

// Stats returns the counters so far.
func (r *Receiver) Stats() ReceiverStats {
	s := r.stats
	s.Sources = len(r.sources)
	return s
}

// Close drops the derived keys and overwrites what of them is in reach. Every later call but Stats returns ErrClosed. It may be called twice.
func (r *Receiver) Close() {
	for _, k := range r.keys {
		k.wipe()
	}
	clear(r.saved)
	r.keys, r.saved, r.scratch = nil, nil, scratch{}
}
