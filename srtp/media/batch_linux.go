package media

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// udp is one UDP socket outside the runtime's poller. Packets that arrive while its reader waits for more of them must not wake a thread each, which is
// what the poller does; it watches the socket only while the reader has nothing to do (see wait). Many packets cross into the kernel at once.
type udp struct {
	fd   int
	idle *os.File // an epoll instance in the poller, which holds fd, armed for one event at a time

	life   sync.RWMutex // readers of it use fd; closing takes it whole, so that no packet goes to a descriptor that means something else by then
	closed bool
}

// batches says that receive and send move many packets at once.
const batches = true

func openUDP(addr netip.AddrPort) (*udp, error) {
	family := unix.AF_INET
	if addr.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	u := &udp{fd: fd}
	if err := u.setUp(addr); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	return u, nil
}

func (u *udp) setUp(addr netip.AddrPort) error {
	// Many legs share the socket. With the right to do so, its buffers get past the system's bound for one; the bound works as well.
	if unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, readBuffer) != nil {
		_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, readBuffer)
	}
	if unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, writeBuffer) != nil {
		_ = unix.SetsockoptInt(u.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, writeBuffer)
	}
	var sa unix.Sockaddr
	if addr.Addr().Is6() {
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	} else {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	if err := unix.Bind(u.fd, sa); err != nil {
		return os.NewSyscallError("bind", err)
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err = unix.SetNonblock(ep, true); err == nil { // what makes os.NewFile give it to the poller
		err = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, u.fd, &unix.EpollEvent{Events: unix.EPOLLONESHOT, Fd: int32(u.fd)})
	}
	if err != nil {
		_ = unix.Close(ep)
		return os.NewSyscallError("epoll_ctl", err)
	}
	u.idle = os.NewFile(uintptr(ep), "media-idle")
	return nil
}

// localPort returns the port the socket is bound to.
func (u *udp) localPort() uint16 {
	sa, err := unix.Getsockname(u.fd)
	if err != nil {
		return 0
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return uint16(sa.Port)
	case *unix.SockaddrInet6:
		return uint16(sa.Port)
	}
	return 0
}

// wait returns when there is something to receive, or an error when the socket was closed.
func (u *udp) wait() error {
	conn, err := u.idle.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Read(func(ep uintptr) bool {
		// Arming looks at what has arrived already, so nothing is missed between the last receive and here.
		var ready [1]unix.EpollEvent
		e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT, Fd: int32(u.fd)}
		if failed = unix.EpollCtl(int(ep), unix.EPOLL_CTL_MOD, u.fd, &e); failed != nil {
			return true
		}
		n, err := unix.EpollWait(int(ep), ready[:], 0)
		return n > 0 || err != nil && !errors.Is(err, unix.EINTR)
	})
	if err != nil {
		return err
	}
	return failed
}

// wake ends wait for good.
func (u *udp) wake() { _ = u.idle.Close() }

// close gives the descriptor back. Nobody waits any more.
func (u *udp) close() {
	u.life.Lock()
	defer u.life.Unlock()
	if !u.closed {
		u.closed = true
		_ = unix.Close(u.fd) // a UDP close has nothing to report
	}
}

// header is the kernel's struct mmsghdr.
type header struct {
	unix.Msghdr
	n uint32
}

// inbox receives up to len(headers) packets at once.
type inbox struct {
	headers []header
	vectors []unix.Iovec
	names   []unix.RawSockaddrInet6
	data    []byte
}

func newInbox(n int) *inbox {
	b := &inbox{headers: make([]header, n), vectors: make([]unix.Iovec, n), names: make([]unix.RawSockaddrInet6, n), data: make([]byte, n*maxDatagram)}
	for i := range b.headers {
		b.vectors[i].Base = &b.data[i*maxDatagram]
		b.vectors[i].SetLen(maxDatagram)
		h := &b.headers[i]
		h.Iov = &b.vectors[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
	}
	return b
}

// full says that n is all the room there is, so that more may wait.
func (b *inbox) full(n int) bool { return n == len(b.headers) }

// receive takes what has arrived and returns how many packets; 0 for none.
func (u *udp) receive(b *inbox) int {
	for i := range b.headers {
		b.headers[i].Namelen = unix.SizeofSockaddrInet6
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&b.headers[0])), uintptr(len(b.headers)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}

// packet returns the i-th packet received and its source; a packet longer than any of ours is empty.
func (b *inbox) packet(i int) ([]byte, netip.AddrPort) {
	h := &b.headers[i]
	pkt := b.data[i*maxDatagram:][:h.n]
	if h.Flags&unix.MSG_TRUNC != 0 {
		pkt = nil
	}
	name := &b.names[i]
	port := (*[2]byte)(unsafe.Pointer(&name.Port))
	p := uint16(port[0])<<8 | uint16(port[1])
	if name.Family == unix.AF_INET6 {
		return pkt, netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), p)
	}
	four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
	return pkt, netip.AddrPortFrom(netip.AddrFrom4(four.Addr), p)
}

// outgoing is the room send needs.
type outgoing struct {
	headers [batchSize]header
	vectors [batchSize]unix.Iovec
	names   [batchSize]unix.RawSockaddrInet6
}

// put prepares the i-th packet of a batch.
func (o *outgoing) put(i int, pkt []byte, to netip.AddrPort) {
	o.vectors[i].Base = unsafe.SliceData(pkt)
	o.vectors[i].SetLen(len(pkt))
	h := &o.headers[i]
	h.Iov = &o.vectors[i]
	h.SetIovlen(1)
	name := &o.names[i]
	h.Name = (*byte)(unsafe.Pointer(name))
	var port *[2]byte
	if addr := to.Addr(); addr.Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
		port, h.Namelen = (*[2]byte)(unsafe.Pointer(&four.Port)), unix.SizeofSockaddrInet4
	} else {
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: addr.As16()}
		port, h.Namelen = (*[2]byte)(unsafe.Pointer(&name.Port)), unix.SizeofSockaddrInet6
	}
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
}

// send sends the first n packets put. It calls failed for each the system does not take: it is as lost as on the way.
func (u *udp) send(o *outgoing, n int, failed func(i int)) {
	u.life.RLock()
	defer u.life.RUnlock()
	for i := 0; i < n; {
		var sent uintptr
		errno := unix.EBADF
		if !u.closed {
			sent, _, errno = unix.Syscall6(unix.SYS_SENDMMSG, uintptr(u.fd), uintptr(unsafe.Pointer(&o.headers[i])), uintptr(n-i), 0, 0, 0)
		}
		switch {
		case errno == unix.EINTR:
		case errno != 0 || sent == 0:
			failed(i)
			i++
		default:
			i += int(sent)
		}
	}
}
