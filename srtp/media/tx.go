package media

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// transmitter is a leg's outgoing stream: one SSRC whose sequence numbers rise by one and whose timestamps follow the wall clock,
// whatever feeds it. mu guards it. Prompts and digits come before a bridge or conference, those before hold music.
type transmitter struct {
	mu       sync.Mutex
	via      *socket // where RTP leaves
	control  *socket // where RTCP leaves; nil with rtcp-mux
	sender   *srtp.Sender
	wire     carrier.Wire   // in place of via and sender on a carried leg
	dst      netip.AddrPort // by the description
	dstRTCP  netip.AddrPort
	moved    netip.AddrPort // by latching; valid: it wins
	movedCtl netip.AddrPort
	sends    bool
	xr       bool          // the peer wants VoIP metrics
	keying   bool          // the first keys are being made, by DTLS
	known    []codec.Codec // the engine's
	codec    *codec.Codec  // what we send; nil before negotiation
	pt       uint8
	takes    []format // all audio the peer takes
	rate     uint32   // of the timestamps, in Hz
	ptime    int      // packet length in ms
	eventPT  int16    // -1: the peer takes none
	noisePT  int16    // comfort noise; -1: the peer takes none

	seq     uint16 // of the last packet
	ts      uint32 // of the last packet
	ticks   uint32 // how long that is
	started bool
	epoch   time.Time // wall clock of base
	base    uint32

	fg     *job // a prompt or digits
	bg     *job // hold music
	cur    any  // the *job or *Member the last frame came from; a change begins a talkspurt
	part   *part
	route  *route
	member *Member // of the conference that feeds the leg; never besides a route
	paced  bool    // the pacer ticks the leg

	sent      uint64
	sentBytes uint64
	failed    atomic.Uint64 // packets the system did not take
	late      uint64        // relayed packets that came too late to keep order
	last      time.Time
	reports   reporter
}

func (t *transmitter) init() {
	t.eventPT, t.noisePT, t.rate, t.ticks = -1, -1, clockRate, samplesPerFrame
}

// apply takes over an agreement and our new key, if any.
func (t *transmitter) apply(a sdp.Agreed, k keys, moved bool, via, control *socket, now time.Time) {
	sender := k.tx
	if k.within != nil && t.sender != nil {
		if err := t.sender.Rekey(*k.within); err != nil {
			t.failed.Add(1) // cannot happen: the key is the one Policy.Rekey made for this sender
		}
	}
	if sender != nil {
		if t.sender != nil {
			t.sender.Close()
		}
		t.sender = sender
		t.renumber(now)
	}
	if moved || sender != nil {
		t.moved, t.movedCtl = netip.AddrPort{}, netip.AddrPort{}
	}
	t.dst, t.dstRTCP = usable(a.Remote), usable(a.RemoteRTCP)
	// An unspecified address is the hold of RFC 2543; a multicast one would make us flood a network for a stranger.
	held := a.Remote.Addr().IsValid() && !t.dst.IsValid()
	t.via, t.control = via, control
	t.describe(a, a.Direction.Sends() && !held)
}

// renumber begins a new stream under a new key.
func (t *transmitter) renumber(now time.Time) {
	t.seq, t.started = srtp.RandomSequence()-1, false
	var b [4]byte
	rand.Read(b[:])
	t.epoch, t.base = now, binary.BigEndian.Uint32(b[:])
	t.ts = t.base
	t.reports.restart(now)
	if t.route != nil {
		t.route.synced = false
	}
}

// describe takes over what an agreement says of the stream itself.
func (t *transmitter) describe(a sdp.Agreed, sends bool) {
	t.sends = sends
	before := t.codec
	t.codec, t.pt, t.ptime = findCodec(t.known, a.Audio[0].Name), a.Audio[0].PT, a.PacketTime()
	t.takes = formatsOf(sdp.Agreed{Audio: a.Audio}, t.known)
	t.eventPT, t.noisePT = -1, -1
	if a.DTMF.Name != "" {
		t.eventPT = int16(a.DTMF.PT)
	}
	if a.CN.Name != "" && t.codec.ClockRate == clockRate {
		t.noisePT = int16(a.CN.PT)
	}
	if rate := uint32(t.codec.ClockRate); rate != t.rate {
		// One source changes its clock (RFC 7160): the timestamps go on from where they are at the new rate.
		now := time.Now()
		t.base, t.epoch = t.clock(now), now
		t.ticks = t.ticks * rate / t.rate
		t.rate = rate
	}
	t.cur, t.part = nil, nil
	if t.route != nil && t.codec != before {
		t.route.synced = false
	}
}

func usable(a netip.AddrPort) netip.AddrPort {
	ip := a.Addr()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) || a.Port() == 0 {
		return netip.AddrPort{}
	}
	return a
}

func (t *transmitter) wipe() {
	if t.sender != nil {
		t.sender.Close()
		t.sender = nil
	}
	t.wire, t.keying = nil, false
	for _, j := range []*job{t.fg, t.bg} {
		if j != nil {
			j.finish()
		}
	}
	t.fg, t.bg, t.route, t.member = nil, nil, nil, nil
}

// target is where RTP goes.
func (t *transmitter) target() netip.AddrPort {
	if t.moved.IsValid() {
		return t.moved
	}
	return t.dst
}

// open reports whether packets may go out now.
func (t *transmitter) open() bool {
	if t.wire != nil {
		return t.sends && t.wire.Up()
	}
	return t.sender != nil && t.sends && t.target().IsValid()
}

// agreed reports whether media was negotiated.
func (t *transmitter) agreed() bool { return t.sender != nil || t.wire != nil || t.keying }

// connecting reports that media was negotiated and the handshake is not over.
func (t *transmitter) connecting() bool { return t.keying || t.wire != nil && !t.wire.Up() }

// ssrc is our source, 0 before negotiation.
func (t *transmitter) ssrc() uint32 {
	switch {
	case t.wire != nil:
		return t.wire.SSRC()
	case t.sender != nil:
		return t.sender.SSRC()
	default:
		return 0
	}
}

// clock is the stream's timestamp at a wall-clock time.
func (t *transmitter) clock(now time.Time) uint32 {
	return t.base + uint32(now.Sub(t.epoch)*time.Duration(t.rate)/time.Second)
}

// spurt returns the timestamp of a talkspurt that begins now: in step with the wall clock, but never behind what was sent.
func (t *transmitter) spurt(now time.Time) uint32 {
	ts := t.clock(now)
	if t.started && int32(ts-t.ts) < int32(t.ticks) {
		ts = t.ts + t.ticks
	}
	return ts
}

// frameTicks is how long 20 ms are.
func (t *transmitter) frameTicks() uint32 { return t.rate / 50 }

// send protects the packet in pkt's memory, which has headroom behind it, and puts it into the box; without one it is sent at once. The first 12 bytes are
// written here.
func (t *transmitter) send(box *outbox, pkt []byte, pt uint8, marker bool, seq uint16, ts uint32, now time.Time) {
	pkt[0], pkt[1] = 0x80, pt
	if marker {
		pkt[1] |= 0x80
	}
	binary.BigEndian.PutUint16(pkt[2:], seq)
	binary.BigEndian.PutUint32(pkt[4:], ts)
	binary.BigEndian.PutUint32(pkt[8:], t.ssrc())
	payload := len(pkt) - 12
	if t.wire != nil {
		t.seq, t.ts, t.started, t.last = seq, ts, true, now
		if err := t.wire.WriteRTP(pkt); err != nil {
			t.failed.Add(1)
			return
		}
		t.sent++
		t.sentBytes += uint64(payload)
		return
	}
	out, err := t.sender.ProtectRTP(pkt[:0], pkt)
	if err != nil {
		t.failed.Add(1)
		return
	}
	t.seq, t.ts, t.started, t.last = seq, ts, true, now
	t.sent++
	t.sentBytes += uint64(payload)
	if box == nil {
		t.via.sendNow(out, t.target(), &t.failed)
		return
	}
	box.add(t.via, t.target(), out, &t.failed)
}

// sendPayload sends a packet of our own making, the next in sequence.
func (t *transmitter) sendPayload(box *outbox, payload []byte, pt uint8, marker bool, ts uint32, now time.Time) {
	b := box.slot()
	n := copy(b[12:slotSize-headroom], payload)
	t.send(box, b[:12+n], pt, marker, t.seq+1, ts, now)
}

// follow makes the leg send where an authentic packet came from.
func (t *transmitter) follow(src netip.AddrPort, rtcp bool) {
	t.mu.Lock()
	if rtcp {
		t.movedCtl = src
	} else {
		t.moved = src
	}
	t.mu.Unlock()
}
