package numbers

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrUseOrder is the answer to every attempt to create or delete a number directly.
	ErrUseOrder = errors.New("numbers: numbers come and go through an order only")
	// ErrStep is a step that the state of the order does not allow.
	ErrStep = errors.New("numbers: this step is not possible now")
	// ErrFourEyes is a step by the person who asked for it.
	ErrFourEyes = errors.New("numbers: another person must do this")
	// ErrNotFound is an order or a number that does not exist.
	ErrNotFound = errors.New("numbers: not found")
	// ErrTaken is a number that another live order holds.
	ErrTaken = errors.New("numbers: number is held by another order")
	// ErrConflict is an order that somebody else changed in between.
	ErrConflict = errors.New("numbers: order was changed by somebody else")
	// ErrMalformed is a value that is not what its name says.
	ErrMalformed = errors.New("numbers: malformed value")
)

// State is where an order stands.
type State string

const (
	// Requested: somebody wants the number.
	Requested State = "requested"
	// Approved: another person agreed.
	Approved State = "approved"
	// Provisioned: the provider has set it up.
	Provisioned State = "provisioned"
	// Active: calls are routed.
	Active State = "active"
	// CancelRequested: somebody wants to give it back; calls are routed as before.
	CancelRequested State = "cancel-requested"
	// Released: it is gone. Final.
	Released State = "released"
	// Rejected: it was never approved. Final.
	Rejected State = "rejected"
)

// Live says that an order holds its number.
func (s State) Live() bool { return s != Released && s != Rejected && s != "" }

// Action is a step of an order.
type Action string

// The steps. Approve and Reject decide about a request; Provision is the provider's word; Keep takes a cancelation back, and Release confirms it.
const (
	Approve   Action = "approve"
	Reject    Action = "reject"
	Provision Action = "provision"
	Activate  Action = "activate"
	Cancel    Action = "cancel"
	Keep      Action = "keep"
	Release   Action = "release"
)

// Order is one number's life. It is a value; Step makes the next one.
type Order struct {
	ID          string
	Number      string // E.164 with a plus sign
	Owner       string
	Destination string // what calls to it lead to
	State       State
	RequestedBy string
	ApprovedBy  string
	CanceledBy  string // who asked to give it back
	KeptState   State  // what Keep goes back to
	Reference   string // of the provider
	Created     time.Time
	Changed     time.Time
	Version     int // counts steps, from 1
}

// Routed says that calls to the number are taken.
func (o Order) Routed() bool {
	return o.State == Active || o.State == CancelRequested && o.KeptState == Active
}

// steps is the whole machine: which action leads from where to where.
var steps = map[Action]map[State]State{
	Approve:   {Requested: Approved},
	Reject:    {Requested: Rejected},
	Provision: {Approved: Provisioned},
	Activate:  {Provisioned: Active},
	Cancel:    {Approved: CancelRequested, Provisioned: CancelRequested, Active: CancelRequested},
	Keep:      {CancelRequested: CancelRequested}, // in truth to KeptState
	Release:   {CancelRequested: Released},
}

// Step returns the order after an action, or ErrStep or ErrFourEyes. by is who does it. reference is the provider's, for Provision; empty keeps the
// one that is there. Step does not look at who may do what, apart from the four eyes.
func (o Order) Step(a Action, by, reference string, now time.Time) (Order, error) {
	next, ok := steps[a][o.State]
	if !ok {
		return o, fmt.Errorf("%w: %s in state %s", ErrStep, a, o.State)
	}
	if err := checkName("by", by); err != nil {
		return o, err
	}
	switch a {
	case Approve:
		if by == o.RequestedBy {
			return o, fmt.Errorf("%w: %s asked for it", ErrFourEyes, by)
		}
		o.ApprovedBy = by
	case Provision:
		if reference != "" {
			if err := checkName("reference", reference); err != nil {
				return o, err
			}
			o.Reference = reference
		}
	case Cancel:
		o.CanceledBy, o.KeptState = by, o.State
	case Keep: // back to where it was: a cancelation must not be a way around the provider
		next, o.CanceledBy, o.KeptState = o.KeptState, "", ""
	case Release:
		if by == o.CanceledBy {
			return o, fmt.Errorf("%w: %s asked for it", ErrFourEyes, by)
		}
	}
	o.State, o.Changed, o.Version = next, now, o.Version+1
	return o, nil
}

func checkName(what, s string) error {
	if s == "" || len(s) > 256 || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }) {
		return fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	return nil
}

func checkNumber(n string) error {
	if len(n) < 5 || len(n) > 16 || n[0] != '+' || n[1] == '0' || strings.Trim(n[1:], "0123456789") != "" {
		return fmt.Errorf("%w: number", ErrMalformed)
	}
	return nil
}
