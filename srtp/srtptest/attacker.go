package srtptest

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Attacker is somebody on the network who sees a phone's packets and sends the phone's peer what he likes. He has no key. It is safe for concurrent use.
type Attacker struct {
	victim *Phone
	own    bool // the socket is the attacker's
	conn   *net.UDPConn
	mu     sync.Mutex
	closed bool
}

// Stranger returns an attacker who sends from an address of his own: the phone's IP address, another port. The error is the system's. The caller closes it.
func (p *Phone) Stranger() (*Attacker, error) { return p.StrangerAt(p.cfg.Addr) }

// StrangerAt is Stranger at another IP address of this host, such as 127.0.0.2.
func (p *Phone) StrangerAt(addr netip.Addr) (*Attacker, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
	if err != nil {
		return nil, fmt.Errorf("srtptest: opening port: %w", err)
	}
	return &Attacker{victim: p, own: true, conn: c}, nil
}

// Spoofer returns an attacker whose packets bear the phone's own source address, which anybody can write into a UDP packet.
func (p *Phone) Spoofer() *Attacker { return &Attacker{victim: p, conn: p.conn} }

// Close ends the attacker. It is safe to call again and always returns nil.
func (a *Attacker) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed && a.own {
		_ = a.conn.Close() // nothing to do about a socket that does not close
	}
	a.closed = true
	return nil
}

// Send sends a datagram as it is to the phone's peer. The errors are ErrClosed, ErrNotReady and the system's.
func (a *Attacker) Send(datagram []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	to := a.victim.Peer()
	if !to.IsValid() {
		return ErrNotReady
	}
	_, err := a.conn.WriteToUDPAddrPort(datagram, to)
	return err
}

func (a *Attacker) sendAll(packets [][]byte) error {
	for _, b := range packets {
		if err := a.Send(b); err != nil {
			return err
		}
	}
	return nil
}

// Replay sends the last n packets the phone sent once more, at most 128. The errors are those of Send, and ErrNotReady if the phone has sent none.
func (a *Attacker) Replay(n int) error {
	a.victim.mu.Lock()
	past := slices.Clone(a.victim.out.past)
	a.victim.mu.Unlock()
	if len(past) == 0 {
		return ErrNotReady
	}
	return a.sendAll(past[len(past)-min(n, len(past), remembered/2):])
}

// Plain sends n packets of a tone of freq Hz, unprotected, that continue the phone's stream: its source, its next numbers. The errors are those of Send.
func (a *Attacker) Plain(freq float64, n int) error { return a.pose(freq, n, 0) }

// Forge is Plain with a tag of random bytes behind each packet, as long as a suite's: what somebody without the key can make.
func (a *Attacker) Forge(freq float64, n int) error { return a.pose(freq, n, 16) }

func (a *Attacker) pose(freq float64, n, tag int) error {
	a.victim.mu.Lock()
	m := &a.victim.out
	if m.enc == nil {
		a.victim.mu.Unlock()
		return ErrNotReady
	}
	voice := mouth{ssrc: m.ssrc, seq: m.seq, ts: m.ts, pt: m.pt, freq: freq, codec: m.codec}
	a.victim.mu.Unlock()
	enc, err := voice.codec.NewEncoder()
	if err != nil {
		return err
	}
	var packets [][]byte
	for range n {
		voice.ts += uint32(voice.codec.FrameTicks)
		b := voice.header(voice.pt, false, voice.ts)
		payload := make([]byte, voice.codec.MaxPayload)
		k, err := enc.Encode(payload, voice.tone())
		if err != nil {
			return err
		}
		b = append(b, payload[:k]...)
		end := len(b)
		b = append(b, make([]byte, tag)...)
		rand.Read(b[end:])
		voice.seq++
		packets = append(packets, b)
	}
	return a.sendAll(packets)
}

// Flood sends n packets that look like SRTP, each of a source of its own. The errors are those of Send.
func (a *Attacker) Flood(n int) error {
	b := make([]byte, 12+160+16)
	for range n {
		rand.Read(b)
		b[0], b[1] = 0x80, 0
		if err := a.Send(b); err != nil {
			return err
		}
	}
	return nil
}

// Event sends a key as telephone-event, unprotected, that continues the phone's stream. The errors are those of Send, and ErrNoDigits.
func (a *Attacker) Event(key byte) error {
	a.victim.mu.Lock()
	m := &a.victim.out
	voice, pt, ready := mouth{ssrc: m.ssrc, seq: m.seq}, m.event, m.enc != nil
	ts := m.ts + uint32(m.codec.FrameTicks)
	a.victim.mu.Unlock()
	e := slices.Index([]byte(keys), key)
	switch {
	case !ready:
		return ErrNotReady
	case pt < 0 || e < 0:
		return ErrNoDigits
	}
	b := voice.header(uint8(pt), true, ts)
	return a.Send(binary.BigEndian.AppendUint16(append(b, byte(e), 0x8a), 160))
}
