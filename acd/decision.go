package acd

import (
	"fmt"
	"strings"
	"time"
)

// DecisionKind names what a Core decided. The zero kind is invalid.
type DecisionKind string

// The kinds of decisions, with the fields each one has besides At.
const (
	DecideOffer    DecisionKind = "offer"    // Agent, Work, Queue, Offer, Why: present the work to the agent
	DecideRevoke   DecisionKind = "revoke"   // Agent, Work, Queue, Offer, Reason: the offer no longer stands
	DecideAnswered DecisionKind = "answered" // Agent, Work, Queue, Offer: connect them
	DecideOverflow DecisionKind = "overflow" // Work, Queue, Reason, To: back to self-service, and from there to the queue To if there is one
	DecideEnded    DecisionKind = "ended"    // Work, Record
	DecideState    DecisionKind = "state"    // Agent, State, Reason: the agent is in this state now

	DecideAnnounce DecisionKind = "announce" // Work, Queue, Place, EWT: tell the caller
	DecideCallback DecisionKind = "callback" // Work, Queue: the caller may hang up
	DecideDial     DecisionKind = "dial"     // Agent, Work, Queue, Offer: the agent is there, call the customer
)

// Decision is one thing a Core decided.
type Decision struct {
	Kind   DecisionKind `json:"kind"`
	At     time.Time    `json:"at"` // the deadline, for what a timer decided
	Work   string       `json:"work,omitempty"`
	Queue  string       `json:"queue,omitempty"`
	Agent  string       `json:"agent,omitempty"`
	Offer  uint64       `json:"offer,omitempty"`
	Reason string       `json:"reason,omitempty"`
	State  AgentState   `json:"state,omitzero"`
	Why    Why          `json:"why,omitzero"`
	Record *Record      `json:"record,omitempty"`

	To    string        `json:"to,omitempty"`
	Place int           `json:"place,omitempty"`
	EWT   time.Duration `json:"ewt,omitempty"`
}

// Why explains an offer: what the Core saw when it chose.
type Why struct {
	// Strategy is the queue's, by which the agent was chosen. It is empty if the agent had no rival: it became free and chose among works.
	Strategy Strategy `json:"strategy,omitempty"`
	// Score is what the strategy compared, of the chosen agent: nanoseconds since 1970 since when it is idle (longest-idle, best-skill and
	// least-skill among equals), works answered (fewest-calls), nanoseconds talked (least-talk-time), parts of a million of its
	// slots taken times a million and one plus parts of a million of its time since login spent at work, as of when it became free
	// (least-occupied), place in Members from 0 (all others). Every rival had the same or more, unless chance or a pointer decided.
	Score int64 `json:"score"`
	// Idle is how long the agent had been ready.
	Idle time.Duration `json:"idle"`
	// Waited is how long the work had waited in this queue.
	Waited time.Duration `json:"waited"`
	// Waiting is how many works waited in the queue, this one included; all others had lower priority or came later.
	Waiting int `json:"waiting"`
	// Members counts the queue's members by state: the ready ones were the candidates, the rest were excluded by their state.
	Members [numStates]int `json:"members"`
}

// String explains the offer in a sentence.
func (w Why) String() string {
	var b strings.Builder
	if w.Strategy == "" {
		fmt.Fprintf(&b, "the agent became free; first of %d waiting, after %v", w.Waiting, w.Waited)
	} else {
		fmt.Fprintf(&b, "first of %d ready by %s, idle for %v", w.Members[Ready], w.Strategy, w.Idle)
	}
	sep := "; not considered: "
	for _, s := range States() {
		if n := w.Members[s]; n > 0 && s != Ready {
			fmt.Fprintf(&b, "%s%d %v", sep, n, s)
			sep = ", "
		}
	}
	return b.String()
}
