package dtls

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/transport/v4/deadline"
)

// transport stands between the library, which wants a socket, and the media engine, which has one. It starts no goroutine.
type transport struct {
	send   func([]byte) error
	in     chan []byte
	closed chan struct{} // also Association.Done
	read   *deadline.Deadline
	once   sync.Once
	mu     sync.Mutex // holds Send and Close apart
	shut   bool
	idle   sync.WaitGroup // reads under way
	keyed  atomic.Bool    // the handshake is over
	drops  atomic.Uint64
}

func newTransport(send func([]byte) error) *transport {
	return &transport{send: send, in: make(chan []byte, maxQueued), closed: make(chan struct{}), read: deadline.New()}
}

// deliver queues a copy of a datagram. A full queue drops it: DTLS sends again, and a stranger who knows the peer's address gets no more
// memory than the queue.
func (t *transport) deliver(pkt []byte) {
	if !t.admit(pkt) {
		t.drops.Add(1)
		return
	}
	select {
	case <-t.closed:
	case t.in <- append([]byte(nil), pkt...):
	default:
		t.drops.Add(1)
	}
}

// The content types of RFC 6347 and the size of a record's header.
const (
	recordChange    = 20
	recordAlert     = 21
	recordHandshake = 22
	recordHeader    = 13
)

// admit looks at the records of a datagram. Application data has no place in DTLS-SRTP. Once there are keys, whatever comes without protection
// can only ask for the last flight again: an alert in the clear is anybody's, and must not end a call.
func (t *transport) admit(pkt []byte) bool {
	if len(pkt) > maxDatagram || !IsDTLS(pkt) {
		return false
	}
	keyed := t.keyed.Load()
	for len(pkt) > 0 {
		if len(pkt) < recordHeader {
			return false
		}
		kind, epoch := pkt[0], binary.BigEndian.Uint16(pkt[3:])
		size := recordHeader + int(binary.BigEndian.Uint16(pkt[11:]))
		switch {
		case size > len(pkt):
			return false
		case kind == recordAlert && (!keyed || epoch > 0):
		case kind != recordHandshake && kind != recordChange:
			return false
		}
		pkt = pkt[size:]
	}
	return true
}

// ReadFrom implements net.PacketConn.
func (t *transport) ReadFrom(b []byte) (int, net.Addr, error) {
	t.mu.Lock()
	if t.shut {
		t.mu.Unlock()
		return 0, nil, net.ErrClosed
	}
	t.idle.Add(1)
	t.mu.Unlock()
	defer t.idle.Done()
	select {
	case <-t.closed:
		return 0, nil, net.ErrClosed
	case <-t.read.Done():
		return 0, nil, os.ErrDeadlineExceeded
	case pkt := <-t.in:
		return copy(b, pkt), addr{}, nil
	}
}

// WriteTo implements net.PacketConn. A failed send is like a lost datagram: DTLS sends again.
func (t *transport) WriteTo(b []byte, _ net.Addr) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shut {
		return 0, net.ErrClosed
	}
	if err := t.send(b); err != nil {
		t.drops.Add(1)
	}
	return len(b), nil
}

// Close implements net.PacketConn. The library calls it when the peer says goodbye as well.
func (t *transport) Close() error {
	t.once.Do(func() {
		t.mu.Lock()
		t.shut = true
		t.mu.Unlock()
		close(t.closed)
	})
	return nil
}

// LocalAddr implements net.PacketConn.
func (*transport) LocalAddr() net.Addr { return addr{} }

// SetDeadline implements net.PacketConn.
func (t *transport) SetDeadline(at time.Time) error { return t.SetReadDeadline(at) }

// SetReadDeadline implements net.PacketConn.
func (t *transport) SetReadDeadline(at time.Time) error {
	t.read.Set(at)
	return nil
}

// SetWriteDeadline implements net.PacketConn; writing does not wait.
func (*transport) SetWriteDeadline(time.Time) error { return nil }

// addr is the only address there is: the engine knows the real one.
type addr struct{}

func (addr) Network() string { return "media" }
func (addr) String() string  { return "peer" }
