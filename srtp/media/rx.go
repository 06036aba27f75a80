package media

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// kind says what a received RTP packet carries.
type kind uint8

const (
	kindOther kind = iota // nothing we negotiated
	kindMulaw
	kindAlaw
	kindEvent // telephone-event
)

// name returns the tap's name of an audio kind.
func (k kind) name() string {
	if k == kindAlaw {
		return sdp.PCMA
	}
	return sdp.PCMU
}

// packet is one authentic RTP packet.
type packet struct {
	raw     []byte // the whole decrypted packet, with room behind it to protect it again in place
	payload []byte // inside raw
	head    int    // length of the header in raw
	kind    kind
	marker  bool
	seq     uint16
	ts      uint32
	ssrc    uint32
	at      time.Time // arrival
	moved   bool      // the source is another one than before
}

// receiver is what a leg knows about its peer's stream. mu guards it; the reader holds it for one packet at a time.
type receiver struct {
	mu            sync.Mutex
	recv          *srtp.Receiver
	old           *srtp.Receiver // the receiver before a rekey, for oldKeyGrace
	oldUntil      time.Time
	expected      netip.AddrPort // by the description
	latched       netip.AddrPort // source of authentic packets; invalid before the first
	lastLatched   time.Time      // last authentic packet from latched
	latchedRTCP   netip.AddrPort // same for the RTCP port
	authenticated bool
	agreed        bool
	receives      bool
	since         time.Time // when the peer last began to owe us media
	last          time.Time // last authentic packet
	mulaw, alaw   int16     // payload types, -1 for none
	event         int16
	stream        stream
	dtmf          eventReader
	fired         bool
	strangers     uint64
	unagreed      uint64
	graced        uint64 // packets that only the old key opened; the new receiver counted them as failures
	badKinds      uint64
	authFailures  uint64 // of receivers that are gone
	replays       uint64
	lostDigits    uint64
	peer          peerReport
}

func (r *receiver) init() { r.mulaw, r.alaw, r.event = -1, -1, -1 }

// apply takes over an agreement; recv is nil when the peer's key stayed.
func (r *receiver) apply(a sdp.Agreed, recv *srtp.Receiver, moved bool, now time.Time) {
	if recv != nil {
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
	r.expected = a.Remote
	r.agreed, r.receives = true, a.Direction.Receives()
	r.init()
	for _, c := range a.Audio {
		if c.Name == sdp.PCMA {
			r.alaw = int16(c.PT)
		} else {
			r.mulaw = int16(c.PT)
		}
	}
	if a.DTMF.Name != "" {
		r.event = int16(a.DTMF.PT)
	}
}

// retire keeps the receiver in force for the packets under way.
func (r *receiver) retire(now time.Time) {
	r.dropOld()
	if r.recv == nil {
		return
	}
	r.authFailures += r.recv.Stats().AuthFailures - r.graced
	r.graced = 0
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

// read is the reader goroutine of one socket. It returns when the socket is closed.
func (l *Leg) read(conn *net.UDPConn, rtcpOnly bool) {
	in := make([]byte, maxDatagram)
	out := make([]byte, maxDatagram+headroom)
	for failures := 0; failures < maxReadErrors; {
		n, src, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			failures++
			continue
		}
		failures = 0
		l.datagram(in[:n], out, src, rtcpOnly)
	}
	l.eng.cfg.Logger.Error("media socket gave up")
}

// datagram handles one received packet. It is the path of every packet of every call: no allocation, and locks only around what they guard.
func (l *Leg) datagram(in, out []byte, src netip.AddrPort, rtcpOnly bool) {
	src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	now := time.Now()
	if rtcpOnly || isRTCP(in) {
		l.rtcpDatagram(in, out, src, rtcpOnly, now)
		return
	}
	var p packet
	r := &l.rx
	r.mu.Lock()
	ok := r.accept(in, out, src, now, &p)
	digit := byte(0)
	if ok && p.kind == kindEvent {
		digit = r.dtmf.read(p.payload, p.ts)
	}
	r.mu.Unlock()
	if p.moved {
		l.tx.follow(src, false)
	}
	if ok {
		l.deliver(&p, digit)
	}
}

// deliver hands an authentic packet and the digit it begins, if any, to whoever listens. It spoils p.
func (l *Leg) deliver(p *packet, digit byte) {
	if digit != 0 {
		l.pushDigit(digit)
	}
	if p.kind == kindMulaw || p.kind == kindAlaw {
		l.tap.write(p)
	}
	if to := l.out.Load(); to != nil {
		to.forward(p)
	}
}

// isRTCP tells RTCP from RTP on one port by the second byte (RFC 5761 section 4).
func isRTCP(b []byte) bool { return len(b) >= 2 && b[1] >= 192 && b[1] <= 223 }

// accept authenticates one RTP packet, latches its source and fills p. It returns false for a packet nobody may hear.
func (r *receiver) accept(in, out []byte, src netip.AddrPort, now time.Time, p *packet) bool {
	if !r.admit(src, now) {
		return false
	}
	raw, err := r.recv.UnprotectRTP(out[:0], in)
	if err != nil && r.old != nil && now.Before(r.oldUntil) {
		if raw, err = r.old.UnprotectRTP(out[:0], in); err == nil {
			r.graced++
		}
	}
	if err != nil {
		r.refuse(src)
		return false
	}
	p.moved = r.latch(src, now)
	return r.classify(raw, now, p)
}

// classify fills p from an authentic packet and counts it. It returns false for what is no RTP.
func (r *receiver) classify(raw []byte, now time.Time, p *packet) bool {
	p.raw, p.at = raw, now
	if !p.parse() {
		r.badKinds++
		return false
	}
	switch int16(raw[1] & 0x7f) {
	case r.mulaw:
		p.kind = kindMulaw
	case r.alaw:
		p.kind = kindAlaw
	case r.event:
		p.kind = kindEvent
	default:
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
	if r.latched.IsValid() && src != r.latched && now.Sub(r.lastLatched) < relatchAfter {
		// Checked before the packet is looked at, so that a stranger who floods the port costs a comparison each.
		r.strangers++
		return false
	}
	return true
}

// refuse counts a packet that failed authentication; the kind of failure is in the receiver's own counters.
func (r *receiver) refuse(src netip.AddrPort) {
	known := r.latched
	if !known.IsValid() {
		known = r.expected
	}
	if src != known {
		r.strangers++
	}
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
