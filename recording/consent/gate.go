package consent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/recording"
)

var (
	// ErrConfig is returned by NewGate for a Config with a required value missing.
	ErrConfig = errors.New("recording/consent: invalid configuration")
	// ErrClosed is returned by calls on a Gate that was closed, or whose recording was purged.
	ErrClosed = errors.New("recording/consent: closed")
	// ErrUnknown is returned for a person that is not in the call.
	ErrUnknown = errors.New("recording/consent: no such person")
)

// Config describes a Gate.
type Config struct {
	// Rules is what holds where. If nil, every call needs everyone's consent; see Defaults.
	Rules Table
	// Create makes the recording when it is allowed. It is called once, or again after it failed. Required.
	Create func(ctx context.Context) (*recording.Track, error)
	// Parties is how many parties the recording has. Required, from 1 to recording.MaxParties.
	Parties int
	// Decided is told of each decision that differs from the one before, such as for an audit log. It must not call the Gate. If nil, nobody is.
	Decided func(Decision)
	// Now is the clock. If nil, time.Now.
	Now func() time.Time
}

// Gate stands between the taps of one call and its recording. Safe for concurrent use.
type Gate struct {
	cfg  Config
	taps []*Tap

	mu       sync.Mutex
	people   []Person // by number; those who left have no Name and are not counted
	present  []bool
	decision Decision
	track    *recording.Track // nil before it is allowed, and when it was purged
	began    time.Time        // when track was made
	storing  bool
	over     bool

	withdrawn bool // over because somebody wanted so
}

// NewGate returns a Gate for a call that nobody is in yet, so that nothing is recorded. ErrConfig if a required value is missing.
func NewGate(cfg Config) (*Gate, error) {
	if cfg.Create == nil || cfg.Parties < 1 || cfg.Parties > recording.MaxParties {
		return nil, fmt.Errorf("%w: Create and Parties are required", ErrConfig)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	g := &Gate{cfg: cfg, decision: cfg.Rules.Decide(nil)}
	for i := range cfg.Parties {
		g.taps = append(g.taps, &Tap{g: g, party: i})
	}
	return g, nil
}

// Join adds a person and returns their number. If they have not said what the rules ask for, storing stops before Join returns. The error is Create's, if the
// recording is allowed and cannot be made: the person has joined, and nothing is stored.
func (g *Gate) Join(ctx context.Context, p Person) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over {
		return 0, ErrClosed
	}
	g.people, g.present = append(g.people, p), append(g.present, true)
	return len(g.people) - 1, g.decideLocked(ctx)
}

// Leave takes a person out of the call. What they said while they were in it stays as it was: who refused has refused.
func (g *Gate) Leave(ctx context.Context, person int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.knownLocked(person); err != nil {
		return err
	}
	g.present[person] = false
	return g.decideLocked(ctx)
}

// Say notes what a person said. Storing begins or stops before it returns. Refused is final for this call, and after something was recorded it is a
// withdrawal: see Withdraw. The error is Create's or Discard's, ErrUnknown or ErrClosed.
func (g *Gate) Say(ctx context.Context, person int, s Said) error {
	if s == Refused {
		return g.Withdraw(ctx, person)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.knownLocked(person); err != nil {
		return err
	}
	if g.people[person].Said == Refused {
		return nil
	}
	g.people[person].Said = s
	return g.decideLocked(ctx)
}

// Withdraw ends the recording for good because a person wants so: no frame is stored once it returns, and what was taken is purged with its key, or the error
// says that it was not; withdrawing again tries again.
func (g *Gate) Withdraw(ctx context.Context, person int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if person < 0 || person >= len(g.people) {
		return ErrUnknown
	}
	g.people[person].Said = Refused
	if !g.over {
		g.stopLocked()
		g.tellLocked(g.cfg.Rules.Decide(g.listLocked()))
		g.over, g.withdrawn = true, true
	}
	if g.track == nil {
		return nil
	}
	return g.purgeLocked(ctx)
}

func (g *Gate) purgeLocked(ctx context.Context) error {
	if err := g.track.Discard(ctx, "consent withdrawn"); err != nil {
		return err
	}
	g.track = nil
	return nil
}

// Close ends the recording at the end of the call: the error is that of recording.Track.Close. A call that was never allowed has nothing to close. After a
// withdrawal that could not purge what was taken, it tries that again; after one that could, it returns ErrClosed, as it does the second time.
func (g *Gate) Close(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.over && g.withdrawn && g.track != nil {
		return g.purgeLocked(ctx)
	}
	if g.over {
		return ErrClosed
	}
	g.over = true
	g.stopLocked()
	if g.track == nil {
		return nil
	}
	return g.track.Close(ctx)
}

// Track returns the recording, for pauses and marks; nil while there is none, and after it was purged.
func (g *Gate) Track() *recording.Track {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.track
}

// Decision returns whether frames are stored now, and why.
func (g *Gate) Decision() Decision {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.decision
}

func (g *Gate) knownLocked(person int) error {
	switch {
	case g.over:
		return ErrClosed
	case person < 0 || person >= len(g.people):
		return ErrUnknown
	}
	return nil
}

// listLocked is who counts: those who are there, and whoever refused while they were.
func (g *Gate) listLocked() (list []Person) {
	for i, p := range g.people {
		if g.present[i] || p.Said == Refused {
			list = append(list, p)
		}
	}
	return list
}

func (g *Gate) tellLocked(d Decision) {
	if d != g.decision && g.cfg.Decided != nil {
		g.cfg.Decided(d)
	}
	g.decision = d
}

// decideLocked decides anew and opens or shuts the taps.
func (g *Gate) decideLocked(ctx context.Context) error {
	d := g.cfg.Rules.Decide(g.listLocked())
	if !d.Allowed {
		g.stopLocked()
	}
	g.tellLocked(d)
	if !d.Allowed || g.storing {
		return nil
	}
	if g.track == nil {
		track, err := g.cfg.Create(ctx)
		if err != nil {
			return err
		}
		g.track, g.began = track, g.cfg.Now()
	}
	if err := g.track.Mark(recording.MarkConsent, d.Reason); err != nil {
		return err
	}
	g.storing = true
	for _, t := range g.taps {
		t.open()
	}
	return nil
}

// stopLocked shuts the taps. When it returns no frame passes any more.
func (g *Gate) stopLocked() {
	g.storing = false
	for _, t := range g.taps {
		t.shut()
	}
}

// Tap is where the frames of one party go. It may be attached before anything is decided; what comes before is dropped and counted.
type Tap struct {
	g     *Gate
	party int

	mu       sync.Mutex // held while a frame passes, so that shut waits for it
	attached time.Time  // when its times count from
	to       *recording.Party
	from     time.Duration // on its own clock: frames that began before are from before the decision
	dropped  atomic.Uint64
}

// Tap returns the tap of a party (from 0) for a media stream that is attached now. Attaching again, as after a transfer, counts times from then. It panics if
// there is no such party.
func (g *Gate) Tap(party int) *Tap {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.taps[party]
	t.mu.Lock()
	t.attached = g.cfg.Now()
	t.mu.Unlock()
	if g.storing {
		t.open()
	}
	return t
}

// open lets frames pass that begin from now on. The gate's lock is held.
func (t *Tap) open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.g.cfg.Now()
	if t.attached.IsZero() {
		t.attached = now
	}
	t.from = now.Sub(t.attached)
	// The party's zero is now, on the recording's clock; WriteFrame counts from there.
	t.to = t.g.track.PartyAt(t.party, now.Sub(t.g.began))
}

func (t *Tap) shut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.to = nil
}

// WriteFrame is recording.Party.WriteFrame for frames that may be stored, and nothing for all others. at counts from when the tap was attached.
func (t *Tap) WriteFrame(at time.Duration, codec string, payload []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to == nil || at < t.from {
		t.dropped.Add(1) // a frame that began before the decision may hold what was said before it
		return
	}
	t.to.WriteFrame(at-t.from, codec, payload)
}

// Dropped returns how many frames were not stored because that was not allowed.
func (t *Tap) Dropped() uint64 { return t.dropped.Load() }
