package acd

import "time"

// NoAgents says what a queue does with a work while nobody can serve it.
type NoAgents string

const (
	// NoAgentsOverflow gives the work back at once while no member is logged in, and all waiting ones when the last member logs out.
	NoAgentsOverflow NoAgents = "overflow"
	// NoAgentsUnready does the same also while every member is logged out or not ready. A short pause after a refused offer does not
	// count as not ready.
	NoAgentsUnready NoAgents = "overflow-unready"
	// NoAgentsWait lets works wait, up to MaxWait.
	NoAgentsWait NoAgents = "wait"
)

// NoAnswer says what becomes of an agent who let an offer ring out.
type NoAnswer string

const (
	// NoAnswerNotReady makes the agent not ready with reason "rona" until the agent says so.
	NoAnswerNotReady NoAnswer = "not-ready"
	// NoAnswerPause makes the agent not ready with reason "rejected" for the queue's RejectPause.
	NoAnswerPause NoAnswer = "pause"
)

// Estimate names how a queue estimates waiting times.
type Estimate string

const (
	// EstimateHandling is the place times the recent handling time (a moving average over 8 works that starts at 3 min), divided by the
	// members at work: neither logged out nor not ready, at least one.
	EstimateHandling Estimate = "handling"
	// EstimateRecent is the moving average over the last 8 answered waits in the queue, whatever the place; it starts at 0.
	EstimateRecent Estimate = "recent"
)

// Rules are what a Core decides by. They are part of the log, so that it replays without any other input.
type Rules struct {
	Queues []Queue `json:"queues"` // required: at least one
	Agents []Agent `json:"agents"` // every agent that is a member of a queue
	// Channels are the kinds of work. If empty, there is one, "voice", and an agent does one work at a time. At most 32.
	Channels []Channel `json:"channels,omitempty"`
	// Fairness is how an agent who serves several queues chooses. If empty, FairPriority.
	Fairness Fairness `json:"fairness,omitempty"`
	// Seed starts the random choices, which are the same for the same log. If 0, Center takes a new one at each start.
	Seed uint64 `json:"seed,omitempty"`
	// LastAgents is for how many customers (Terms.Customer) it is remembered who answered them last; the oldest are forgotten first.
	// If 0, for none. At most 1 000 000.
	LastAgents int `json:"last_agents,omitempty"`
}

// Channel is a kind of work: voice, chat, message, task.
type Channel struct {
	Name string `json:"name"` // required, at most 128 bytes
	// Slots is how many of an agent's Slots one work takes. If 0, all of them: the agent does nothing else.
	Slots int `json:"slots,omitempty"`
	// Max is how many works of this channel an agent does at once. If 0, as many as Slots allow.
	Max int `json:"max,omitempty"`
	// Interrupts are the channels whose works do not keep an agent from work of this channel. If empty, none.
	Interrupts []string `json:"interrupts,omitempty"`
}

// Skill is something an agent can do, or that a work needs, with a level from 1 to 100. As a need it is the least level.
type Skill struct {
	Name  string `json:"name"`            // required, at most 128 bytes
	Level int    `json:"level,omitempty"` // if 0, 1; in Ring.Lower 0 removes the need
}

// Agent is somebody, or something, that takes works.
type Agent struct {
	ID string `json:"id"` // required, at most 128 bytes
	// Skills are what the agent can do. If empty, only works without needs reach the agent. At most 64.
	Skills []Skill `json:"skills,omitempty"`
	// Slots is the agent's capacity; Channel.Slots says what a work takes of it. If 0, 1. At most 100.
	Slots int `json:"slots,omitempty"`
	// Bot says that the agent is a machine. It never gets a work whose Terms ask for a person.
	Bot bool `json:"bot,omitempty"`
}

// Ring widens the circle of agents with the time a work has waited in the queue.
type Ring struct {
	After time.Duration `json:"after"` // since the work entered the queue; rings come in this order
	// Tier admits members up to this tier (Queue.Tiers). If 0, only those of tier 0.
	Tier int `json:"tier,omitempty"`
	// Lower replaces needs of the work by the same name; level 0 removes one. What an earlier ring lowered stays so. If empty, none.
	Lower []Skill `json:"lower,omitempty"`
}

// Hours are times of the week at a fixed distance from UTC; whoever keeps summer time gives new rules when it begins.
type Hours struct {
	Days   []time.Weekday `json:"days,omitempty"`   // if empty, every day
	From   time.Duration  `json:"from,omitempty"`   // since midnight
	Until  time.Duration  `json:"until,omitempty"`  // since midnight, after From; if 0, 24 h
	Offset time.Duration  `json:"offset,omitempty"` // local time minus UTC, at most 14 h either way
}

// Overflow sends works elsewhere. Every condition that is not zero must hold; at least one must be given.
type Overflow struct {
	MinWaiting int           `json:"min_waiting,omitempty"` // so many wait in the queue already
	MinEWT     time.Duration `json:"min_ewt,omitempty"`     // the estimated wait is at least this
	MinWait    time.Duration `json:"min_wait,omitempty"`    // the work has waited so long; without it the rule is asked at entry only
	Hours      []Hours       `json:"hours,omitempty"`       // it is within one of these
	// To is the queue where the work should go next; the decision names it. If empty, back to self-service.
	To string `json:"to,omitempty"`
}

// Announce is when a waiting caller should be told the position.
type Announce struct {
	First time.Duration `json:"first,omitempty"` // since entry; if 0, Every
	Every time.Duration `json:"every,omitempty"` // after the first; if 0, no announcements. At least 1 s
	Max   int           `json:"max,omitempty"`   // at most so many; if 0, no bound but the wait's own
}

// Callback is how a queue keeps the place of callers who would rather be called back. The agent is found first and the customer
// dialled then, so there are never more callbacks than free agents.
type Callback struct {
	// Expiry is how long after the request a callback is given up. If 0, the queue offers no callbacks.
	Expiry time.Duration `json:"expiry,omitempty"`
	// Attempts is how often a customer is dialled. If 0, 3. At most 20.
	Attempts int `json:"attempts,omitempty"`
	// Retry is the pause after an attempt that failed. If 0, 15 min.
	Retry time.Duration `json:"retry,omitempty"`
	// DialTimeout bounds one attempt. If 0, 60 s.
	DialTimeout time.Duration `json:"dial_timeout,omitempty"`
	// MaxActive is how many of the queue's agents are dialling or talking to called-back customers at once. If 0, all.
	MaxActive int `json:"max_active,omitempty"`
	// Hours are when customers may be called. If empty, always.
	Hours []Hours `json:"hours,omitempty"`
}

// Queue is one waiting line and the agents who serve it.
type Queue struct {
	Name string `json:"name"` // required, at most 128 bytes

	// Members are agents by id, in the order that top-down follows. If empty, the queue serves nobody and overflows.
	Members []string `json:"members,omitempty"`
	// Strategy chooses among ready members. If zero, LongestIdle.
	Strategy Strategy `json:"strategy"`
	// RingTimeout is how long an agent may leave an offer unanswered before the work goes to the next and the agent becomes not ready
	// with reason "rona". If zero, 20 s. A Center wants at least 1 ms.
	RingTimeout time.Duration `json:"ring_timeout"`
	// RejectPause is how long an agent who refused an offer, or whose phone failed, gets none. If zero, 10 s. A Center wants at
	// least 1 ms.
	RejectPause time.Duration `json:"reject_pause"`
	// WrapUp is the pause after a conversation. If zero, 10 s. If negative, none.
	WrapUp time.Duration `json:"wrap_up"`
	// MaxWaiting bounds how many works wait, those being offered included; the next one overflows as "full". If zero, 1000; there
	// is no unlimited.
	MaxWaiting int `json:"max_waiting"`
	// MaxWait bounds how long a work waits; then it overflows as "timeout", unless it is just being offered. If zero, 30 min; there
	// is no unlimited.
	MaxWait time.Duration `json:"max_wait"`
	// NoAgents is the behaviour while nobody can serve. If zero, NoAgentsOverflow, so that nobody waits in an empty room.
	NoAgents NoAgents `json:"no_agents"`
	// ServiceTarget is the wait within which an answer counts for the service level. If zero, 20 s.
	ServiceTarget time.Duration `json:"service_target"`
	// ShortAbandon is the wait below which an abandoned work is not held against the service level. If zero, 5 s. If negative,
	// every one counts.
	ShortAbandon time.Duration `json:"short_abandon"`

	// Channel is the kind of works the queue takes. If empty, the first of Rules.Channels.
	Channel string `json:"channel,omitempty"`
	// NoAnswer is what becomes of an agent who let an offer ring out. If zero, NoAnswerNotReady; for RingAll, where somebody is always
	// second, NoAnswerPause.
	NoAnswer NoAnswer `json:"no_answer,omitempty"`
	// Tiers puts members into tiers from 0 to 100: free members of a lower tier come first, and Rings can keep higher ones out at first.
	// Members not named are in tier 0. If nil, all are.
	Tiers map[string]int `json:"tiers,omitempty"`
	// Weights are for WeightedRandom, from 1 to 1000. Members not named have 1. If nil, all have.
	Weights map[string]int `json:"weights,omitempty"`
	// RingMax is how many agents RingAll rings at once. If zero, 20.
	RingMax int `json:"ring_max,omitempty"`
	// Needs are needed by every work of the queue, besides its own needs. If empty, none. At most 16.
	Needs []Skill `json:"needs,omitempty"`
	// Rings widen the circle with the wait. If empty, every tier is admitted from the start. If not, tier 0 until the first ring. At most 16.
	Rings []Ring `json:"rings,omitempty"`
	// Ageing is the wait that counts as much as one more in priority, so that nobody starves. If zero, priority is strict. At most 30 min.
	Ageing time.Duration `json:"ageing,omitempty"`
	// Weight multiplies ages where queues are compared (Rules.Fairness), from 1 to 1000. If zero, 1.
	Weight int `json:"weight,omitempty"`
	// LastAgentWait is how long a work waits for the agent who answered its customer last, before others may have it. If zero, it is
	// offered to that agent first if the agent is free, and does not wait. Rules.LastAgents says for how many customers that is known.
	LastAgentWait time.Duration `json:"last_agent_wait,omitempty"`
	// Estimate is how waits are estimated. If zero, EstimateHandling.
	Estimate Estimate `json:"estimate,omitempty"`
	// KeepEstimate writes the estimate at entry into the Record, so that its error can be measured. If false, it is not kept.
	KeepEstimate bool `json:"keep_estimate,omitempty"`
	// Announce is when waiting callers should be told their position. If zero, never.
	Announce Announce `json:"announce,omitzero"`
	// Overflow is when works should go elsewhere; the first rule that holds decides. If empty, never before MaxWait. At most 16.
	Overflow []Overflow `json:"overflow,omitempty"`
	// ExitKeys are the keys by which a caller can leave the queue, such as "0*". If empty, none.
	ExitKeys string `json:"exit_keys,omitempty"`
	// Callback is for callers who would rather be called back. If zero, not offered.
	Callback Callback `json:"callback,omitzero"`
}
