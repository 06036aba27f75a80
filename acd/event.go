package acd

import (
	"fmt"
	"time"
)

// Kind names what happened. The zero Kind is invalid. The words are part of the log format and never change their meaning.
type Kind string

// The kinds of events, with the fields each one needs besides At.
const (
	KindStarted   Kind = "started"   // Rules, Resume, Callbacks: a process took over the log; what the last one left open is closed, or kept
	KindArrived   Kind = "arrived"   // Work, Attributes
	KindEnqueued  Kind = "enqueued"  // Work, Queue, Priority
	KindAbandoned Kind = "abandoned" // Work: the caller hung up
	KindEnded     Kind = "ended"     // Work, Reason
	KindRinging   Kind = "ringing"   // Agent, Work, Offer: the agent's phone rings
	KindAccepted  Kind = "accepted"  // Agent, Work, Offer
	KindRejected  Kind = "rejected"  // Agent, Work, Offer, Reason
	KindLogin     Kind = "login"     // Agent, Device
	KindLogout    Kind = "logout"    // Agent, Device, Reason
	KindReady     Kind = "ready"     // Agent; also ends wrap-up
	KindNotReady  Kind = "not-ready" // Agent, Reason
	KindTimer     Kind = "timer"     // nothing: time has passed

	KindExit      Kind = "exit"      // Work, Reason (the key): a waiting caller leaves the queue
	KindPicked    Kind = "picked"    // Agent, Work: an agent takes a waiting work by hand
	KindSkills    Kind = "skills"    // Agent, Skills: what the agent can do from now on
	KindExtended  Kind = "extended"  // Agent, For: wrap-up lasts longer
	KindCallback  Kind = "callback"  // Work: a waiting caller would rather be called back, and keeps the place
	KindReached   Kind = "reached"   // Agent, Work, Offer: the called-back customer is there
	KindUnreached Kind = "unreached" // Agent, Work, Offer, Reason: the called-back customer is not
)

// ChannelVoice is the channel of rules that name none.
const ChannelVoice = "voice"

// Terms are how a work enters a queue. The zero Terms are first come, first served, by anyone.
type Terms struct {
	// Needs are the skills an agent must have. If empty, those of the queue only. At most 16.
	Needs []Skill `json:"needs,omitempty"`
	// Prefer are agents who should have the work, whatever their skills; others get it after PreferWait. They must be members of the
	// queue; others are passed over. If empty, nobody. At most 16.
	Prefer []string `json:"prefer,omitempty"`
	// PreferWait is how long the work waits for Prefer. If 0, it is offered to one of them if one is free now, and does not wait.
	PreferWait time.Duration `json:"prefer_wait,omitempty"`
	// HeadStart counts as if the work had waited so much longer. If 0, none. At most 30 days.
	HeadStart time.Duration `json:"head_start,omitempty"`
	// KeepClock counts the wait, for the order, from when the work first entered a queue. If false, from now.
	KeepClock bool `json:"keep_clock,omitempty"`
	// Human keeps bots away: the customer wants a person, or a person shall review what a bot did. If false, bots may have it.
	Human bool `json:"human,omitempty"`
	// Customer is who it is, by an id of the application's, for Queue.LastAgentWait. If empty, nobody is remembered.
	Customer string `json:"customer,omitempty"`
}

// Event is one line of the log: something that happened at a time. Core gives it meaning.
type Event struct {
	Seq        uint64            `json:"seq"` // 1, 2, 3, ... without a gap
	At         time.Time         `json:"at"`  // never before the event before it
	Kind       Kind              `json:"kind"`
	Work       string            `json:"work,omitempty"`
	Queue      string            `json:"queue,omitempty"`
	Priority   int               `json:"priority,omitempty"` // higher is served first
	Agent      string            `json:"agent,omitempty"`
	Offer      uint64            `json:"offer,omitempty"`
	Reason     string            `json:"reason,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Rules      *Rules            `json:"rules,omitempty"`
	Terms      *Terms            `json:"terms,omitempty"`  // of KindEnqueued
	Skills     []Skill           `json:"skills,omitempty"` // of KindSkills
	Device     string            `json:"device,omitempty"` // of KindLogin and KindLogout
	For        time.Duration     `json:"for,omitempty"`    // of KindExtended
	// Resume, of KindStarted, keeps what was open instead of closing it: waiting works keep place and clock, conversations go on,
	// agents stay logged in, offers that stood are withdrawn. Queues and agents that Rules no longer have lose their works.
	Resume bool `json:"resume,omitempty"`
	// Callbacks, of KindStarted without Resume, keeps callbacks whose customer nobody talks to: place, clock and attempts. All else is closed.
	Callbacks bool `json:"callbacks,omitempty"`
}

// AgentState is what an agent is doing. The zero state is invalid.
type AgentState uint8

// The states of an agent. Only a Ready agent is offered work.
const (
	stateInvalid AgentState = iota
	LoggedOut
	NotReady // with a reason: one of the Reason... words or the agent's own
	Ready
	Reserved // an offer was decided; the phone does not ring yet
	Ringing
	Talking
	WrapUp
	numStates
)

var stateNames = [numStates]string{"invalid", "logged-out", "not-ready", "ready", "reserved", "ringing", "talking", "wrap-up"}

// States lists all valid states, for tables and wallboards.
func States() []AgentState {
	return []AgentState{LoggedOut, NotReady, Ready, Reserved, Ringing, Talking, WrapUp}
}

// String returns the state's name, such as "wrap-up".
func (s AgentState) String() string {
	if s < numStates {
		return stateNames[s]
	}
	return stateNames[stateInvalid]
}

// MarshalText writes the name.
func (s AgentState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a name that MarshalText wrote.
func (s *AgentState) UnmarshalText(b []byte) error {
	for i := LoggedOut; i < numStates; i++ {
		if stateNames[i] == string(b) {
			*s = i
			return nil
		}
	}
	return fmt.Errorf("%w: no agent state is called %q", ErrInvalid, b)
}

// Reasons that Core gives itself for NotReady.
const (
	ReasonLogin    = "login"    // just logged in; say Ready to get work
	ReasonRONA     = "rona"     // ring, no answer: not ready until the agent says so
	ReasonRejected = "rejected" // refused an offer; ready again after the queue's RejectPause
)

// What can become of a wait in a queue: the reasons of Overflow decisions and the words of [Result]. They are the same words that
// package ivr branches on.
const (
	ResultAnswered  = "answered"
	ResultAbandoned = "abandoned" // the work ended while it waited
	ResultFull      = "full"      // MaxWaiting
	ResultNoAgents  = "no_agents" // no member is logged in
	ResultTimeout   = "timeout"   // MaxWait
	ResultOverflow  = "overflow"  // a rule of Queue.Overflow
	ResultExit      = "exit"      // the caller pressed one of Queue.ExitKeys
	ResultCallback  = "callback"  // the caller can hang up and will be called; a Result only, the work goes on waiting
)

// What became of an offer.
const (
	OfferAccepted  = "accepted"
	OfferRejected  = "rejected"
	OfferTimedOut  = "timeout"
	OfferWithdrawn = "withdrawn" // the work ended, or the agent left
	OfferElsewhere = "elsewhere" // another agent was faster (ring-all)
	OfferUnreached = "unreached" // the agent took it, but the called-back customer was not there
)

// Outcome says how a work is counted. The zero Outcome is invalid.
type Outcome string

// The four outcomes; every ended work has exactly one.
const (
	Answered   Outcome = "answered"
	Abandoned  Outcome = "abandoned"
	Overflowed Outcome = "overflowed"
	IVREnded   Outcome = "ivr-ended"
)

// Causes that acd gives itself. Any other word is the one given to Center.End.
const (
	CauseAbandoned = "abandoned" // Center.Abandon
	CauseNodeDied  = "node-died" // open when its process died
	CauseShutdown  = "shutdown"  // open when Run ended
	CauseRemoved   = "removed"   // new rules no longer have the queue or the agent
	CauseExpired   = "expired"   // a callback that was never possible in time
	CauseUnreached = "unreached" // a callback whose attempts are used up
)

// Offer is one offer in a Record.
type Offer struct {
	Agent  string    `json:"agent"`
	At     time.Time `json:"at"`
	Result string    `json:"result"` // one of the Offer... words
	Reason string    `json:"reason,omitempty"`
}

// Record is the whole story of one ended work. Times that did not happen are zero.
type Record struct {
	Work       string            `json:"work"`
	Queue      string            `json:"queue,omitempty"` // the last one entered; empty if none
	Priority   int               `json:"priority,omitempty"`
	ArrivedAt  time.Time         `json:"arrived_at"`
	EnqueuedAt time.Time         `json:"enqueued_at,omitzero"` // into Queue
	Offers     []Offer           `json:"offers,omitempty"`
	Agent      string            `json:"agent,omitempty"` // who answered
	AnsweredAt time.Time         `json:"answered_at,omitzero"`
	EndedAt    time.Time         `json:"ended_at"`
	Outcome    Outcome           `json:"outcome"`
	Cause      string            `json:"cause"`
	Overflow   string            `json:"overflow,omitempty"` // why the last queue gave the work back: full, no_agents, timeout, overflow, exit
	Attributes map[string]string `json:"attributes,omitempty"`

	CarriedWait time.Duration `json:"carried_wait,omitempty"` // in queues before this one, if KeepClock was used: it counted for the order
	EWT         time.Duration `json:"ewt,omitempty"`          // promised at EnqueuedAt, if the queue keeps estimates
	CallbackAt  time.Time     `json:"callback_at,omitzero"`   // when the caller asked to be called back
	Attempts    int           `json:"attempts,omitempty"`     // how often the customer was dialled
}
