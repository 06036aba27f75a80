package media

import "net/netip"

// Datagram hands the leg a packet as its reader would, for tests that count allocations and time without the scheduler's part.
func (l *Leg) Datagram(in, out []byte, src netip.AddrPort) { l.datagram(in, out, src, false) }

// DatagramBuffer is the size of the reader's work buffer.
const DatagramBuffer = maxDatagram + headroom
