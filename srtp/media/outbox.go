package media

import (
	"net/netip"
	"sync/atomic"
)

// batchSize is how many packets go to the system at once.
const batchSize = 64

// slotSize is the room for one packet of our own making: 60 ms of any codec here, an event or a report, with headroom.
const slotSize = 1024

// outbox gathers protected packets and hands them to the system many at a time. One goroutine owns it; packets put in leave no later than
// its next flush. It keeps no packet past that.
type outbox struct {
	n     int
	items [batchSize]outItem
	sys   outgoing
	order [batchSize]uint8 // which items are in sys
	slots []byte
	used  int
	fails func(int) // made once: a closure for each flush would be an allocation
}

type outItem struct {
	via    *socket
	to     netip.AddrPort
	pkt    []byte
	failed *atomic.Uint64
}

// newOutbox returns an outbox. It has slots for packets made here only if slots is true.
func newOutbox(slots bool) *outbox {
	b := &outbox{}
	if slots {
		b.slots = make([]byte, batchSize*slotSize)
	}
	b.fails = func(i int) { b.items[b.order[i]].failed.Add(1) }
	return b
}

// slot returns room for a packet that stays its own until the next flush.
func (b *outbox) slot() []byte {
	if b.used == batchSize {
		b.flush()
	}
	b.used++
	return b.slots[(b.used-1)*slotSize : b.used*slotSize : b.used*slotSize]
}

// add queues a protected packet; its memory stays untouched until flush.
func (b *outbox) add(via *socket, to netip.AddrPort, pkt []byte, failed *atomic.Uint64) {
	if b.n == batchSize {
		b.send()
	}
	b.items[b.n] = outItem{via: via, to: to, pkt: pkt, failed: failed}
	b.n++
}

// flush sends what is queued and takes the slots back.
func (b *outbox) flush() {
	b.send()
	b.used = 0
}

// send sends what is queued, one call for each socket: order matters within a socket only.
func (b *outbox) send() {
	for first := 0; first < b.n; first++ {
		via := b.items[first].via
		if via == nil {
			continue // went with an earlier one
		}
		n := 0
		for i := first; i < b.n; i++ {
			if it := &b.items[i]; it.via == via {
				b.sys.put(n, it.pkt, it.to)
				b.order[n] = uint8(i)
				it.via = nil
				n++
			}
		}
		via.udp.send(&b.sys, n, b.fails)
	}
	b.n = 0
}
