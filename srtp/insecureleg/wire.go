package insecureleg

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp/internal/carrier"
	"github.com/ringfence/ringfence/srtp/media"
	"github.com/ringfence/ringfence/srtp/sdp"
)

const (
	// maxDatagram is the longest packet read: an Ethernet frame.
	maxDatagram = 1500
	// relatchAfter is how long the peer's port must be silent before another one of its address takes over.
	relatchAfter = 2 * time.Second
	// portTries is how many ports of the system's choice are looked at for a free neighbour.
	portTries = 64
)

// wire is the pair of sockets of one leg. It is the leg's carrier.Wire for as long as the leg lives.
type wire struct {
	port           carrier.Port
	ssrc           uint32
	conn, control  *net.UDPConn
	addr, addrRTCP netip.AddrPort
	work           sync.WaitGroup

	mu     sync.Mutex // guards what follows; no method of port is called with it held
	closed bool
	mux    bool
	media  flow
	report flow
}

// flow is where the peer's RTP, or its RTCP, comes from and goes to.
type flow struct {
	said netip.AddrPort // by the description; invalid: nowhere
	at   netip.AddrPort // where it was last heard from; invalid: not yet
	last time.Time      // when that was
}

// describe takes over what a description says.
func (f *flow) describe(said netip.AddrPort) {
	if said != f.said {
		f.said, f.at = said, netip.AddrPort{}
	}
}

// admit says whether a packet from src is heard, and follows it. RTP bleed: a packet from another IP address than the description's is
// nobody's, whatever is in it, and moves nothing.
func (f *flow) admit(src netip.AddrPort, now time.Time) bool {
	switch {
	case !f.said.IsValid() || src.Addr() != f.said.Addr():
		return false
	case src == f.at || src == f.said || !f.at.IsValid() || now.Sub(f.last) >= relatchAfter:
		f.at, f.last = src, now
		return true
	default:
		return false
	}
}

// target is where to send.
func (f *flow) target() netip.AddrPort {
	if f.at.IsValid() {
		return f.at
	}
	return f.said
}

// newWire opens the sockets and starts their readers.
func newWire(p carrier.Port) (*wire, error) {
	w := &wire{port: p}
	var b [4]byte
	rand.Read(b[:])
	w.ssrc = binary.BigEndian.Uint32(b[:])
	if err := w.open(); err != nil {
		return nil, err
	}
	for _, c := range []*net.UDPConn{w.conn, w.control} {
		w.work.Add(1)
		// close closes the socket and waits.
		go func() {
			defer w.work.Done()
			w.read(c)
		}()
	}
	return w, nil
}

// open opens two neighbours of the engine's range, the lower one even (RFC 3550 section 11): old equipment takes RTCP for one port above, whatever is written.
func (w *wire) open() error {
	addr, first, last := w.port.Local()
	if first != 0 {
		for p := uint32(first) + uint32(first)&1; p+1 <= uint32(last); p += 2 {
			if w.bind(addr, uint16(p)) {
				return nil
			}
		}
		return fmt.Errorf("%w: %d to %d", media.ErrNoPort, first, last)
	}
	for range portTries {
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 0)))
		if err != nil {
			return fmt.Errorf("%w: %w", media.ErrNoPort, err)
		}
		p := source(c.LocalAddr()).Port()
		_ = c.Close() // nothing was sent; if it does not close, the next bind fails and another port is tried
		if w.bind(addr, p&^1) {
			return nil
		}
	}
	return media.ErrNoPort
}

func (w *wire) bind(addr netip.Addr, p uint16) bool {
	w.addr, w.addrRTCP = netip.AddrPortFrom(addr, p), netip.AddrPortFrom(addr, p+1)
	var err error
	if w.conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.addr)); err != nil {
		return false
	}
	if w.control, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(w.addrRTCP)); err != nil {
		_ = w.conn.Close() // the pair is given up
		return false
	}
	return true
}

func source(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return u.AddrPort()
}

// describe takes over an agreement. An unspecified address, the hold of RFC 2543, leaves the peer where it was.
func (w *wire) describe(a sdp.Agreed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mux = a.Mux
	if a.Remote.Addr().IsUnspecified() {
		return
	}
	w.media.describe(a.Remote)
	// RTCP is heard from the address of the audio only, wherever its own line points (RFC 3605): one call, one peer.
	rtcp := a.RemoteRTCP
	if rtcp.Addr() != a.Remote.Addr() {
		rtcp = netip.AddrPort{}
	}
	w.report.describe(rtcp)
}

// read is a reader goroutine. It returns when the socket is closed.
func (w *wire) read(c *net.UDPConn) {
	buf := make([]byte, maxDatagram+carrier.Headroom)
	for {
		n, src, err := c.ReadFromUDPAddrPort(buf[:maxDatagram])
		if err != nil {
			w.mu.Lock()
			closed := w.closed
			w.mu.Unlock()
			if closed {
				return
			}
			continue // an ICMP error of a packet we sent
		}
		src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
		w.datagram(buf[:n], src, c == w.control, time.Now())
	}
}

// datagram takes a packet. A stranger's costs a comparison.
func (w *wire) datagram(b []byte, src netip.AddrPort, control bool, now time.Time) {
	w.mu.Lock()
	rtcp := control
	f := &w.media
	if control {
		f = &w.report
	} else if w.mux && len(b) >= 2 && b[1] >= 192 && b[1] <= 223 { // RFC 5761 section 4
		rtcp = true
	}
	ok := !w.closed && f.admit(src, now)
	w.mu.Unlock()
	switch {
	case !ok:
		w.port.Stranger()
	case len(b) < 8 || b[0]>>6 != 2:
		// not RTP: a keep-alive of the peer's, which opened the way for ours
	case rtcp:
		w.port.RTCP(b)
	case len(b) >= 12:
		w.port.RTP(b)
	}
}

// close ends the sockets and waits for their readers.
func (w *wire) close() {
	w.mu.Lock()
	first := !w.closed
	w.closed = true
	w.mu.Unlock()
	if first {
		_ = w.conn.Close() // nothing to do about a socket that does not close
		_ = w.control.Close()
	}
	w.work.Wait()
}

// SSRC implements carrier.Wire.
func (w *wire) SSRC() uint32 { return w.ssrc }

// Up implements carrier.Wire.
func (w *wire) Up() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.closed && w.media.target().IsValid()
}

// WriteRTP implements carrier.Wire.
func (w *wire) WriteRTP(packet []byte) error { return w.write(packet, false) }

// WriteRTCP implements carrier.Wire.
func (w *wire) WriteRTCP(packet []byte) error { return w.write(packet, true) }

func (w *wire) write(packet []byte, rtcp bool) error {
	w.mu.Lock()
	from, to, closed := w.conn, w.media.target(), w.closed
	if rtcp && !w.mux {
		from, to = w.control, w.report.target()
	}
	w.mu.Unlock()
	switch {
	case closed:
		return net.ErrClosed
	case !to.IsValid():
		return nil // nobody takes it
	}
	_, err := from.WriteToUDPAddrPort(packet, to)
	return err
}
