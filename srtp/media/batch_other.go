//go:build !linux

package media

import (
	"net"
	"net/netip"
)

// udp is one UDP socket. Systems without calls for many packets at once move them one by one.
type udp struct{ conn *net.UDPConn }

// batches says that receive and send move many packets at once.
const batches = false

func openUDP(addr netip.AddrPort) (*udp, error) {
	network := "udp4"
	if addr.Addr().Is6() {
		network = "udp6"
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	// The system may cap these; the defaults work as well, so errors mean nothing.
	_ = c.SetReadBuffer(readBuffer)
	_ = c.SetWriteBuffer(writeBuffer)
	return &udp{conn: c}, nil
}

func (u *udp) localPort() uint16 {
	a, _ := u.conn.LocalAddr().(*net.UDPAddr)
	return a.AddrPort().Port()
}

// wait returns at once: receive waits. It returns an error when the socket was closed.
func (u *udp) wait() error {
	_, err := u.conn.SyscallConn()
	return err
}

func (u *udp) wake()  { _ = u.conn.Close() }
func (u *udp) close() {}

type inbox struct {
	data []byte
	n    int
	src  netip.AddrPort
}

func newInbox(int) *inbox { return &inbox{data: make([]byte, maxDatagram)} }

func (b *inbox) full(int) bool { return true }

// receive waits for a packet and returns 1, or 0 when there is none.
func (u *udp) receive(b *inbox) int {
	n, src, err := u.conn.ReadFromUDPAddrPort(b.data)
	if err != nil {
		return 0
	}
	b.n, b.src = n, netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
	return 1
}

func (b *inbox) packet(int) ([]byte, netip.AddrPort) { return b.data[:b.n], b.src }

type outgoing struct {
	packets [batchSize][]byte
	to      [batchSize]netip.AddrPort
}

func (o *outgoing) put(i int, pkt []byte, to netip.AddrPort) { o.packets[i], o.to[i] = pkt, to }

func (u *udp) send(o *outgoing, n int, failed func(i int)) {
	for i := range n {
		if _, err := u.conn.WriteToUDPAddrPort(o.packets[i], o.to[i]); err != nil {
			failed(i)
		}
	}
}
