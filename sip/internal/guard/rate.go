package guard

import (
	"net/netip"
	"sync"
	"time"
)

// Verdict is what Rates says about a request.
type Verdict int

// Verdicts. The zero value is invalid, so that a forgotten check does not admit.
const (
	Admitted Verdict = iota + 1
	SourceFull
	AllFull
)

// Rates are token buckets for requests without proof: one per source and one for all. A source that is pushed out of the table begins anew
// with a full bucket; the bucket for all bounds what that is worth to a flood of forged sources.
type Rates struct {
	rate, burst float64
	mu          sync.Mutex
	all         bucket
	allRate     float64
	allBurst    float64
	sources     table[netip.Addr, bucket]
}

type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) fill(rate, burst float64, now time.Time) {
	if d := now.Sub(b.at).Seconds(); d > 0 {
		b.tokens = min(burst, b.tokens+d*rate)
		b.at = now
	}
}

// NewRates admits rate requests a second of one source and burst at once, and allRate and allBurst of all sources, and remembers size sources.
func NewRates(rate, burst, allRate, allBurst float64, size int) *Rates {
	return &Rates{rate: rate, burst: burst, allRate: allRate, allBurst: allBurst, all: bucket{tokens: allBurst}, sources: newTable[netip.Addr, bucket](size)}
}

// Admit takes a token for one request of src. exempt sources take of the bucket for all only.
func (r *Rates) Admit(src netip.Addr, exempt bool, now time.Time) Verdict {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.fill(r.allRate, r.allBurst, now)
	var b *bucket
	if !exempt {
		var fresh bool
		if b, fresh = r.sources.get(src); fresh {
			*b = bucket{tokens: r.burst, at: now}
		}
		b.fill(r.rate, r.burst, now)
		if b.tokens < 1 { // before the bucket for all: who is over its own limit takes nothing from others
			return SourceFull
		}
	}
	if r.all.tokens < 1 {
		return AllFull
	}
	r.all.tokens--
	if b != nil {
		b.tokens--
	}
	return Admitted
}

// Refund gives n tokens back to src, whose requests turned out to be those of a user: a whole office behind one address may come back at
// once after a power cut.
func (r *Rates) Refund(src netip.Addr, n float64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.tokens = min(r.allBurst, r.all.tokens+n)
	if b := r.sources.peek(src); b != nil {
		b.tokens = min(r.burst, b.tokens+n)
	}
}

// Sources is how many sources are remembered.
func (r *Rates) Sources() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sources.items)
}
