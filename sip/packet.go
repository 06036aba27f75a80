package sip

import (
	"net"
	"sync/atomic"
)

// packetGuard drops datagrams that cannot be SIP before the library sees them, because it remembers every source address for ever. It is used
// under a waiver only.
type packetGuard struct {
	net.PacketConn
	dropped *atomic.Uint64
	sources map[string]struct{} // touched by the one reader only
}

const maxPacketSources = 4096

func newPacketGuard(pc net.PacketConn, dropped *atomic.Uint64) *packetGuard {
	return &packetGuard{PacketConn: pc, dropped: dropped, sources: make(map[string]struct{})}
}

func (g *packetGuard) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if !looksLikeSIP(b[:n]) {
			g.dropped.Add(1)
			continue
		}
		if _, known := g.sources[from.String()]; !known {
			if len(g.sources) >= maxPacketSources { // spoofed sources must not grow memory without end
				g.dropped.Add(1)
				continue
			}
			g.sources[from.String()] = struct{}{}
		}
		return n, from, nil
	}
}

// looksLikeSIP checks the start line: "METHOD " in upper case, or "SIP/2.0 ".
func looksLikeSIP(b []byte) bool {
	for i, c := range b {
		switch {
		case c == ' ':
			return i >= 3
		case i > 16:
			return false
		case c >= 'A' && c <= 'Z', c == '/', c == '.', c >= '0' && c <= '9':
		default:
			return false
		}
	}
	return false
}
