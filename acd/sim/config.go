package sim

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/acd"
)

// Config is what Run simulates. Run does not change it, so that one Config may serve several runs at once.
type Config struct {
	// Rules are what the core decides by; their wrap-up, time-outs and strategies hold as in a real center. Required. A Manual queue is
	// refused: nobody picks.
	Rules acd.Rules
	// Flows are what comes. Required: at least one.
	Flows []Flow
	// Shifts are when agents are at work. If empty, all are, always.
	Shifts []Shift
	// Answer is how long an agent lets it ring. If nil, nothing rings and agents answer at once.
	Answer Dist
	// Return is how long an agent who let an offer ring out stays away. If zero, 30 s.
	Return time.Duration
	// Start is when the simulation begins. If zero, on Monday, 1 January 2024, at 00:00 UTC.
	Start time.Time
	// Warmup is how long the simulation runs before anything counts. If zero, everything counts.
	Warmup time.Duration
	// Length is how long it runs after Warmup. Required.
	Length time.Duration
	// Batches is into how many equal parts Length is divided for the confidence intervals of Run. They should be long against the wait and,
	// where rates change, whole days or weeks. If zero, 20. At most 10 000. Replicate takes each run as one part.
	Batches int
	// Confidence is the level of the intervals, above 0 and below 1. If zero, 0.95.
	Confidence float64
	// Seed decides every draw. If zero, that is a seed as good as any.
	Seed uint64
	// Observe gets every event with its decisions, in order, as acd.Replay yields them: the decisions are valid until the next call. If nil,
	// nobody looks.
	Observe func(acd.Entry)
	// Loss is a site that dies in mid-run. If nil, none does.
	Loss *Loss
}

// Flow is a stream of works to one queue.
type Flow struct {
	// Name begins the ids of its works. Required, unique, at most 100 bytes.
	Name string
	// Queue is where its works go. Required.
	Queue string
	// Arrivals say when they come. Required.
	Arrivals Arrivals
	// Service is how long the conversation lasts. Required.
	Service Dist
	// Patience is how long the customer waits, ringing included, before hanging up. If nil, nobody hangs up.
	Patience Dist
	// Priority is that of the works. Higher is served first. If zero, normal.
	Priority int
	// Terms are how works enter the queue: needs, for example. If nil, as of the zero acd.Terms.
	Terms *acd.Terms
}

const (
	maxFlows   = 10_000
	maxBatches = 10_000
)

func (c *Config) withDefaults() (Config, error) {
	out := *c
	out.Rules = c.Rules.WithDefaults()
	if out.Start.IsZero() {
		out.Start = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if out.Batches == 0 {
		out.Batches = 20
	}
	if out.Confidence == 0 {
		out.Confidence = 0.95
	}
	if out.Return == 0 {
		out.Return = 30 * time.Second
	}
	if out.Rules.Seed == 0 {
		out.Rules.Seed = c.Seed ^ 0x9e3779b97f4a7c15
	}
	return out, out.check()
}

func (c *Config) check() error {
	const years = 20 * 366 * 24 * time.Hour
	end := c.Start.Unix() + int64((c.Warmup+c.Length)/time.Second)
	switch {
	case c.Start.Unix() < 2*int64(day)/int64(time.Second) || end > lastUnix:
		return fmt.Errorf("%w: a start at %v; from 1970-01-03 to 2200", ErrInvalid, c.Start)
	case c.Length <= 0 || c.Length > years || c.Warmup < 0 || c.Warmup > years:
		return fmt.Errorf("%w: a length of %v after %v; up to 20 years", ErrInvalid, c.Length, c.Warmup)
	case c.Batches < 1 || c.Batches > maxBatches || time.Duration(c.Batches) > c.Length:
		return fmt.Errorf("%w: %d batches; from 1 to %d", ErrInvalid, c.Batches, maxBatches)
	case !(c.Confidence > 0 && c.Confidence < 1):
		return fmt.Errorf("%w: a confidence of %v; between 0 and 1", ErrInvalid, c.Confidence)
	case len(c.Flows) == 0 || len(c.Flows) > maxFlows:
		return fmt.Errorf("%w: %d flows; from 1 to %d", ErrInvalid, len(c.Flows), maxFlows)
	}
	if err := positive("Return", c.Return, 0); err != nil {
		return err
	}
	if c.Answer != nil {
		if err := checkDist("Answer", c.Answer); err != nil {
			return err
		}
	}
	queues := map[string]bool{}
	for _, q := range c.Rules.Queues {
		if q.Strategy == acd.Manual {
			return fmt.Errorf("%w: queue %q is manual, and nobody picks in a simulation", ErrInvalid, q.Name)
		}
		queues[q.Name] = true
	}
	names := map[string]bool{}
	for _, f := range c.Flows {
		if f.Name == "" || len(f.Name) > 100 || names[f.Name] {
			return fmt.Errorf("%w: a flow needs a name of its own, %q is not", ErrInvalid, f.Name)
		}
		names[f.Name] = true
		if err := f.check(queues); err != nil {
			return fmt.Errorf("flow %q: %w", f.Name, err)
		}
	}
	return c.checkAgents()
}

func (f *Flow) check(queues map[string]bool) error {
	if !queues[f.Queue] {
		return fmt.Errorf("%w: no queue %q", ErrInvalid, f.Queue)
	}
	if f.Arrivals == nil || f.Service == nil {
		return fmt.Errorf("%w: arrivals and service are required", ErrInvalid)
	}
	if err := f.Arrivals.check(); err != nil {
		return err
	}
	if err := checkDist("service", f.Service); err != nil {
		return err
	}
	if f.Patience == nil {
		return nil
	}
	return checkDist("patience", f.Patience)
}

func (c *Config) checkAgents() error {
	agents := map[string]bool{}
	for _, a := range c.Rules.Agents {
		agents[a.ID] = true
	}
	taken := map[string]bool{}
	for i := range c.Shifts {
		if err := c.Shifts[i].check(); err != nil {
			return fmt.Errorf("shift %d: %w", i, err)
		}
		for _, a := range c.Shifts[i].Agents {
			if !agents[a] || taken[a] {
				return fmt.Errorf("%w: shift %d: agent %q is unknown or in two shifts", ErrInvalid, i, a)
			}
			taken[a] = true
		}
	}
	if c.Loss == nil {
		return nil
	}
	if c.Loss.At < 0 || c.Loss.At > c.Warmup+c.Length || c.Loss.Gap < 0 || c.Loss.Gap > c.Warmup+c.Length-c.Loss.At {
		return fmt.Errorf("%w: a loss after %v for %v; it must be within the run", ErrInvalid, c.Loss.At, c.Loss.Gap)
	}
	for _, a := range c.Loss.Agents {
		if !agents[a] {
			return fmt.Errorf("%w: the lost agent %q is unknown", ErrInvalid, a)
		}
	}
	return nil
}
