package acd

import (
	"fmt"
	"time"
)

// Strategy names how a queue chooses among its ready members. An unknown name is an error.
type Strategy string

// The strategies. The package comment says when to choose which.
const (
	LongestIdle Strategy = "longest-idle"
	FewestCalls Strategy = "fewest-calls"
	TopDown     Strategy = "top-down"
)

// NoAgents says what a queue does with a work while none of its members is logged in.
type NoAgents string

const (
	// NoAgentsOverflow gives the work back at once, and all waiting ones when the last member logs out.
	NoAgentsOverflow NoAgents = "overflow"
	// NoAgentsWait lets works wait, up to MaxWait.
	NoAgentsWait NoAgents = "wait"
)

// Rules are what a Core decides by. They are part of the log, so that it replays without any other input.
type Rules struct {
	Queues []Queue `json:"queues"` // required: at least one
	Agents []Agent `json:"agents"` // every agent that is a member of a queue
}

// Agent is somebody, or something, that can take one work at a time.
type Agent struct {
	ID string `json:"id"` // required, at most 128 bytes
}

// Queue is one waiting line and the agents who serve it.
type Queue struct {
	Name string `json:"name"` // required, at most 128 bytes

	// Members are agents by id, in the order that top-down follows. If empty, the queue serves nobody and overflows.
	Members []string `json:"members,omitempty"`
	// Strategy chooses among ready members. If zero, LongestIdle.
	Strategy Strategy `json:"strategy"`
	// RingTimeout is how long an agent may leave an offer unanswered before the work goes to the next and the agent becomes not ready
	// with reason "rona". If zero, 20 s.
	RingTimeout time.Duration `json:"ring_timeout"`
	// RejectPause is how long an agent who refused an offer, or whose phone failed, gets none. If zero, 10 s.
	RejectPause time.Duration `json:"reject_pause"`
	// WrapUp is the pause after a conversation. If zero, 10 s. If negative, none.
	WrapUp time.Duration `json:"wrap_up"`
	// MaxWaiting bounds how many works wait, those being offered included; the next one overflows as "full". If zero, 1000; there
	// is no unlimited.
	MaxWaiting int `json:"max_waiting"`
	// MaxWait bounds how long a work waits; then it overflows as "timeout", unless it is just being offered. If zero, 30 min; there
	// is no unlimited.
	MaxWait time.Duration `json:"max_wait"`
	// NoAgents is the behaviour while no member is logged in. If zero, NoAgentsOverflow, so that nobody waits in an empty room.
	NoAgents NoAgents `json:"no_agents"`
	// ServiceTarget is the wait within which an answer counts for the service level. If zero, 20 s.
	ServiceTarget time.Duration `json:"service_target"`
	// ShortAbandon is the wait below which an abandoned work is not held against the service level. If zero, 5 s. If negative,
	// every one counts.
	ShortAbandon time.Duration `json:"short_abandon"`
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// WithDefaults returns a deep copy with zeros replaced by what they stand for.
func (r Rules) WithDefaults() Rules {
	out := Rules{Queues: append([]Queue(nil), r.Queues...), Agents: append([]Agent(nil), r.Agents...)}
	for i := range out.Queues {
		q := &out.Queues[i]
		q.Members = append([]string(nil), q.Members...)
		or(&q.Strategy, LongestIdle)
		or(&q.RingTimeout, defaultRingTimeout)
		or(&q.RejectPause, defaultRejectPause)
		or(&q.WrapUp, defaultWrapUp)
		or(&q.MaxWaiting, defaultMaxWaiting)
		or(&q.MaxWait, defaultMaxWait)
		or(&q.NoAgents, NoAgentsOverflow)
		or(&q.ServiceTarget, defaultServiceTarget)
		or(&q.ShortAbandon, defaultShortAbandon)
	}
	return out
}

func (r Rules) validate() error {
	if len(r.Queues) == 0 {
		return fmt.Errorf("%w: no queue", ErrInvalid)
	}
	agents := map[string]bool{}
	for _, a := range r.Agents {
		if err := checkID("agent", a.ID); err != nil {
			return err
		}
		if agents[a.ID] {
			return fmt.Errorf("%w: agent %q is listed twice", ErrInvalid, a.ID)
		}
		agents[a.ID] = true
	}
	queues := map[string]bool{}
	for _, q := range r.Queues {
		if err := checkID("queue", q.Name); err != nil {
			return err
		}
		if queues[q.Name] {
			return fmt.Errorf("%w: queue %q is listed twice", ErrInvalid, q.Name)
		}
		queues[q.Name] = true
		switch q.Strategy {
		case LongestIdle, FewestCalls, TopDown:
		default:
			return fmt.Errorf("%w: queue %q: no strategy is called %q", ErrInvalid, q.Name, q.Strategy)
		}
		switch q.NoAgents {
		case NoAgentsOverflow, NoAgentsWait:
		default:
			return fmt.Errorf("%w: queue %q: no behaviour without agents is called %q", ErrInvalid, q.Name, q.NoAgents)
		}
		if q.RingTimeout <= 0 || q.RejectPause <= 0 || q.MaxWait <= 0 || q.MaxWaiting <= 0 || q.ServiceTarget <= 0 {
			return fmt.Errorf("%w: queue %q: times and bounds must be positive", ErrInvalid, q.Name)
		}
		members := map[string]bool{}
		for _, m := range q.Members {
			if !agents[m] {
				return fmt.Errorf("%w: queue %q: member %q is no agent", ErrInvalid, q.Name, m)
			}
			if members[m] {
				return fmt.Errorf("%w: queue %q: member %q is listed twice", ErrInvalid, q.Name, m)
			}
			members[m] = true
		}
	}
	return nil
}

func checkID(what, id string) error {
	if id == "" || len(id) > maxIDBytes {
		return fmt.Errorf("%w: %s id has from 1 to %d bytes", ErrInvalid, what, maxIDBytes)
	}
	return nil
}
