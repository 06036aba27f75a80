package media

import (
	"fmt"
	"net"
	"net/netip"
)

// sockets are a leg's UDP ports. rtcp is nil when RTP and RTCP share one.
type sockets struct {
	rtp, rtcp *net.UDPConn
}

func (s sockets) close() {
	for _, c := range []*net.UDPConn{s.rtp, s.rtcp} {
		if c != nil {
			_ = c.Close() // a UDP close has nothing to report
		}
	}
}

// open opens one port, or an even one and the next (RFC 3550 section 11) if pair.
func (e *Engine) open(pair bool) (sockets, error) {
	if e.cfg.PortMin == 0 {
		return e.openEphemeral(pair)
	}
	first, last := uint32(e.cfg.PortMin), uint32(e.cfg.PortMax)
	first += first & 1
	if first > last || pair && first+1 > last {
		return sockets{}, fmt.Errorf("%w: range of %d ports", ErrNoPort, last-uint32(e.cfg.PortMin)+1)
	}
	n := (last-first)/2 + 1
	e.mu.Lock()
	start := e.port
	e.port++ // the next leg starts its search behind this one, so a port rests before it is used again
	e.mu.Unlock()
	for i := range n {
		port := first + (start+i)%n*2
		if pair && port+1 > last {
			continue
		}
		if s, ok := e.bind(uint16(port), pair); ok {
			return s, nil
		}
	}
	return sockets{}, ErrNoPort
}

// openEphemeral lets the system pick; for a pair it looks for the neighbour of what it got.
func (e *Engine) openEphemeral(pair bool) (sockets, error) {
	for range 64 {
		c, err := e.listen(0)
		if err != nil {
			return sockets{}, fmt.Errorf("%w: %w", ErrNoPort, err)
		}
		if !pair {
			return sockets{rtp: c}, nil
		}
		port := localPort(c)
		other, err := e.listen(port ^ 1)
		if err != nil {
			_ = c.Close()
			continue
		}
		if port&1 == 1 {
			c, other = other, c
		}
		return sockets{rtp: c, rtcp: other}, nil
	}
	return sockets{}, ErrNoPort
}

func (e *Engine) bind(port uint16, pair bool) (sockets, bool) {
	c, err := e.listen(port)
	if err != nil {
		return sockets{}, false
	}
	if !pair {
		return sockets{rtp: c}, true
	}
	r, err := e.listen(port + 1)
	if err != nil {
		_ = c.Close()
		return sockets{}, false
	}
	return sockets{rtp: c, rtcp: r}, true
}

func (e *Engine) listen(port uint16) (*net.UDPConn, error) {
	network := "udp4"
	if e.cfg.Addr.Is6() {
		network = "udp6"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(e.cfg.Addr, port)))
	if err != nil {
		return nil, err
	}
	// The kernel may cap these; the defaults work as well, so errors mean nothing.
	_ = c.SetReadBuffer(readBuffer)
	_ = c.SetWriteBuffer(writeBuffer)
	return c, nil
}

func localPort(c *net.UDPConn) uint16 {
	a, _ := c.LocalAddr().(*net.UDPAddr)
	return a.AddrPort().Port()
}
