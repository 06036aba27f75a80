package toll

import "time"

// Reason says why a call was refused or a subject stopped. It is fit for logs and evidence.
type Reason string

// Reasons of a Decision.
const (
	BadCall          Reason = "call without ID, tenant or user, or with the ID of another" // a mistake of the caller of this package
	BadNumber        Reason = "not a number in E.164 form"                                 // or one that no line of the table knows
	NoPolicy         Reason = "no policy for the tenant or user"
	ClassNotAllowed  Reason = "class of destination not allowed"
	NoPrice          Reason = "class of destination has no price"
	Stopped          Reason = "stopped"
	TooManyAtOnce    Reason = "too many calls at once"
	TooManyPerMinute Reason = "too many calls in this minute"
	TooManyPerHour   Reason = "too many calls in this hour"
	TooManyPerDay    Reason = "too many calls on this day"
	SpentHour        Reason = "cap of this hour reached"
	SpentDay         Reason = "cap of this day reached"
	SpentMonth       Reason = "cap of this month reached"
	TooLong          Reason = "longest call reached"
	Anomalous        Reason = "anomaly: many short calls to new expensive destinations" // the reason of a stop
)

// Scope says whose limit decided.
type Scope string

// Scopes.
const (
	ScopeUser   Scope = "user"
	ScopeTenant Scope = "tenant"
)

// Kind is what happened.
type Kind string

// Kinds of Event.
const (
	Allowed  Kind = "allowed"
	Refused  Kind = "refused"
	Extended Kind = "extended"
	Started  Kind = "started"
	Answered Kind = "answered"
	Ended    Kind = "ended"
	Overran  Kind = "overran" // a call was longer than it was allowed to be: whoever places calls did not hang up
	Void     Kind = "void"    // an allowed call that was never started has given back its reservation
	Stop     Kind = "stopped"
	Resume   Kind = "resumed"
)

// Event is one line of evidence. The number is not in it, only the prefix that decided.
type Event struct {
	At           time.Time
	Kind         Kind
	Tenant, User string // User is empty for a stop of a whole tenant
	Call         string // Call.ID
	Class        Class
	Prefix       string
	Reason       Reason        // of Refused
	Scope        Scope         // of Refused, when a limit decided
	Note         string        // of Stop and Resume: the reason that was given
	MaxDuration  time.Duration // of Allowed and Extended
	Cost         Micro         // of Ended and Overran
}
