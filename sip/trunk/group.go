package trunk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// Group is a set of carriers that stand in for each other. All methods are safe for concurrent use.
type Group struct {
	cfg    Config
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	core    *core
	members []member
}

// member is what a Group remembers of a carrier beside what it decides by.
type member struct {
	attempts, answered, failed uint64
	probed                     time.Time
	probe                      string // result of the last probe
	reg                        *sip.Registration
	regAddress                 string // the server that holds it, "ip:port"
}

// New returns a Group and starts to probe its carriers. The caller must Close it.
func New(cfg Config) (*Group, error) {
	cfg = cfg.withDefaults()
	now := time.Now()
	if err := cfg.validate(now); err != nil {
		return nil, err
	}
	if cfg.Resolver == nil {
		r, err := DNS()
		if err != nil {
			return nil, err
		}
		cfg.Resolver = r
	}
	var ls []limits
	for _, k := range cfg.Carriers {
		ls = append(ls, cfg.limits(k))
	}
	g := &Group{cfg: cfg, core: newCore(ls, cfg.Rand, now), members: make([]member, len(cfg.Carriers))}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	for i := range cfg.Carriers {
		g.wg.Add(1)
		go g.watch(i) // stopped and waited for by Close
	}
	return g, nil
}

// Close stops probing, removes registrations and waits for the goroutines of the group. Calls that were placed go on.
func (g *Group) Close() error {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.cancel()
	g.wg.Wait()
	return nil
}

// Status is what is known of one carrier now.
type Status struct {
	Carrier    string
	Usable     bool  // a call would be let through to it
	State      State // of its circuit breaker
	Up         bool  // by OPTIONS; true until proved otherwise
	Registered bool  // false if it needs no registration
	Live       int   // calls at once
	// OpenUntil is when an open breaker lets a trial pass; the zero time if it is closed.
	OpenUntil time.Time
	// LastProbe is when OPTIONS was last sent, and ProbeResult how it went.
	LastProbe   time.Time
	ProbeResult string
	// Attempts are calls that tried it; Answered those that were answered; Failed those that counted against it.
	Attempts, Answered, Failed uint64
}

// Status returns a snapshot, in the order of Config.Carriers.
func (g *Group) Status() []Status {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []Status
	for i, k := range g.cfg.Carriers {
		c, m := &g.core.carriers[i], &g.members[i]
		s := Status{
			Carrier: k.Name, Usable: c.sound(now) && c.room(now), State: c.state(now), Up: !c.down, Registered: m.reg != nil, Live: c.live,
			LastProbe: m.probed, ProbeResult: m.probe, Attempts: m.attempts, Answered: m.answered, Failed: m.failed,
		}
		if c.open {
			s.OpenUntil = c.until
		}
		out = append(out, s)
	}
	return out
}

// Warnings says what is wrong with the group as a whole: first of all fewer than two independent carriers that work (two of one operator are one).
// It is empty when all is well.
func (g *Group) Warnings() []string {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var configured, working, out []string
	for i, k := range g.cfg.Carriers {
		if !slices.Contains(configured, k.Operator) {
			configured = append(configured, k.Operator)
		}
		if g.core.carriers[i].sound(now) && !slices.Contains(working, k.Operator) {
			working = append(working, k.Operator)
		}
	}
	switch {
	case len(configured) < 2:
		out = append(out, "only one independent carrier is configured: when it fails, no call goes out")
	case len(working) < 2:
		out = append(out, fmt.Sprintf("%d of %d independent carriers work: the next failure may end all calls", len(working), len(configured)))
	}
	for i, k := range g.cfg.Carriers {
		if k.Register && g.members[i].reg == nil {
			out = append(out, "carrier "+k.Name+" is not registered: its incoming calls do not reach us")
		}
		if k.ClearMedia.set() {
			out = append(out, "carrier "+k.Name+" may do without SRTP: waiver "+k.ClearMedia.Name+" until "+k.ClearMedia.Until.Format(time.DateOnly))
		}
	}
	return out
}

// Waived is one rule that does not hold for one carrier.
type Waived struct {
	Carrier string
	Rule    string
	Waiver  Waiver
	Valid   bool // false once its date has come: then the rule holds again
}

// Waivers lists every waiver of the group, for the evidence report.
func (g *Group) Waivers() []Waived {
	var out []Waived
	for _, k := range g.cfg.Carriers {
		if k.ClearMedia.set() {
			out = append(out, Waived{Carrier: k.Name, Rule: "media is SRTP", Waiver: k.ClearMedia, Valid: k.ClearMedia.valid(time.Now())})
		}
	}
	return out
}

// host is the domain of a carrier without its port: the name its certificate must be valid for.
func (k Carrier) host() string {
	if strings.HasPrefix(k.Domain, "[") || strings.Count(k.Domain, ":") == 1 {
		if i := strings.LastIndexByte(k.Domain, ':'); i > strings.LastIndexByte(k.Domain, ']') {
			return k.Domain[:i]
		}
	}
	return k.Domain
}
