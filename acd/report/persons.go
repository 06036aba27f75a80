package report

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// ActionPersons is the action that the Authorizer and the Auditor see when somebody asks for figures of persons; the object is "agents".
const ActionPersons = "acd.report.persons"

// Person is what one agent did. Nothing else in this package names one.
type Person struct {
	Agent string
	// State is what the agent does now; the zero state if no process has the agent.
	State    acd.AgentState
	Staff    Staff // since the beginning
	Answered int
	Handled  int
	NoAnswer int // offers that rang out
	Rejected int
	Talk     time.Duration
	WrapUp   time.Duration
}

type personFigures struct {
	answered, handled, noAnswer, rejected int
	talk, wrapUp                          time.Duration
}

// Persons returns the figures of each agent, by id, as of now. It asks the Authorizer, then records through the Auditor; an error of either
// wraps acd.ErrDenied, as does the lack of one of them, and nothing is told. The attacker is a colleague who would watch one person
// over the figures of all.
func (t *Tally) Persons(ctx context.Context, now time.Time) ([]Person, error) {
	if !t.persons {
		return nil, fmt.Errorf("%w: this Tally keeps no figures of persons", acd.ErrDenied)
	}
	if err := t.cfg.Authorizer.Allow(ctx, ActionPersons, "agents"); err != nil {
		return nil, fmt.Errorf("%w: %w", acd.ErrDenied, err)
	}
	if err := t.cfg.Auditor.Audit(ctx, ActionPersons, "agents"); err != nil {
		return nil, fmt.Errorf("%w: audit: %w", acd.ErrDenied, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at := max(now.UnixNano(), t.now)
	var out []Person
	for _, id := range slices.Sorted(maps.Keys(t.agents)) {
		a := t.agents[id]
		times := a.own.spent
		p := Person{Agent: id, State: a.state, Answered: a.own.figures.answered, Handled: a.own.figures.handled, NoAnswer: a.own.figures.noAnswer,
			Rejected: a.own.figures.rejected, Talk: a.own.figures.talk, WrapUp: a.own.figures.wrapUp}
		planned, kept := a.own.planned, a.own.kept
		if t.now > 0 {
			times[a.state] += at - a.since
			more, keptMore := a.adherence(at)
			planned, kept = planned+more, kept+keptMore
		}
		p.Staff = times.staff()
		p.Staff.Scheduled, p.Staff.Adherent = time.Duration(planned), time.Duration(kept)
		out = append(out, p)
	}
	return out, nil
}
