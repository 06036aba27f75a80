package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// ErrSettled is returned for counts of a period that was read out: a second reading beside the first would tell what had come late.
var ErrSettled = errors.New("report: the period was read out and changes no more")

// Period is the resolution of an Archive. The zero Period is the coarsest.
type Period uint8

// The periods, by the clocks of ArchiveConfig.Zone. A week begins on Monday.
const (
	Month Period = iota
	Week
	Day
	Hour
	numPeriods
)

// bounds returns the period that t is in.
func (p Period) bounds(t time.Time, zone *time.Location) (from, to time.Time) {
	t = t.In(zone)
	y, m, d := t.Date()
	switch p {
	case Hour:
		return Bucket(t, time.Hour, zone)
	case Day:
		return midnight(y, m, d, zone), midnight(y, m, d+1, zone)
	case Week:
		monday := d - (int(t.Weekday())+6)%7
		return midnight(y, m, monday, zone), midnight(y, m, monday+7, zone)
	}
	return midnight(y, m, 1, zone), midnight(y, m+1, 1, zone)
}

// midnight is when a day begins, which is not at midnight where clocks are set forward then.
func midnight(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if t.Hour() > 12 { // the day before: time.Date may choose either side of the gap
		_, t = t.ZoneBounds()
	}
	return t
}

// ArchiveConfig says how coarse an Archive is. The zero ArchiveConfig is the safest.
type ArchiveConfig struct {
	// Period is the resolution. If zero, Month. What is finer is not kept, and cannot be read out later.
	Period Period
	// Zone is by whose clocks periods begin. If nil, UTC. It must be the one of the Tally.
	Zone *time.Location
	// MinGroup is how many different contacts there must be behind what is read out. If zero, 10; at least 2.
	MinGroup int
	// MinAgents is how many different agents there must be behind answers and conversations that are read out. If zero, 3; at least 1, which
	// protects no agent.
	MinAgents int
}

// Archive keeps counters of periods, for as long as anybody likes. It is safe for concurrent use.
type Archive struct {
	cfg ArchiveConfig

	mu       sync.Mutex
	through  time.Time
	read     time.Time
	counters map[archiveKey]Counters
}

type archiveKey struct {
	from  int64
	queue string
}

// NewArchive checks cfg and returns an empty Archive. An error wraps acd.ErrConfig.
func NewArchive(cfg ArchiveConfig) (*Archive, error) {
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	cfg.MinGroup, cfg.MinAgents = cmp.Or(cfg.MinGroup, 10), cmp.Or(cfg.MinAgents, 3)
	if cfg.Period >= numPeriods || cfg.MinGroup < 2 || cfg.MinAgents < 1 {
		return nil, fmt.Errorf("%w: an archive of period %d, %d contacts, %d agents", acd.ErrConfig, cfg.Period, cfg.MinGroup, cfg.MinAgents)
	}
	return &Archive{cfg: cfg, counters: map[archiveKey]Counters{}}, nil
}

// Add counts an interval that is over, as Config.OnInterval gives it. Intervals come in order; one that was counted before, as when a log is
// read again at a start, is passed over. An error says that the interval reaches over the end of a period, or wraps ErrSettled.
func (a *Archive) Add(iv Interval) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if iv.From.Before(a.through) {
		return nil
	}
	from, to := a.cfg.Period.bounds(iv.From, a.cfg.Zone)
	if iv.To.After(to) {
		return fmt.Errorf("%w: an interval from %v to %v in a period that ends at %v", acd.ErrInvalid, iv.From, iv.To, to)
	}
	if !to.After(a.read) {
		return fmt.Errorf("%w: until %v", ErrSettled, to)
	}
	for queue, w := range iv.Queues {
		a.addLocked(countersOf(from, to, queue, &w))
	}
	a.through = iv.To
	return nil
}

func (a *Archive) addLocked(c Counters) {
	key := archiveKey{c.From.UnixNano(), c.Queue}
	if old, ok := a.counters[key]; ok {
		c = old.plus(&c)
	}
	if c != (Counters{From: c.From, To: c.To, Queue: c.Queue}) {
		a.counters[key] = c
	}
}

// Merge adds counters of another Archive of the same periods, such as another node's. An error says that a period is not one of this
// Archive's, or wraps ErrSettled; then nothing was added.
func (a *Archive) Merge(counters []Counters) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range counters {
		if from, to := a.cfg.Period.bounds(c.From, a.cfg.Zone); !from.Equal(c.From) || !to.Equal(c.To) {
			return fmt.Errorf("%w: counters from %v to %v are not of one period", acd.ErrInvalid, c.From, c.To)
		}
		if !c.To.After(a.read) {
			return fmt.Errorf("%w: until %v", ErrSettled, c.To)
		}
	}
	a.mergeLocked(counters)
	return nil
}

func (a *Archive) mergeLocked(counters []Counters) {
	for _, c := range counters {
		c.From, c.To = c.From.In(a.cfg.Zone), c.To.In(a.cfg.Zone)
		a.addLocked(c)
	}
}

// State returns all that is kept, for a store or for Merge. It is not suppressed.
func (a *Archive) State() ArchiveState {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stateLocked()
}

func (a *Archive) stateLocked() ArchiveState {
	return ArchiveState{a.through, a.read, slices.SortedFunc(maps.Values(a.counters), func(x, y Counters) int {
		return cmp.Or(x.From.Compare(y.From), cmp.Compare(x.Queue, y.Queue))
	})}
}

// Save keeps the state in a store.
func (a *Archive) Save(ctx context.Context, s CounterStore) error {
	return s.SaveCounters(ctx, a.State())
}

// Load takes up the state that a store keeps, instead of what the Archive has.
func (a *Archive) Load(ctx context.Context, s CounterStore) error {
	st, err := s.LoadCounters(ctx)
	if err != nil {
		return fmt.Errorf("report: reading the counters: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.through, a.read = st.Through, st.Read
	clear(a.counters)
	a.mergeLocked(st.Counters)
	return nil
}
