package media

import (
	"sync"
	"sync/atomic"
	"time"
)

// tapState holds a leg's tap. mu is held while the tap runs, so that SetTap and WithholdTaps take effect between two frames.
type tapState struct {
	set      atomic.Bool // spares the lock on legs without a tap
	mu       sync.Mutex
	tap      Tap
	withheld bool
	start    time.Time // when the tap was set
	anchored bool
	ssrc     uint32
	clock    uint32        // rate of ts in Hz
	ts       uint32        // timestamp at the anchor
	at       time.Duration // media time at the anchor
}

// SetTap makes t receive the leg's audio from now on, in place of the tap before; nil removes it. When SetTap returns, the tap before is not running
// and will not run again.
func (l *Leg) SetTap(t Tap) {
	s := &l.tap
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tap, s.start, s.anchored = t, time.Now(), false
	s.set.Store(t != nil)
}

// WithholdTaps keeps audio from the tap while on is true, such as a caller who did not agree to be recorded. Digits never reach a tap. Where others must not hear
// either, use Secret. When it returns with on true, no frame is being delivered and none will be; media time goes on, so the recording has a gap of the right length.
func (l *Leg) WithholdTaps(on bool) {
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	l.tap.withheld = on
}

// write delivers one audio packet.
func (s *tapState) write(p *packet, secret *atomic.Bool) {
	if !s.set.Load() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tap == nil {
		return
	}
	elapsed := p.at.Sub(s.start)
	if s.anchored && s.clock != p.clock {
		s.anchored = false // the peer changed to a codec with another clock
	}
	at := s.at
	if s.anchored {
		at += time.Duration(int32(p.ts-s.ts)) * time.Second / time.Duration(s.clock)
	}
	if off := at - elapsed; !s.anchored || p.ssrc != s.ssrc || off > driftLimit || off < -driftLimit {
		s.anchored, s.ssrc, s.clock, s.ts, s.at = true, p.ssrc, p.clock, p.ts, max(0, elapsed)
		at = s.at
	}
	// Anchors move on, so that the difference of timestamps never gets near its wrap after 12 hours.
	if int32(p.ts-s.ts) > int32(s.clock)*60 {
		s.ts, s.at = p.ts, at
	}
	if s.withheld || secret.Load() || at < 0 {
		return
	}
	s.tap.WriteFrame(at, p.codec.Name, p.payload)
}
