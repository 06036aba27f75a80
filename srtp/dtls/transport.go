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
	parked bool                   // the library is being sent home
	home   chan struct{}          // closed with parked
	last   []byte                 // the last datagram that begins with a change of keys
	idle   sync.WaitGroup         // reads under way
	keep   atomic.Pointer[keeper] // once the handshake is over
	drops  atomic.Uint64
}

func newTransport(send func([]byte) error) *transport {
	return &transport{send: send, in: make(chan []byte, maxQueued), closed: make(chan struct{}), home: make(chan struct{}), read: deadline.New()}
}

// deliver queues a copy of a datagram. A full queue drops it: DTLS sends again, and a stranger who knows the peer's address gets no more
// memory than the queue.
func (t *transport) deliver(pkt []byte) {
	if k := t.keep.Load(); k != nil {
		t.after(k, pkt)
		return
	}
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

// after handles a datagram that came after the handshake.
func (t *transport) after(k *keeper, pkt []byte) {
	if len(pkt) > maxDatagram || !IsDTLS(pkt) {
		t.drops.Add(1)
		return
	}
	switch k.judge(pkt) {
	case ended:
		t.end()
	case resend:
		t.emit(k.last)
	case nothing:
		t.drops.Add(1)
	}
}

// emit sends unless the transport is shut or is sending: whoever is inside Send may be calling us.
func (t *transport) emit(pkt []byte) {
	if !t.mu.TryLock() {
		return
	}
	defer t.mu.Unlock()
	if !t.shut && t.send(pkt) != nil {
		t.drops.Add(1)
	}
}

// park sends the library home: its reads end and what it still writes goes nowhere. It returns the last datagram that began with a change of keys.
func (t *transport) park() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parked = true
	close(t.home)
	return t.last
}

// take over with k, and look at what came in between.
func (t *transport) takeOver(k *keeper) {
	t.keep.Store(k)
	for {
		select {
		case pkt := <-t.in:
			t.after(k, pkt)
		default:
			return
		}
	}
}

// admit looks at the records of a datagram. Application data has no place in DTLS-SRTP.
func (*transport) admit(pkt []byte) bool {
	if len(pkt) > maxDatagram || !IsDTLS(pkt) {
		return false
	}
	for len(pkt) > 0 {
		if len(pkt) < recordHeader {
			return false
		}
		size := recordHeader + int(binary.BigEndian.Uint16(pkt[11:]))
		if size > len(pkt) || pkt[0] < recordChange || pkt[0] > recordHandshake {
			return false
		}
		pkt = pkt[size:]
	}
	return true
}

// ReadFrom implements net.PacketConn.
func (t *transport) ReadFrom(b []byte) (int, net.Addr, error) {
	t.mu.Lock()
	if t.shut || t.parked {
		t.mu.Unlock()
		return 0, nil, net.ErrClosed
	}
	t.idle.Add(1)
	t.mu.Unlock()
	defer t.idle.Done()
	select {
	case <-t.closed:
		return 0, nil, net.ErrClosed
	case <-t.home:
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
	switch {
	case t.shut:
		return 0, net.ErrClosed
	case t.parked:
		return len(b), nil
	case len(b) > 0 && b[0] == recordChange:
		t.last = append(t.last[:0], b...)
	}
	if err := t.send(b); err != nil {
		t.drops.Add(1)
	}
	return len(b), nil
}

// Close implements net.PacketConn. The library calls it when the peer says goodbye or a handshake fails, and when it is sent home.
func (t *transport) Close() error {
	t.mu.Lock()
	parked := t.parked
	t.mu.Unlock()
	if !parked {
		t.end()
	}
	return nil
}

// end closes Done. It takes no lock: it may be called out of a Send.
func (t *transport) end() { t.once.Do(func() { close(t.closed) }) }

// shutdown ends everything, after a last word if there is one. When it returns, nothing is sent any more.
func (t *transport) shutdown(k *keeper) {
	t.mu.Lock()
	if k != nil && !t.shut && !t.done() {
		if last := k.goodbye(); last != nil {
			_ = t.send(last)
		}
	}
	t.shut = true
	t.mu.Unlock()
	t.end()
	t.idle.Wait()
}

func (t *transport) done() bool {
	select {
	case <-t.closed:
		return true
	default:
		return false
	}
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
