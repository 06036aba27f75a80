package sip

import (
	"bytes"
	"net"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// packetGuard screens datagrams before the library sees them, because it remembers every source address it sees. What it cannot pass on it
// answers without keeping anything, or drops. It is used under a waiver only.
type packetGuard struct {
	net.PacketConn
	ep      *Endpoint
	max     int
	buf     []byte
	sources map[string]struct{} // that the library has seen; touched by the one reader only
	turn    bool                // the library must forget them first
	next    []byte              // passed the screen, waits for the library to come back
	from    net.Addr
}

func newPacketGuard(pc net.PacketConn, ep *Endpoint) *packetGuard {
	return &packetGuard{PacketConn: pc, ep: ep, max: maxPacketSources, buf: make([]byte, sieve.MaxMessage), sources: make(map[string]struct{})}
}

// ReadFrom returns the next message that passes. When the library has seen as many sources as it may, it is told that the socket is closed,
// upon which it forgets them, and serve begins again: dialogs are ours and go on.
func (g *packetGuard) ReadFrom(b []byte) (int, net.Addr, error) {
	if g.next != nil {
		n, from := copy(b, g.next), g.from
		g.next, g.from = nil, nil
		return n, from, nil
	}
	for {
		n, from, err := g.PacketConn.ReadFrom(g.buf)
		if err != nil {
			return 0, from, err
		}
		out := g.screen(g.buf[:n], from)
		if out == nil || len(out) > len(b) {
			continue
		}
		key := from.String()
		if _, known := g.sources[key]; !known {
			full := len(g.sources) >= g.max
			if full {
				clear(g.sources)
			}
			g.sources[key] = struct{}{}
			if full {
				g.turn, g.next, g.from = true, out, from
				return 0, nil, net.ErrClosed
			}
		}
		return copy(b, out), from, nil
	}
}

// serve runs the library on the socket until that is closed.
func (g *packetGuard) serve() error {
	for {
		err := g.ep.tp.ServeUDP(g)
		if !g.turn {
			return err
		}
		g.turn = false
	}
}

// screen returns what the library may see of a datagram, in canonical form, or nil.
func (g *packetGuard) screen(data []byte, from net.Addr) []byte {
	data = bytes.TrimLeft(data, "\r\n\x00")
	if len(data) == 0 {
		return nil // a keep-alive
	}
	src := packetSource(from)
	m, f := readWhole(data, false)
	if m == nil {
		g.ep.stats.malformed.Add(1)
		return nil
	}
	pass, answer, _ := g.ep.screen(m, f, src)
	if answer != nil {
		// To where it came from, never to what it says in Via: else anybody could aim us at anybody. A lost answer is asked for again.
		_, _ = g.PacketConn.WriteTo(answer, from)
	}
	if !pass {
		return nil
	}
	return m.Append(nil, true)
}
