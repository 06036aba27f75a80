package provision

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

const maxTracked = 10000 // keys of each table; strangers make them

// counter counts per key within a time that begins with the first event.
type counter struct {
	limit  int
	within time.Duration

	mu   sync.Mutex
	seen map[string]window
}

type window struct {
	n     int
	until time.Time
}

// full reports whether a key has reached its limit.
func (c *counter) full(now time.Time, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.seen[key]
	return w.until.After(now) && w.n >= c.limit
}

// add counts one event and reports whether it was the one that reached the limit.
func (c *counter) add(now time.Time, key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, known := c.seen[key]
	if !known && len(c.seen) >= maxTracked {
		c.makeRoom(now)
	}
	if !w.until.After(now) {
		w = window{until: now.Add(c.within)}
	}
	w.n++
	c.seen[key] = w
	return w.n == c.limit
}

// makeRoom forgets what is over, or a tenth of everything if nothing is: a table that strangers fill must neither grow nor refuse.
func (c *counter) makeRoom(now time.Time) {
	for k, w := range c.seen {
		if !w.until.After(now) {
			delete(c.seen, k)
		}
	}
	for k := range c.seen {
		if len(c.seen) < maxTracked*9/10 {
			break
		}
		delete(c.seen, k)
	}
}

// source is an IPv4 address or the /64 of an IPv6 address: what one stranger has.
func source(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return "?"
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return "?"
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	p, _ := a.Prefix(64) // fails for no IPv6 address
	return p.String()
}
