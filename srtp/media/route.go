package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// route carries what one leg receives to what another (or the same) sends. It runs on the reader goroutine of the first. The
// destination's tx.mu guards it, and the destination's tx.route names the one route that may send: taking it away stops the stream between two packets.
type route struct {
	to        *Leg
	audioOnly bool // an echo does not send digits back
	synced    bool
	ssrc      uint32
	seqOff    uint16
	tsOff     uint32
}

// forward sends p on. It spoils p, whose memory stays in use until box is flushed.
func (r *route) forward(p *packet, box *outbox) {
	t := &r.to.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.route != r {
		return // unbridged while the packet was under way
	}
	if t.fg != nil || !t.open() {
		r.synced = false
		return
	}
	pt, ok := r.convert(p, t)
	if !ok {
		r.seqOff-- // not a loss: the next packet follows the last one sent
		return
	}
	seq, ts := p.seq+r.seqOff, p.ts+r.tsOff
	marker := p.marker
	if fresh := !r.synced || p.ssrc != r.ssrc || r.jumped(seq, ts, t, p); fresh {
		ts = t.spurt(p.at)
		seq = t.seq + 1
		r.synced, r.ssrc = true, p.ssrc
		r.seqOff, r.tsOff = seq-p.seq, ts-p.ts
		marker = true
		t.cur = nil
	}
	if step := seq - t.seq; step == 0 || step >= 1<<15 {
		t.late++ // sending it now would reuse or reorder our index; the receiver would have dropped it as late
		return
	}
	t.send(box, p.raw[p.head-12:p.head+len(p.payload)], pt, marker, seq, ts, p.at)
}

// jumped reports that the source's numbering or clock broke off, as after a transfer behind the peer.
func (r *route) jumped(seq uint16, ts uint32, t *transmitter, p *packet) bool {
	if step := seq - t.seq; step >= relayJump && step < 1<<15 {
		return true
	} else if step >= 1<<15 && -step >= relayJump {
		return true
	}
	if p.kind == kindEvent {
		return false // its timestamp is the start of the digit, however long that is held
	}
	off := time.Duration(int32(ts-t.clock(p.at))) * time.Second / clockRate
	return off > driftLimit || off < -driftLimit
}

// convert makes the payload what the destination takes and returns its payload type there.
func (r *route) convert(p *packet, t *transmitter) (uint8, bool) {
	switch p.kind {
	case kindMulaw:
		if t.codec != sdp.PCMU {
			codec.MulawToAlaw(p.payload, p.payload)
		}
		return t.pt, true
	case kindAlaw:
		if t.codec != sdp.PCMA {
			codec.AlawToMulaw(p.payload, p.payload)
		}
		return t.pt, true
	case kindEvent:
		if t.eventPT >= 0 && !r.audioOnly {
			return uint8(t.eventPT), true
		}
	case kindOther:
	}
	return 0, false
}

// connect makes from's packets go to to. It fails if from sends elsewhere or to is fed by another route.
func connect(from, to *Leg, audioOnly bool) (*route, error) {
	r := &route{to: to, audioOnly: audioOnly}
	t := &to.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if to.ended() || from.ended() {
		return nil, ErrClosed
	}
	if !t.agreed() {
		return nil, ErrNotReady
	}
	if t.route != nil || !from.out.CompareAndSwap(nil, r) {
		return nil, ErrBusy
	}
	t.route = r
	return r, nil
}

// disconnect undoes connect. No packet passes after it returns: those handled before the route was taken away have left.
func disconnect(from *Leg, r *route) {
	from.out.CompareAndSwap(r, nil)
	t := &r.to.tx
	t.mu.Lock()
	if t.route == r {
		t.route, t.cur = nil, nil
	}
	r.to.kick()
	t.mu.Unlock()
	from.settle()
}
