package guard

import (
	"net/netip"
	"sync"
	"time"
)

// Points that an event is worth. A ban comes at BanConfig.After times Offence.
const (
	Offence = 5 // malformed message, unknown domain, failed authentication
	Asked   = 1 // a challenge sent, whose answer may never come: phones ask, scanners ask for each extension they guess
	Paid    = 2 * Offence
)

// BanConfig are the thresholds of Bans.
type BanConfig struct {
	After  int           // offences within Window
	Window time.Duration // offences leak away at a rate of After per Window
	First  time.Duration // the first ban; each further one of the same source is twice as long
	Max    time.Duration // up to this; a source without a ban for so long starts anew
	Size   int           // sources remembered
}

// Bans shut out sources that behave like scanners. Only sources whose address is proved may be counted, by a handshake or by a nonce
// they returned: otherwise anybody could have anybody banned.
type Bans struct {
	cfg     BanConfig
	mu      sync.Mutex
	scores  table[netip.Addr, score]
	records table[netip.Addr, record] // apart from the scores, so that many small offenders do not push out a ban
}

type score struct {
	points float64
	at     time.Time
}

type record struct {
	times int
	until time.Time
}

// NewBans returns Bans without any.
func NewBans(cfg BanConfig) *Bans {
	return &Bans{cfg: cfg, scores: newTable[netip.Addr, score](cfg.Size), records: newTable[netip.Addr, record](cfg.Size)}
}

// Banned reports whether src is shut out.
func (b *Bans) Banned(src netip.Addr, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.records.peek(src)
	return r != nil && now.Before(r.until)
}

// Count adds points to src. It returns how long src is banned if that was one too many, else 0.
func (b *Bans) Count(src netip.Addr, points int, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.records.peek(src); r != nil && now.Before(r.until) {
		return 0
	}
	s, fresh := b.scores.get(src)
	limit := float64(b.cfg.After * Offence)
	if !fresh {
		if d := now.Sub(s.at); d > 0 {
			s.points = max(0, s.points-d.Seconds()*limit/b.cfg.Window.Seconds())
		}
	}
	s.points += float64(points)
	s.at = now
	if s.points < limit {
		return 0
	}
	b.scores.drop(src)
	r, _ := b.records.get(src)
	if now.Sub(r.until) > b.cfg.Max {
		r.times = 0
	}
	d := b.cfg.Max
	if r.times < 20 {
		d = min(b.cfg.First<<r.times, b.cfg.Max)
	}
	r.times++
	r.until = now.Add(d)
	return d
}

// Pay takes points off src, whose user proved a password.
func (b *Bans) Pay(src netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := b.scores.peek(src); s != nil {
		if s.points -= Paid; s.points <= 0 {
			b.scores.drop(src)
		}
	}
}

// Sources is how many sources have a score or a record.
func (b *Bans) Sources() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.scores.items) + len(b.records.items)
}
