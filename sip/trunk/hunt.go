package trunk

import "time"

// hunt is the search of one call for a carrier: which carrier and which of its servers is next, and when it is over. It has no clock and no
// socket; the law that nobody is called twice lives here.
type hunt struct {
	order     []int // carriers, best first
	at        int   // index into order of the carrier in hand, -1 before the first
	servers   int   // of the carrier in hand
	server    int   // next of them
	deadline  time.Time
	emergency bool
	over      bool
}

func newHunt(order []int, deadline time.Time, emergency bool) *hunt {
	return &hunt{order: order, at: -1, deadline: deadline, emergency: emergency}
}

// carrier moves to the next carrier.
func (h *hunt) carrier(now time.Time) (int, bool) {
	if h.over || h.at+1 >= len(h.order) || !now.Before(h.deadline) {
		h.over = true
		return 0, false
	}
	h.at++
	h.servers, h.server = 0, 0
	return h.order[h.at], true
}

// found says how many servers the carrier in hand has.
func (h *hunt) found(n int) { h.servers = n }

// target moves to the next server of the carrier in hand.
func (h *hunt) target(now time.Time) (int, bool) {
	if h.over || h.server >= h.servers || !now.Before(h.deadline) {
		return 0, false
	}
	h.server++
	return h.server - 1, true
}

// ended takes the outcome of the attempt that target began.
func (h *hunt) ended(o outcome) {
	v := judge(o, h.emergency)
	if !v.nextTarget {
		h.server = h.servers
	}
	if !v.nextCarrier {
		h.over = true
	}
}
