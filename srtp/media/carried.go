package media

import (
	"net/netip"
	"time"

	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// NewCarriedLeg returns a leg whose media attach's carrier negotiates, protects and carries, such as a browser's over ICE and DTLS-SRTP.
// Its types are internal, so only packages of srtp can call it: a program makes such legs with srtp/webrtc, and unprotected ones with
// srtp/insecureleg. The error is ErrClosed or wraps ErrConfig; attach is not called then.
func (e *Engine) NewCarriedLeg(cfg LegConfig, attach func(carrier.Port) carrier.Carrier) (*Leg, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(carriedCodecs); err != nil {
		return nil, err
	}
	l := newLeg(e, cfg)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	l.via = attach(handle{l})
	e.legs[l] = struct{}{}
	return l, nil
}

// carriedCodecs are those a carrier's library is told of.
var carriedCodecs = []codec.Codec{codec.PCMU(), codec.PCMA()}

// handle is what a carrier may do with its leg.
type handle struct{ l *Leg }

// Local implements carrier.Port.
func (p handle) Local() (addr netip.Addr, portMin, portMax uint16) {
	c := &p.l.eng.cfg
	return c.Addr, c.PortMin, c.PortMax
}

// Stranger implements carrier.Port.
func (p handle) Stranger() {
	p.l.rx.mu.Lock()
	p.l.rx.strangers++
	p.l.rx.mu.Unlock()
}

// Agree implements carrier.Port.
func (p handle) Agree(a sdp.Agreed, w carrier.Wire) {
	now := time.Now()
	l := p.l
	a.Receive = nil // a carrier's library uses one payload type for both directions
	l.tx.mu.Lock()
	fresh := l.tx.wire != w
	if fresh {
		l.tx.wire = w
		l.tx.renumber(now)
	}
	l.tx.describe(a, a.Direction.Sends())
	l.tx.mu.Unlock()
	l.rx.mu.Lock()
	if fresh {
		l.rx.stream.reset()
	}
	l.rx.apply(a, keys{}, 0, false, now)
	l.rx.mu.Unlock()
}

// RTP implements carrier.Port. It is the path of every packet, as Leg.datagram is for a leg with sockets.
func (p handle) RTP(raw []byte) {
	now := time.Now()
	var pkt packet
	r := &p.l.rx
	r.mu.Lock()
	if !r.agreed {
		r.unagreed++
		r.mu.Unlock()
		return
	}
	r.authenticated, r.last = true, now
	pkt.raw = raw
	ok := r.classify(now, &pkt)
	digit := byte(0)
	if ok && pkt.kind == kindEvent {
		digit = r.dtmf.read(pkt.payload, pkt.ts)
	}
	r.mu.Unlock()
	if ok {
		p.l.deliver(&pkt, digit, nil)
	}
}

// RTCP implements carrier.Port.
func (p handle) RTCP(pkt []byte) {
	now := time.Now()
	r := &p.l.rx
	r.mu.Lock()
	r.authenticated, r.last = true, now
	r.mu.Unlock()
	p.l.learn(pkt, now)
}

// Lost implements carrier.Port.
func (p handle) Lost() { p.l.timeOut() }

// Fail implements carrier.Port.
func (p handle) Fail(reason string) {
	p.l.eng.cfg.Logger.Warn("media leg failed", "reason", reason)
	// Close runs once and everybody who closes the leg or its engine waits for that one run. It cannot run here: it waits for the caller.
	go func() { _ = p.l.Close() }()
}
