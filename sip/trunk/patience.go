package trunk

import (
	"sync"
	"sync/atomic"
	"time"
)

// patience gives an attempt up that is not heard of: within silence for the first response, within ring for the first beyond 100, and never after
// that, when somebody may have a phone in hand.
type patience struct {
	rang atomic.Bool

	mu      sync.Mutex
	timer   *time.Timer
	ring    time.Time
	heardOf bool
}

func newPatience(silence, ring time.Duration, deadline time.Time, giveUp func()) *patience {
	now := time.Now()
	p := &patience{ring: earlier(now.Add(ring), deadline)}
	p.timer = time.AfterFunc(earlier(now.Add(silence), deadline).Sub(now), giveUp)
	return p
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// heard takes a provisional response. It reports whether it is the first that says that it rings.
func (p *patience) heard(status int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if status > 100 { // 181 and 182 too: the call has left the carrier
		p.timer.Stop()
		return !p.rang.Swap(true)
	}
	if !p.heardOf && !p.rang.Load() {
		p.heardOf = true
		p.timer.Reset(time.Until(p.ring))
	}
	return false
}

func (p *patience) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
}
