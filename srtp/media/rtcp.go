package media

import (
	"crypto/rand"
	"time"

	"github.com/pion/rtcp"

	"github.com/ringfence/ringfence/srtp/internal/quality"
)

// reporter schedules a leg's RTCP.
type reporter struct {
	next  time.Time
	cname string
}

// restart begins the reports of a new source. The first comes early and at a random time, so that legs do not report in step.
func (r *reporter) restart(now time.Time) {
	var b [1]byte
	rand.Read(b[:])
	r.next = now.Add(time.Second + reportEvery*time.Duration(b[0])/256)
}

// peerReport is what the peer's reports say.
type peerReport struct {
	lastSR   uint32    // middle of the NTP time of its last sender report
	lastSRAt time.Time // when that came
	lost     uint32    // packets of ours it missed
	fraction uint8
	jitter   uint32 // timestamp units
	rtt      time.Duration
	ssrc     uint32
	expected uint64 // packets of ours up to the peer's last report
	metrics  *quality.Metrics
}

// report sends what is due. It runs on the pacer.
func (l *Leg) report(now time.Time, box *outbox) {
	t, r := &l.tx, &l.rx
	t.mu.Lock()
	due := t.agreed() && !t.connecting() && now.After(t.reports.next)
	t.mu.Unlock()
	if !due {
		return
	}
	codec := l.Codec()
	r.mu.Lock()
	block, have := r.block(now)
	metrics := r.metrics(codec)
	r.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.agreed() {
		return
	}
	t.reports.next = now.Add(reportEvery)
	pkt, err := t.compose(block, have, now).Marshal()
	if err != nil {
		return // cannot happen: every field is ours
	}
	if have && t.xr {
		pkt = appendXR(pkt, t.ssrc(), metrics)
	}
	if t.wire != nil {
		if err := t.wire.WriteRTCP(pkt); err != nil {
			t.failed.Add(1)
		}
		return
	}
	dst, via := t.target(), t.via
	if t.control != nil {
		dst, via = t.dstRTCP, t.control
		if t.movedCtl.IsValid() {
			dst = t.movedCtl
		}
	}
	if !dst.IsValid() {
		return
	}
	out, err := t.sender.ProtectRTCP(box.slot()[:0], pkt)
	if err != nil {
		t.failed.Add(1)
		return
	}
	box.add(via, dst, out, &t.failed)
}

// compose makes the compound packet of RFC 3550 section 6.1: a sender report if we sent since the last one, else a receiver report,
// and our name.
func (t *transmitter) compose(block rtcp.ReceptionReport, have bool, now time.Time) rtcp.CompoundPacket {
	var blocks []rtcp.ReceptionReport
	if have {
		blocks = []rtcp.ReceptionReport{block}
	}
	ssrc := t.ssrc()
	var first rtcp.Packet = &rtcp.ReceiverReport{SSRC: ssrc, Reports: blocks}
	if t.started && now.Sub(t.last) < 2*reportEvery {
		first = &rtcp.SenderReport{SSRC: ssrc, NTPTime: ntp(now), RTPTime: t.clock(now),
			PacketCount: uint32(t.sent), OctetCount: uint32(t.sentBytes), Reports: blocks}
	}
	return rtcp.CompoundPacket{first, rtcp.NewCNAMESourceDescription(ssrc, t.reports.cname)}
}

// block makes the report about the peer's source.
func (r *receiver) block(now time.Time) (rtcp.ReceptionReport, bool) {
	s := &r.stream
	if !s.started {
		return rtcp.ReceptionReport{}, false
	}
	b := rtcp.ReceptionReport{SSRC: s.ssrc, FractionLost: s.interval(), TotalLost: uint32(min(s.lost(), 1<<23-1)),
		LastSequenceNumber: s.highest, Jitter: uint32(s.jitter / 16)}
	if r.peer.lastSR != 0 {
		b.LastSenderReport = r.peer.lastSR
		b.Delay = uint32(now.Sub(r.peer.lastSRAt) * 65536 / time.Second)
	}
	return b, true
}

// ntp is a time in the 64-bit format of RFC 3550 section 4.
func ntp(t time.Time) uint64 {
	const from1900to1970 = 2208988800
	return uint64(t.Unix()+from1900to1970)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// receiveRTCP is receive for an SRTCP packet.
func (l *Leg) receiveRTCP(d *datagram, own bool) bool {
	r := &l.rx
	r.mu.Lock()
	if r.recv == nil || !d.own && !r.admit(d.src, d.now) {
		r.mu.Unlock()
		return false
	}
	pkt, err := r.recv.UnprotectRTCP(d.out[:0], d.in)
	if err != nil {
		if !own {
			r.pardon(err)
		}
		r.mu.Unlock()
		return false
	}
	moved := d.own && d.src != r.latchedRTCP
	if d.own {
		r.latchedRTCP = d.src
	}
	r.authenticated, r.last = true, d.now
	if d.src == r.latched {
		r.lastLatched = d.now
	}
	r.mu.Unlock()
	if moved {
		l.tx.follow(d.src, true)
	}
	l.learn(pkt, d.now)
	return true
}

// learn takes what an authentic RTCP packet says.
func (l *Leg) learn(pkt []byte, now time.Time) {
	l.tx.mu.Lock()
	ours, sent := l.tx.ssrc(), l.tx.sent
	l.tx.mu.Unlock()
	packets, err := rtcp.Unmarshal(pkt)
	if err != nil {
		return // authentic nonsense: nothing to learn from it
	}
	r := &l.rx
	metrics := readXR(pkt, ours)
	if metrics != nil {
		l.tx.mu.Lock()
		l.tx.xr = true // who sends them wants them
		l.tx.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if metrics != nil {
		r.peer.metrics = metrics
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			r.peer.lastSR, r.peer.lastSRAt = uint32(p.NTPTime>>16), now
			r.peer.learn(p.Reports, ours, sent, now)
		case *rtcp.ReceiverReport:
			r.peer.learn(p.Reports, ours, sent, now)
		}
	}
}

// learn takes what the peer says about our source.
func (p *peerReport) learn(blocks []rtcp.ReceptionReport, ours uint32, sent uint64, now time.Time) {
	for _, b := range blocks {
		if b.SSRC != ours {
			continue
		}
		p.ssrc, p.lost, p.fraction, p.jitter, p.expected = b.SSRC, b.TotalLost, b.FractionLost, b.Jitter, sent
		if b.LastSenderReport == 0 {
			continue
		}
		// RFC 3550 section 6.4.1: now less the time the peer held it less when we sent it, in 1/65536 s.
		rtt := uint32(ntp(now)>>16) - b.LastSenderReport - b.Delay
		if rtt < 60<<16 {
			p.rtt = time.Duration(rtt) * time.Second / 65536
		}
	}
}
