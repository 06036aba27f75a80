package sim

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Goal is what a queue should reach. At least one of Level, ASA, Abandoned and Occupancy is required.
type Goal struct {
	// Level is the share of all works that are answered within Within, above 0 and below 1. If 0, no such goal.
	Level float64
	// Within is the time that Level speaks of. If 0, without any wait.
	Within time.Duration
	// ASA is the longest average speed of answer. If 0, no such goal.
	ASA time.Duration
	// Abandoned is the largest share of works that hang up, below 1. If 0, no such goal. Needs Traffic.Patience.
	Abandoned float64
	// Occupancy is the largest share of time that agents are busy, at most 1. If 0, no such goal.
	Occupancy float64
	// Shrinkage is the share of paid time that people are not at their place (training, illness, breaks), below 1. If 0, none.
	Shrinkage float64
}

// Bound names what decided how many agents are needed.
type Bound string

// The bounds, in the order in which they are named if several hold.
const (
	BoundNothing   Bound = "nothing"   // nothing comes
	BoundLevel     Bound = "level"     // Goal.Level
	BoundASA       Bound = "asa"       // Goal.ASA
	BoundAbandoned Bound = "abandoned" // Goal.Abandoned
	BoundOccupancy Bound = "occupancy" // Goal.Occupancy
	BoundLoad      Bound = "load"      // with one agent fewer the queue grows without bound
)

// Need is an answer of Staff.
type Need struct {
	Agents    int    // at their places
	Scheduled int    // paid, so that Agents are at their places
	Bound     Bound  // the first goal that one agent fewer would miss
	Steady    Steady // what Agents reach
}

func (g Goal) check(t Traffic) error {
	share := func(x float64) bool { return x >= 0 && x < 1 }
	switch {
	case !share(g.Level) || !share(g.Abandoned) || !share(g.Shrinkage):
		return fmt.Errorf("%w: a level of %v, %v abandoned, a shrinkage of %v; all are at least 0 and below 1", ErrInvalid, g.Level, g.Abandoned, g.Shrinkage)
	case !(g.Occupancy >= 0 && g.Occupancy <= 1):
		return fmt.Errorf("%w: an occupancy of %v; it is from 0 to 1", ErrInvalid, g.Occupancy)
	case g.Within < 0 || g.ASA < 0:
		return fmt.Errorf("%w: a goal of less than no time", ErrInvalid)
	case g.Abandoned > 0 && t.Patience == 0:
		return fmt.Errorf("%w: a goal for hang-ups where nobody hangs up", ErrInvalid)
	case g.Level == 0 && g.ASA == 0 && g.Abandoned == 0 && g.Occupancy == 0:
		return fmt.Errorf("%w: no goal", ErrInvalid)
	}
	return nil
}

// missed returns the first goal that a steady state misses; empty if none.
func (g Goal) missed(s Steady) Bound {
	switch {
	case g.Level > 0 && !(s.Within(g.Within) >= g.Level):
		return BoundLevel
	case g.ASA > 0 && !(s.ASA <= g.ASA.Seconds()):
		return BoundASA
	case g.Abandoned > 0 && !(s.Abandoned <= g.Abandoned):
		return BoundAbandoned
	case g.Occupancy > 0 && (s.Agents == 0 || s.Occupancy > g.Occupancy):
		return BoundOccupancy
	case math.IsInf(s.Queue, 1):
		return BoundLoad
	}
	return ""
}

// Staff returns the smallest number of agents with which the traffic reaches every goal. An error wraps ErrInvalid or ErrImpossible.
func Staff(t Traffic, g Goal) (Need, error) {
	if err := t.check(); err != nil {
		return Need{}, err
	}
	if err := g.check(t); err != nil {
		return Need{}, err
	}
	with := t.erlangC
	if t.Patience > 0 {
		with = t.erlangA
	}
	if t.PerHour == 0 {
		return Need{Bound: BoundNothing, Steady: with(0)}, nil
	}
	// Every figure gets better with each agent. The search doubles first, so that its cost is that of the answer and not of MaxAgents.
	high := 1
	for high < MaxAgents && g.missed(with(high)) != "" {
		high = min(2*high, MaxAgents)
	}
	n := high/2 + sort.Search(high-high/2, func(i int) bool { return g.missed(with(high/2+i)) == "" })
	need := Need{Agents: n, Steady: with(n)}
	if missed := g.missed(need.Steady); missed != "" {
		return Need{}, fmt.Errorf("%w: %s is missed with %d agents", ErrImpossible, missed, n)
	}
	scheduled := math.Ceil(float64(n)/(1-g.Shrinkage) - 1e-9)
	if scheduled > math.MaxInt32 {
		return Need{}, fmt.Errorf("%w: a shrinkage of %v leaves nobody", ErrImpossible, g.Shrinkage)
	}
	need.Scheduled = int(scheduled)
	need.Bound = g.missed(with(n - 1))
	return need, nil
}

// StaffDay returns what each interval of a day needs, as Staff does for each alone: intervals should be long against the handling time, or
// the queue of one reaches into the next. An error names the interval, from 0.
func StaffDay(intervals []Traffic, g Goal) ([]Need, error) {
	out := make([]Need, len(intervals))
	for i, t := range intervals {
		var err error
		if out[i], err = Staff(t, g); err != nil {
			return nil, fmt.Errorf("interval %d: %w", i, err)
		}
	}
	return out, nil
}
