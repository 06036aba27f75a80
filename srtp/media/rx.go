package media

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// packet is one authentic RTP packet.
type packet struct {
	raw     []byte // the whole decrypted packet, with room behind it to protect it again in place
	payload []byte // inside raw
	head    int    // length of the header in raw
	kind    kind
	codec   *codec.Codec // of audio
	clock   uint32       // rate of ts in Hz; 0 if the kind is not known
	marker  bool
	seq     uint16
	ts      uint32
	ssrc    uint32
	at      time.Time // arrival
	moved   bool      // the source is another one than before
}

// receiver is what a leg knows about its peer's stream. mu guards it; the reader holds it for one packet at a time.
type receiver struct {
	mu              sync.Mutex
	recv            *srtp.Receiver
	lifetime        uint64         // packets the peer's key may protect; 0: it named no limit
	old             *srtp.Receiver // the receiver before a rekey, for oldKeyGrace
	oldUntil        time.Time
	latched         netip.AddrPort // source of authentic packets; invalid before the first
	lastLatched     time.Time      // last authentic packet from latched
	latchedRTCP     netip.AddrPort // same for the RTCP port
	authenticated   bool
	agreed          bool
	receives        bool
	since           time.Time     // when the peer last began to owe us media
	last            time.Time     // last authentic packet
	known           []codec.Codec // the engine's
	formats         []format      // what the peer may send
	stream          stream
	dtmf            eventReader
	fired           bool
	strangers       uint64
	unagreed        uint64
	pardoned        uint64 // failures recv counted of packets that were the old key's or another leg's
	pardonedReplays uint64
	badKinds        uint64
	authFailures    uint64 // of receivers that are gone
	replays         uint64
	lostDigits      uint64
	peer            peerReport
}

// apply takes over an agreement and the peer's new key, if any.
func (r *receiver) apply(a sdp.Agreed, k keys, lifetime uint64, moved bool, now time.Time) {
	recv := k.rx
	if k.more != nil && r.recv != nil {
		r.change(k)
		r.lifetime = lifetime
	}
	if recv != nil {
		r.lifetime = lifetime
		r.retire(now)
		r.recv = recv
		r.stream.reset()
	}
	if moved || recv != nil {
		// The peer told a new address over secure signalling; the next authentic packet says where it really is.
		r.latched, r.latchedRTCP = netip.AddrPort{}, netip.AddrPort{}
	}
	if !r.receives || !r.agreed {
		r.since = now
	}
	r.agreed, r.receives = true, a.Direction.Receives()
	r.formats = formatsOf(a, r.known)
}

// change takes keys into the receiver in force and drops others, so that its window and its counters go on.
func (r *receiver) change(k keys) {
	for _, mki := range k.gone {
		_ = r.recv.RemoveKey(mki) // it holds that key and another one
	}
	for _, key := range k.more {
		_ = r.recv.AddKey(key) // a description holds no more keys than a receiver
	}
}

// retire keeps the receiver in force for the packets under way.
func (r *receiver) retire(now time.Time) {
	r.dropOld()
	if r.recv == nil {
		return
	}
	r.authFailures += r.recv.Stats().AuthFailures - r.pardoned
	r.pardoned = 0
	r.old, r.oldUntil = r.recv, now.Add(oldKeyGrace)
}

func (r *receiver) dropOld() {
	if r.old == nil {
		return
	}
	r.replays += r.old.Stats().Replays
	r.old.Close()
	r.old = nil
}

func (r *receiver) wipe() {
	r.dropOld()
	if r.recv != nil {
		r.recv.Close()
	}
}

// expired reports once that the peer owes media for longer than timeout.
func (r *receiver) expired(now time.Time, timeout time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.old != nil && now.After(r.oldUntil) {
		r.dropOld()
	}
	if r.fired || !r.agreed || !r.receives {
		return false
	}
	from := r.since
	if r.last.After(from) {
		from = r.last
	}
	r.fired = now.Sub(from) > timeout
	return r.fired
}

// receive takes a datagram that may be the leg's and reports whether it was authentic. If not, own says whether the failure counts as the leg's peer's.
func (l *Leg) receive(d *datagram, own bool) bool {
	if d.rtcp {
		return l.receiveRTCP(d, own)
	}
	var p packet
	r := &l.rx
	r.mu.Lock()
	ok := r.accept(d, own, &p)
	if !ok {
		r.mu.Unlock()
		return false
	}
	useful := r.classify(d.now, &p)
	digit := byte(0)
	if useful && p.kind == kindEvent {
		digit = r.dtmf.read(p.payload, p.ts)
	}
	r.mu.Unlock()
	if p.moved {
		l.tx.follow(d.src, false)
	}
	if useful {
		l.deliver(&p, digit, d.box)
	}
	return true
}

// deliver hands an authentic packet and the digit it begins, if any, to whoever listens. It spoils p.
func (l *Leg) deliver(p *packet, digit byte, box *outbox) {
	if digit != 0 {
		l.keyed(digit, p.at)
	}
	if p.kind == kindAudio {
		l.inband.hear(l, p)
		l.tap.write(p, &l.secret)
	}
	if to := l.out.Load(); to != nil {
		to.forward(p, digit, box)
	}
}

// isRTCP tells RTCP from RTP on one port by the second byte (RFC 5761 section 4).
func isRTCP(b []byte) bool { return len(b) >= 2 && b[1] >= 192 && b[1] <= 223 }

// accept authenticates one RTP packet, latches its source and puts it into p. It returns false for a packet nobody may hear.
func (r *receiver) accept(d *datagram, own bool, p *packet) bool {
	if !r.admit(d.src, d.now) {
		return false
	}
	raw, err := r.recv.UnprotectRTP(d.out[:0], d.in)
	if err != nil && r.old != nil && d.now.Before(r.oldUntil) {
		first := err
		if raw, err = r.old.UnprotectRTP(d.out[:0], d.in); err == nil {
			r.pardon(first)
		}
	}
	if err != nil {
		if !own {
			r.pardon(err)
		}
		return false
	}
	p.moved = r.latch(d.src, d.now)
	p.raw = raw
	return true
}

// pardon takes back what recv counted for a packet that may be somebody else's.
func (r *receiver) pardon(err error) {
	switch {
	case errors.Is(err, srtp.ErrReplay):
		r.pardonedReplays++
	case errors.Is(err, srtp.ErrAuth) || errors.Is(err, srtp.ErrPacket) || errors.Is(err, srtp.ErrUnencrypted):
		r.pardoned++
	}
}

// classify fills in p, an authentic packet, and counts it. It returns false for what is no RTP.
func (r *receiver) classify(now time.Time, p *packet) bool {
	p.at = now
	if !p.parse() {
		r.badKinds++
		return false
	}
	for i := range r.formats {
		if f := &r.formats[i]; f.pt == p.raw[1]&0x7f {
			p.kind, p.codec, p.clock = f.kind, f.codec, f.clock
		}
	}
	if p.kind == kindOther {
		r.badKinds++
	}
	r.stream.update(p, now)
	return true
}

// admit says whether a packet from src may cost any cryptography.
func (r *receiver) admit(src netip.AddrPort, now time.Time) bool {
	if r.recv == nil {
		r.unagreed++ // our offer is out, the answer is not in: we do not know the peer's key yet
		return false
	}
	// Checked before the packet is looked at, so that a stranger costs a comparison.
	return !r.latched.IsValid() || src == r.latched || now.Sub(r.lastLatched) >= relatchAfter
}

// latch notes the source of an authentic packet, and returns whether it is a new one: only those may move where we send to.
func (r *receiver) latch(src netip.AddrPort, now time.Time) bool {
	moved := r.latched != src
	r.authenticated = true
	r.last, r.lastLatched = now, now
	r.latched = src
	return moved
}

// parse finds the payload behind sources and extension and in front of padding (RFC 3550 section 5.1).
func (p *packet) parse() bool {
	b := p.raw
	if len(b) < 12 {
		return false
	}
	n, end := 12+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	if b[0]&0x20 != 0 {
		end -= int(b[len(b)-1])
	}
	if end < n {
		return false
	}
	p.head, p.payload = n, b[n:end]
	p.marker = b[1]&0x80 != 0
	p.seq = binary.BigEndian.Uint16(b[2:])
	p.ts = binary.BigEndian.Uint32(b[4:])
	p.ssrc = binary.BigEndian.Uint32(b[8:])
	return true
}
