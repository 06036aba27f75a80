package media

import (
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// route carries what one leg receives to what another (or the same) sends, or into a conference. It runs on the reader goroutine of the first. The
// destination's tx.mu guards it, and the destination's tx.route names the one route that may send: taking it away stops the stream between two packets.
type route struct {
	from      *Leg
	to        *Leg    // nil with member
	member    *Member // of the conference that hears from
	audioOnly bool    // an echo does not send digits back
	synced    bool
	ssrc      uint32
	seqOff    uint16
	clock     uint32 // of the source's timestamps, in Hz
	src, dst  uint32 // timestamps of one moment in both streams
	keys      *eventScaler
	trans     *transcoder
}

// way is how a packet gets through a route.
type way uint8

const (
	wayNone  way = iota
	wayRelay     // untouched
	wayLaw       // from one G.711 to the other, in place
	wayCode      // decoded and encoded
)

// settle returns when no packet that was being forwarded when the call came is under way in the route itself.
func (r *route) settle() {
	if r.member != nil {
		r.member.forget()
		return
	}
	r.to.tx.mu.Lock()
	//lint:ignore SA2001 the empty section is the point
	r.to.tx.mu.Unlock()
}

// forward sends p on; digit is the key it begins, if any. It spoils p, whose memory stays in use until box is flushed.
func (r *route) forward(p *packet, digit byte, box *outbox) {
	if r.member != nil {
		r.member.take(p, digit)
		return
	}
	t := &r.to.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.route != r {
		return // unbridged while the packet was under way
	}
	if t.fg != nil || !t.open() || r.from.secret.Load() {
		r.synced = false
		return
	}
	pt, how := r.plan(p, t)
	if how == wayNone {
		r.seqOff-- // not a loss: the next packet follows the last one sent
		return
	}
	start := p.ts
	if p.kind == kindEvent && p.clock != t.rate {
		var ok bool
		if start, ok = r.scaler().begin(p.payload, p.ts); !ok {
			r.seqOff--
			return
		}
	}
	seq, ts := p.seq+r.seqOff, r.stamp(start, t)
	marker := p.marker
	if fresh := !r.synced || p.ssrc != r.ssrc || p.clock != r.clock || r.jumped(seq, ts, t, p); fresh {
		ts = t.spurt(p.at)
		seq = t.seq + 1
		r.synced, r.ssrc, r.clock = true, p.ssrc, p.clock
		r.seqOff, r.src, r.dst = seq-p.seq, start, ts
		marker = true
		t.quit()
		r.trans.drop()
	}
	if step := seq - t.seq; step == 0 || step >= 1<<15 {
		t.late++ // sending it now would reuse or reorder our index; the receiver would have dropped it as late
		return
	}
	r.pass(p, t, how, pt, marker, seq, ts, box)
}

// pass sends a packet that is the destination's turn.
func (r *route) pass(p *packet, t *transmitter, how way, pt uint8, marker bool, seq uint16, ts uint32, box *outbox) {
	length := t.frameTicks()
	switch {
	case how == wayCode:
		r.transcode(p, t, marker, seq, ts, box)
		return
	case how == wayLaw && p.codec.Name == sdp.PCMU:
		codec.MulawToAlaw(p.payload, p.payload)
	case how == wayLaw:
		codec.AlawToMulaw(p.payload, p.payload)
	case p.kind == kindEvent && p.clock != t.rate:
		ts += r.keys.scale(p.payload, p.clock, t.rate)
	}
	if p.kind == kindAudio {
		length = uint32(ticks(p.codec, p.payload))
	}
	t.send(box, p.raw[p.head-12:p.head+len(p.payload)], pt, marker, seq, ts, p.at)
	t.ticks = length
}

// stamp is a source timestamp in the destination's stream.
func (r *route) stamp(ts uint32, t *transmitter) uint32 {
	if r.clock == 0 {
		return 0
	}
	d := int64(int32(ts - r.src))
	if whole := d / int64(r.clock); whole > 60 { // so that the difference never gets near its wrap
		r.src += uint32(whole) * r.clock
		r.dst += uint32(whole) * t.rate
		d -= whole * int64(r.clock)
	}
	return r.dst + uint32(d*int64(t.rate)/int64(r.clock))
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
	off := time.Duration(int32(ts-t.clock(p.at))) * time.Second / time.Duration(t.rate)
	return off > driftLimit || off < -driftLimit
}

// plan decides how the destination gets a packet and with which payload type.
func (r *route) plan(p *packet, t *transmitter) (uint8, way) {
	switch p.kind {
	case kindAudio:
		if p.codec.Name == t.codec.Name {
			return t.pt, wayRelay
		}
		if isG711(p.codec.Name) && isG711(t.codec.Name) {
			return t.pt, wayLaw
		}
		for i := range t.takes {
			// The peer takes this codec as well, so nothing need be decoded. Its clock must be the stream's: one source has one (RFC 7160).
			if f := &t.takes[i]; f.codec.Name == p.codec.Name && f.clock == t.rate {
				return f.pt, wayRelay
			}
		}
		return t.pt, wayCode
	case kindEvent:
		if t.eventPT >= 0 && !r.audioOnly {
			return uint8(t.eventPT), wayRelay
		}
	case kindNoise:
		if t.noisePT >= 0 {
			return uint8(t.noisePT), wayRelay
		}
	case kindOther:
	}
	return 0, wayNone
}

func (r *route) scaler() *eventScaler {
	if r.keys == nil {
		r.keys = &eventScaler{}
	}
	return r.keys
}

// connect makes from's packets go to to. It fails if from sends elsewhere or to is fed by another route.
func connect(from, to *Leg, audioOnly bool) (*route, error) {
	r := &route{from: from, to: to, audioOnly: audioOnly}
	t := &to.tx
	t.mu.Lock()
	defer t.mu.Unlock()
	if to.ended() || from.ended() {
		return nil, ErrClosed
	}
	if !t.agreed() {
		return nil, ErrNotReady
	}
	if t.route != nil || t.member != nil || !from.out.CompareAndSwap(nil, r) {
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
		t.route = nil
		t.quit()
	}
	r.to.kick()
	t.mu.Unlock()
	from.settle()
}
