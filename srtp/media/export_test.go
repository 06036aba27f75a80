package media

import (
	"net/netip"
	"time"
)

// Datagram hands the leg's port a packet as its reader would, for tests that count allocations and time without the scheduler's part.
func (l *Leg) Datagram(in, out []byte, src netip.AddrPort) {
	s := l.port.Load().rtp
	s.mu.Lock()
	defer s.mu.Unlock()
	s.datagram(in, out, src, time.Now())
	s.box.flush()
}

// DatagramBuffer is the size of the reader's work buffer.
const DatagramBuffer = maxDatagram + headroom
