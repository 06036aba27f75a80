package webrtc

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
	"github.com/pion/transport/v4"
)

// guardedNet opens a leg's sockets so that nothing a stranger can forge ends the leg's DTLS association.
//
// The attacker knows both addresses of a call, which are in no secret place, and sends with the browser's source address. He has no key, but the library takes
// an alert without protection (epoch 0) at any time, and closes the connection for it; and so it does for records that it cannot read. RFC 6347 section
// 4.1.2.7 says that invalid records are best dropped in silence: that is done here, in front of it.
type guardedNet struct {
	transport.Net
	p *peer
}

// ListenUDP implements transport.Net.
func (n guardedNet) ListenUDP(network string, laddr *net.UDPAddr) (transport.UDPConn, error) {
	c, err := net.ListenUDP(network, laddr)
	if err != nil {
		return nil, err
	}
	return guardedConn{c, n.p}, nil
}

// guardedConn passes on what forged lets pass. The library reads it by ReadFromAddrPort.
type guardedConn struct {
	*net.UDPConn
	p *peer
}

// ReadFromAddrPort implements ice.AddrPortReaderWriter.
func (c guardedConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, src, err := c.ReadFromUDPAddrPort(b)
		if err != nil || !forged(b[:n], c.p.known.Load()) {
			return n, src, err
		}
	}
}

// WriteToAddrPort implements ice.AddrPortReaderWriter.
func (c guardedConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToUDPAddrPort(b, to)
}

// ReadFrom implements net.PacketConn.
func (c guardedConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, src, err := c.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(src), nil
}

var _ ice.AddrPortReaderWriter = guardedConn{}

// The content types of DTLS records (RFC 6347 section 4.1), and the length of a record's header.
const (
	recordCipherSpec = 20
	recordAlert      = 21
	recordHandshake  = 22
	recordHeader     = 13
)

// forged reports whether a datagram is DTLS (RFC 7983) and holds an unprotected record that no honest peer sends: anything but a handshake's, or an alert
// once the peer is verified. A peer that did not get our last flight repeats its own, unprotected records and all.
func forged(b []byte, verified bool) bool {
	if len(b) == 0 || b[0] < 20 || b[0] > 63 {
		return false
	}
	for len(b) >= recordHeader {
		kind, epoch, size := b[0], binary.BigEndian.Uint16(b[3:]), int(binary.BigEndian.Uint16(b[11:]))
		b = b[recordHeader:]
		if size > len(b) {
			return true
		}
		body := b[:size]
		b = b[size:]
		if epoch != 0 {
			continue
		}
		switch kind {
		case recordHandshake:
		case recordCipherSpec:
			if size != 1 || body[0] != 1 {
				return true
			}
		case recordAlert:
			if verified || size != 2 {
				return true
			}
		default:
			return true
		}
	}
	return len(b) > 0
}
