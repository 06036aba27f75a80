package media

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/codec"
)

// Config describes an Engine. It is copied by New; later changes to it have no effect.
type Config struct {
	// Addr is the IP address media is received on and that descriptions name. An unspecified address is refused. required
	Addr netip.Addr
	// PortMin and PortMax bound the ports, both included. Legs share ports: a pair serves 512, and more when there is no other. If zero, ports the system picks.
	PortMin, PortMax uint16
	// Policy are the SRTP suites. If zero, the four without short tags, GCM first.
	Policy srtp.Policy
	// Codecs are the audio codecs the engine has; legs name theirs in LegConfig.Codecs. If empty, PCMU, PCMA, G722. Package codec/opus has one more.
	Codecs []codec.Codec
	// Timeout is how long a leg that is not on hold may receive nothing before Leg.TimedOut fires, at least 100 ms. If zero, 30 s.
	Timeout time.Duration
	// Logger gets one line for each leg's end and for what needs an operator's eye; never an address or a key. If zero, nothing is logged.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if len(c.Codecs) == 0 {
		c.Codecs = []codec.Codec{codec.PCMU(), codec.PCMA(), codec.G722()}
	}
	c.Codecs = slices.Clone(c.Codecs)
	c.Addr = c.Addr.Unmap()
	return c
}

func (c Config) validate() error {
	switch {
	case !c.Addr.IsValid() || c.Addr.IsUnspecified() || c.Addr.IsMulticast() || c.Addr.Zone() != "":
		return fmt.Errorf("%w: Addr must be one host's IP address", ErrConfig)
	case (c.PortMin == 0) != (c.PortMax == 0) || c.PortMax < c.PortMin:
		return fmt.Errorf("%w: ports %d to %d", ErrConfig, c.PortMin, c.PortMax)
	case c.Timeout < minTimeout:
		return fmt.Errorf("%w: Timeout is below %v", ErrConfig, minTimeout)
	}
	if err := c.Policy.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return checkCodecs(c.Codecs)
}

// Engine opens legs and paces what they play. It is safe for concurrent use.
type Engine struct {
	cfg   Config
	epoch time.Time
	pace  pacer
	boxes sync.Pool // outboxes of goroutines that have none of their own

	mu     sync.Mutex
	legs   map[*Leg]struct{}
	past   EngineStats // sums of closed legs
	ports  []*port
	closed bool

	readers sync.WaitGroup
	pacing  sync.WaitGroup
}

// New returns an Engine. It starts one goroutine, which Close ends. The error wraps ErrConfig.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, epoch: time.Now(), legs: make(map[*Leg]struct{})}
	e.pace.init()
	e.pacing.Add(1)
	// Close stops the pacer and waits for it.
	go func() {
		defer e.pacing.Done()
		e.pace.run(e.housekeep)
	}()
	return e, nil
}

// NewLeg returns a leg without media; ports open with its first Offer or Answer. The error is ErrClosed or wraps ErrConfig.
// The caller closes the leg.
func (e *Engine) NewLeg(cfg LegConfig) (*Leg, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(e.cfg.Codecs); err != nil {
		return nil, err
	}
	l := newLeg(e, cfg)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	e.legs[l] = struct{}{}
	return l, nil
}

// remove forgets a closed leg and keeps its counters.
func (e *Engine) remove(l *Leg) {
	s := l.Stats()
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.legs[l]; ok {
		delete(e.legs, l)
		e.past.add(s)
	}
}

func (e *Engine) snapshot() []*Leg {
	e.mu.Lock()
	defer e.mu.Unlock()
	legs := make([]*Leg, 0, len(e.legs))
	for l := range e.legs {
		legs = append(legs, l)
	}
	return legs
}

func (e *Engine) housekeep(now time.Time) {
	each(&e.pace, e.snapshot(), func(l *Leg, box *outbox) { l.housekeep(now, box) })
}

// Close ends every leg and waits for all goroutines. It is safe to call again and always returns nil.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	for _, l := range e.snapshot() {
		_ = l.Close()
	}
	e.pace.halt()
	e.pacing.Wait()
	e.readers.Wait()
	return nil
}

// EngineStats sums the legs of an engine, open and closed.
type EngineStats struct {
	Legs         int    // open now
	Sent         uint64 // RTP packets sent
	Received     uint64 // authentic RTP packets
	Lost         uint64 // RTP packets that never came
	Strangers    uint64 // packets that belong to no leg
	AuthFailures uint64 // packets not made with the agreed key, plain RTP among them
	Replays      uint64 // packets seen before
}

func (s *EngineStats) add(l Stats) {
	s.Sent += l.Sent
	s.Received += l.Received
	s.Lost += l.Lost
	s.AuthFailures += l.AuthFailures
	s.Replays += l.Replays
}

// Stats returns the sums so far.
func (e *Engine) Stats() EngineStats {
	e.mu.Lock()
	sum := e.past
	sum.Legs = len(e.legs)
	legs := make([]*Leg, 0, len(e.legs))
	for l := range e.legs {
		legs = append(legs, l)
	}
	ports := e.ports
	e.mu.Unlock()
	for _, p := range ports {
		sum.Strangers += p.strangers()
	}
	for _, l := range legs {
		sum.add(l.Stats())
	}
	return sum
}

// String returns the kind only.
func (*Engine) String() string { return "media.Engine" }

// Format writes the kind only for every verb: fmt would otherwise walk into legs.
func (*Engine) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "media.Engine") }
