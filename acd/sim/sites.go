package sim

import (
	"fmt"
)

// Site is a place with agents that fails as a whole.
type Site struct {
	Name string // required, unique
	// Agents are those who are scheduled there at the time the plan is for. If 0, none: the site only runs the core.
	Agents int
}

// SpareError says which site a plan cannot lose.
type SpareError struct {
	Site   string // whose loss breaks the plan
	Left   int    // agents at the other sites
	Needed int    // agents that the goal needs, shrinkage included
	// Erlangs is the load that the other sites have to carry.
	Erlangs float64
	// Missed is the goal that they miss.
	Missed Bound
}

// Error names the site, what is left and what is missed.
func (e *SpareError) Error() string {
	return fmt.Sprintf("%v: without site %q %d agents are left for %.1f erlangs, %d are needed: %s is missed", ErrNoSpare, e.Site, e.Left, e.Erlangs, e.Needed, e.Missed)
}

// Unwrap returns ErrNoSpare.
func (e *SpareError) Unwrap() error { return ErrNoSpare }

// CheckSites refuses a plan that cannot lose any one of its sites (N+1): the agents of the others must reach the goal with all of the
// traffic. The error names the site whose loss leaves the fewest agents and is a *SpareError; it wraps ErrNoSpare. ErrInvalid is for a plan
// of fewer than two sites or with a name twice, ErrImpossible is as of Staff.
func CheckSites(sites []Site, t Traffic, g Goal) error {
	need, err := Staff(t, g)
	if err != nil {
		return err
	}
	if len(sites) < 2 {
		return fmt.Errorf("%w: a plan of %d sites has none to lose", ErrInvalid, len(sites))
	}
	total, largest := 0, sites[0]
	names := map[string]bool{}
	for _, s := range sites {
		if s.Name == "" || names[s.Name] || s.Agents < 0 || s.Agents > MaxAgents || total > 1<<30 {
			return fmt.Errorf("%w: site %q with %d agents", ErrInvalid, s.Name, s.Agents)
		}
		names[s.Name] = true
		total += s.Agents
		if s.Agents > largest.Agents {
			largest = s
		}
	}
	left := total - largest.Agents
	if left >= need.Scheduled {
		return nil
	}
	present := min(int(float64(left)*(1-g.Shrinkage)+1e-9), need.Agents-1)
	with, err := t.With(present)
	if err != nil {
		return err
	}
	return &SpareError{Site: largest.Name, Left: left, Needed: need.Scheduled, Erlangs: t.Erlangs(), Missed: g.missed(with)}
}

// PlanSites returns how many agents each of n equal sites needs so that the plan can lose any one of them. n is from 2 to 1000. Errors are
// as of Staff.
func PlanSites(n int, t Traffic, g Goal) (agents int, err error) {
	if n < 2 || n > 1000 {
		return 0, fmt.Errorf("%w: %d sites; from 2 to 1000", ErrInvalid, n)
	}
	need, err := Staff(t, g)
	if err != nil {
		return 0, err
	}
	return (need.Scheduled + n - 2) / (n - 1), nil
}
