package srtptest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
	"github.com/ringfence/ringfence/srtp/sdp"
)

// mouth is what a phone sends. Phone.mu guards it.
type mouth struct {
	tx     *srtp.Sender // nil: plain
	ssrc   uint32
	to     netip.AddrPort
	toRTCP netip.AddrPort
	mux    bool
	sends  bool
	codec  codec.Codec
	enc    codec.Encoder
	pt     uint8
	event  int16 // payload type of digits, -1 for none

	seq   uint16
	ts    uint32
	start uint32 // timestamp of the digit being sent
	freq  float64
	phase int
	queue []item
	sent  uint64
	past  [][]byte // the last packets as sent, oldest first
}

// item is what one tick of the phone's clock sends.
type item struct {
	pcm    []int16 // a frame of audio, or nil for a digit
	event  byte
	n      int           // of the packets of the digit
	finish chan struct{} // closed when it was sent
}

const (
	// remembered is how many of its packets a phone keeps for attackers.
	remembered = 256
	// digitFrames is how many ticks a digit lasts, the gap behind it included; digitEnd is the one that ends it.
	digitFrames = 8
	digitEnd    = 5
)

func (m *mouth) init() {
	m.event = -1
	m.ssrc = uint32(random64())
	m.seq, m.ts = srtp.RandomSequence(), uint32(random64())
}

// begin starts a stream under a new key.
func (m *mouth) begin(tx *srtp.Sender) {
	m.tx, m.ssrc, m.seq = tx, tx.SSRC(), srtp.RandomSequence()
}

func (m *mouth) wipe() {
	if m.tx != nil {
		m.tx.Close()
		m.tx = nil
	}
	for _, it := range m.queue {
		if it.finish != nil {
			close(it.finish)
		}
	}
	m.queue = nil
}

// describe takes over an agreement.
func (m *mouth) describe(a sdp.Agreed, c codec.Codec) error {
	if m.enc == nil || m.codec.Name != c.Name {
		enc, err := c.NewEncoder()
		if err != nil {
			return fmt.Errorf("srtptest: %s: %w", c.Name, err)
		}
		m.enc = enc
	}
	m.codec, m.pt, m.event = c, a.Audio[0].PT, -1
	if a.DTMF.Name != "" {
		m.event = int16(a.DTMF.PT)
	}
	if ip := a.Remote.Addr(); ip.IsValid() && !ip.IsUnspecified() {
		m.to, m.toRTCP = a.Remote, a.RemoteRTCP
	}
	m.mux, m.sends = a.Mux, a.Direction.Sends()
	return nil
}

// pace is the phone's clock.
func (p *Phone) pace() {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-timer.C:
		}
		p.mu.Lock()
		p.tick()
		p.mu.Unlock()
		next = next.Add(p.frames)
		if behind := time.Since(next); behind > 10*p.frames {
			next = time.Now() // the machine stood still; a phone would not send all of that at once either
		}
		timer.Reset(time.Until(next))
	}
}

// tick sends one packet, if there is anything to send. The caller holds mu.
func (p *Phone) tick() {
	m := &p.out
	if m.enc == nil || p.closed {
		return
	}
	m.ts += uint32(m.codec.FrameTicks)
	it := item{n: -1}
	switch {
	case len(m.queue) > 0:
		it = m.queue[0]
		m.queue = m.queue[1:]
	case m.freq != 0:
		it.pcm = m.tone()
	default:
		return
	}
	if it.pcm != nil {
		p.speak(it.pcm)
	} else {
		p.dial(it)
	}
	if it.finish != nil {
		close(it.finish)
	}
}

// tone is the next frame of the tone, which goes on where the last one ended.
func (m *mouth) tone() []int16 {
	pcm := make([]int16, m.codec.FrameSamples)
	for i := range pcm {
		pcm[i] = int16(math.Round(8192 * math.Sin(2*math.Pi*m.freq*float64(m.phase)/float64(m.codec.Rate))))
		m.phase++
	}
	return pcm
}

func (p *Phone) speak(pcm []int16) {
	payload := make([]byte, p.out.codec.MaxPayload)
	n, err := p.out.enc.Encode(payload, pcm)
	if err != nil {
		return // cannot happen: a whole frame and the room the codec asked for
	}
	_ = p.send(p.out.pt, false, p.out.ts, payload[:n]) // what the system does not take is lost, as on a network
}

// dial sends one step of a digit (RFC 4733 section 2.5.1).
func (p *Phone) dial(it item) {
	m := &p.out
	if m.event < 0 {
		return
	}
	if it.n == 0 {
		m.start = m.ts
	}
	if it.n > digitEnd {
		return // the gap to the next one
	}
	payload := [4]byte{it.event, 10}
	binary.BigEndian.PutUint16(payload[2:], uint16((it.n+1)*m.codec.FrameTicks))
	repeats := 1
	if it.n == digitEnd {
		payload[1] |= 0x80
		repeats = 3
	}
	for range repeats {
		_ = p.send(uint8(m.event), it.n == 0, m.start, payload[:]) // see speak
	}
}

// header is the next packet's.
func (m *mouth) header(pt uint8, marker bool, ts uint32) []byte {
	b := make([]byte, 12, 12+maxDatagram)
	b[0], b[1] = 0x80, pt&0x7f
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], m.seq+1)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], m.ssrc)
	return b
}

// send sends the next packet of the stream. The caller holds mu.
func (p *Phone) send(pt uint8, marker bool, ts uint32, payload []byte) error {
	m := &p.out
	if !m.sends || !m.to.IsValid() {
		return nil
	}
	pkt := append(m.header(pt, marker, ts), payload...)
	if m.tx != nil {
		var err error
		if pkt, err = m.tx.ProtectRTP(nil, pkt); err != nil {
			return err
		}
	}
	m.seq++
	if len(m.past) == remembered {
		m.past = slices.Delete(m.past, 0, remembered/2)
	}
	m.past = append(m.past, pkt)
	if _, err := p.conn.WriteToUDPAddrPort(pkt, m.to); err != nil {
		return err
	}
	m.sent++
	return nil
}

// Sing sends a tone of freq Hz at a quarter of full scale until the next Sing; zero ends it. Play and Press interrupt it.
func (p *Phone) Sing(freq float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out.freq = freq
}

// Play sends audio of rate samples a second, one channel, and returns when the last of it was sent. While the peer has the phone on hold, it plays unheard. The
// errors are ErrNotReady, ErrClosed, those of codec.Resample, and ctx's.
func (p *Phone) Play(ctx context.Context, pcm []int16, rate int) error {
	p.mu.Lock()
	c := p.out.codec
	p.mu.Unlock()
	if c.Rate == 0 {
		return ErrNotReady
	}
	pcm, err := codec.Resample(pcm, rate, c.Rate)
	if err != nil {
		return err
	}
	var items []item
	for len(pcm) > 0 {
		frame := make([]int16, c.FrameSamples)
		pcm = pcm[copy(frame, pcm):]
		items = append(items, item{pcm: frame})
	}
	return p.enqueue(ctx, items)
}

// Press sends digits as telephone-event, 160 ms each, and returns when the last is out. The errors are ErrNoDigits, ErrNotReady, ErrClosed, ctx's, and
// one that wraps ErrConfig for anything but 0-9, *, #, A-D.
func (p *Phone) Press(ctx context.Context, digits string) error {
	var items []item
	for i := range len(digits) {
		e := strings.IndexByte(keys, digits[i])
		if e < 0 {
			return fmt.Errorf("%w: not a digit", ErrConfig)
		}
		for n := range digitFrames {
			items = append(items, item{event: byte(e), n: n})
		}
	}
	p.mu.Lock()
	ready, takes := p.out.enc != nil, p.out.event >= 0
	p.mu.Unlock()
	switch {
	case !ready:
		return ErrNotReady
	case !takes:
		return ErrNoDigits
	}
	return p.enqueue(ctx, items)
}

// keys are the digits in the order of their events (RFC 4733 section 3.2).
const keys = "0123456789*#ABCD"

// enqueue sends items one by one and waits for the last.
func (p *Phone) enqueue(ctx context.Context, items []item) error {
	if len(items) == 0 {
		return ctx.Err()
	}
	finish := make(chan struct{})
	items[len(items)-1].finish = finish
	if err := p.begin(ctx); err != nil {
		return err
	}
	p.out.queue = append(p.out.queue, items...)
	p.mu.Unlock()
	select {
	case <-finish:
		select {
		case <-p.done:
			return ErrClosed
		default:
			return nil
		}
	case <-p.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Send sends a payload of any kind as the stream's next packet, protected like the others. The errors are ErrNotReady, ErrClosed, those of
// srtp.Sender.ProtectRTP and the system's.
func (p *Phone) Send(payloadType uint8, payload []byte) error {
	if err := p.begin(context.Background()); err != nil {
		return err
	}
	defer p.mu.Unlock()
	if p.out.enc == nil {
		return ErrNotReady
	}
	p.out.ts += uint32(p.out.codec.FrameTicks)
	return p.send(payloadType, false, p.out.ts, payload)
}

// SendRTCP sends a compound RTCP packet, protected unless the phone speaks plain RTP. Its first packet gets the stream's source. The errors are ErrNotReady,
// ErrClosed, those of srtp.Sender.ProtectRTCP and the system's.
func (p *Phone) SendRTCP(compound []byte) error {
	if err := p.begin(context.Background()); err != nil {
		return err
	}
	defer p.mu.Unlock()
	m := &p.out
	if m.enc == nil || !m.toRTCP.IsValid() {
		return ErrNotReady
	}
	pkt := slices.Clone(compound)
	if len(pkt) >= 8 {
		binary.BigEndian.PutUint32(pkt[4:], m.ssrc)
	}
	if m.tx != nil {
		var err error
		if pkt, err = m.tx.ProtectRTCP(nil, pkt); err != nil {
			return err
		}
	}
	from := p.conn
	if !m.mux {
		from = p.rtcp
	}
	_, err := from.WriteToUDPAddrPort(pkt, m.toRTCP)
	return err
}
