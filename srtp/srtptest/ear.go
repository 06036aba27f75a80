package srtptest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// PhoneStats counts what a phone sent and heard since it was made.
type PhoneStats struct {
	Sent         uint64 // RTP packets
	Received     uint64 // RTP packets that were the peer's
	Early        uint64 // packets before media was agreed on, dropped
	Strangers    uint64 // plain RTP from another address than the peer's, dropped
	Replays      uint64 // packets seen before, dropped; not noticed over plain RTP
	AuthFailures uint64 // packets not made with the peer's key, dropped
	Unknown      uint64 // packets of the peer of a payload type nobody agreed on
	Sources      int    // SSRCs of the peer
}

// heardPacket is one packet of audio.
type heardPacket struct {
	ssrc    uint32
	seq     uint16
	ts      uint32
	codec   codec.Codec
	payload []byte
}

// ear is what a phone hears. Phone.mu guards it.
type ear struct {
	rx      *srtp.Receiver
	agreed  bool
	peer    netip.Addr
	types   map[uint8]codec.Codec // of audio
	events  map[uint8]bool
	sources map[uint32]bool
	heard   []heardPacket
	dropped bool // heard was full
	lately  time.Duration
	digits  []byte
	last    uint32 // timestamp of the last digit
	any     bool   // there was one
	reports [][]byte
	stats   PhoneStats
}

const (
	// maxHeard is how many packets a phone writes down: half an hour.
	maxHeard = 90000
	// maxReports and maxDigits bound what waits to be asked for.
	maxReports = 64
	maxDigits  = 1024
)

func (e *ear) forget() { e.heard, e.dropped, e.lately = nil, false, 0 }

func (e *ear) wipe() {
	if e.rx != nil {
		e.rx.Close()
		e.rx = nil
	}
}

// describe takes over an agreement.
func (e *ear) describe(a sdp.Agreed, codecs []codec.Codec) {
	e.agreed, e.types, e.events = true, map[uint8]codec.Codec{}, map[uint8]bool{}
	if e.sources == nil {
		e.sources = map[uint32]bool{}
	}
	if ip := a.Remote.Addr(); ip.IsValid() && !ip.IsUnspecified() {
		e.peer = ip
	}
	for _, r := range a.Receive {
		if c, ok := codec.ByName(codecs, r.Name); ok {
			e.types[r.PT] = c
		} else if r.Name == sdp.TelephoneEvent {
			e.events[r.PT] = true
		}
	}
}

// listen reads a socket until it is closed.
func (p *Phone) listen(c *net.UDPConn) {
	buf := make([]byte, maxDatagram)
	for {
		n, src, err := c.ReadFromUDPAddrPort(buf)
		select {
		case <-p.done:
			return
		default:
		}
		if err != nil {
			continue // an ICMP error of an earlier packet
		}
		p.mu.Lock()
		p.take(buf[:n], src.Addr().Unmap())
		p.mu.Unlock()
	}
}

// take hears one packet. The caller holds mu.
func (p *Phone) take(pkt []byte, src netip.Addr) {
	e := &p.in
	control := len(pkt) >= 2 && pkt[1] >= 192 && pkt[1] <= 223 // RFC 5761 section 4
	var raw []byte
	var err error
	switch {
	case !e.agreed || p.closed:
		e.stats.Early++
		return
	case e.rx == nil && src != e.peer:
		e.stats.Strangers++
		return
	case e.rx == nil:
		raw = slices.Clone(pkt)
	case control:
		raw, err = e.rx.UnprotectRTCP(nil, pkt)
	default:
		raw, err = e.rx.UnprotectRTP(nil, pkt)
	}
	switch {
	case errors.Is(err, srtp.ErrReplay):
		e.stats.Replays++
	case err != nil:
		e.stats.AuthFailures++
	case control:
		if len(e.reports) < maxReports {
			e.reports = append(e.reports, raw)
		}
	default:
		e.hear(raw)
	}
	p.news()
}

// hear takes a packet of the peer.
func (e *ear) hear(raw []byte) {
	payload, ok := payloadOf(raw)
	if !ok {
		e.stats.Unknown++
		return
	}
	e.stats.Received++
	h := heardPacket{ssrc: binary.BigEndian.Uint32(raw[8:]), seq: binary.BigEndian.Uint16(raw[2:]), ts: binary.BigEndian.Uint32(raw[4:]), payload: payload}
	if len(e.sources) < maxReports {
		e.sources[h.ssrc] = true
	}
	pt := raw[1] & 0x7f
	h.codec, ok = e.types[pt]
	switch {
	case ok && len(e.heard) < maxHeard:
		e.heard = append(e.heard, h)
		e.lately += frameTime
	case ok:
		e.dropped = true
	case e.events[pt]:
		e.press(h)
	default:
		e.stats.Unknown++
	}
}

// press notes a digit once, by the timestamp that all packets of it have (RFC 4733 section 2.3.5).
func (e *ear) press(h heardPacket) {
	if len(h.payload) < 4 || int(h.payload[0]) >= len(keys) || e.any && h.ts == e.last || len(e.digits) >= maxDigits {
		return
	}
	e.any, e.last = true, h.ts
	e.digits = append(e.digits, keys[h.payload[0]])
}

// payloadOf finds the payload behind sources and extension and in front of padding (RFC 3550 section 5.1).
func payloadOf(b []byte) ([]byte, bool) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return nil, false
	}
	n, end := 12+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 {
		if len(b) < n+4 {
			return nil, false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(b[n+2:]))
	}
	if b[0]&0x20 != 0 {
		end -= int(b[len(b)-1])
	}
	if end < n {
		return nil, false
	}
	return b[n:end], true
}

// await waits until cond, which is called with mu held, is true.
func (p *Phone) await(ctx context.Context, cond func() bool) error {
	for {
		p.mu.Lock()
		ok, closed, changed := cond(), p.closed, p.changed
		p.mu.Unlock()
		switch {
		case ok:
			return nil
		case closed:
			return ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Listen forgets what was heard before, waits until d of audio has come, and returns it. The errors are ErrClosed and ctx's.
func (p *Phone) Listen(ctx context.Context, d time.Duration) (*Recording, error) {
	p.Forget()
	if err := p.await(ctx, func() bool { return p.in.lately >= d || p.in.dropped }); err != nil {
		return nil, err
	}
	return p.Heard(), nil
}

// Heard returns the audio heard since the phone was made, or since the last Listen or Forget; at most half an hour is written down.
func (p *Phone) Heard() *Recording {
	p.mu.Lock()
	heard := slices.Clone(p.in.heard)
	p.mu.Unlock()
	return record(heard)
}

// Forget drops the audio heard so far.
func (p *Phone) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.in.forget()
}

// Digit returns the next key the peer pressed (telephone-event). The errors are ErrClosed and ctx's.
func (p *Phone) Digit(ctx context.Context) (byte, error) {
	key := byte(0)
	err := p.await(ctx, func() bool {
		if len(p.in.digits) == 0 {
			return false
		}
		key = p.in.digits[0]
		p.in.digits = p.in.digits[1:]
		return true
	})
	return key, err
}

// Report returns the peer's next compound RTCP packet, decrypted. The errors are ErrClosed and ctx's.
func (p *Phone) Report(ctx context.Context) ([]byte, error) {
	var report []byte
	err := p.await(ctx, func() bool {
		if len(p.in.reports) == 0 {
			return false
		}
		report = p.in.reports[0]
		p.in.reports = p.in.reports[1:]
		return true
	})
	return report, err
}

// Stats returns the counters so far.
func (p *Phone) Stats() PhoneStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.in.stats
	s.Sent, s.Sources = p.out.sent, len(p.in.sources)
	return s
}
