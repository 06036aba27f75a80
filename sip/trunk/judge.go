package trunk

import (
	"context"
	"errors"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// fate is how one attempt ended.
type fate int

const (
	answered fate = iota + 1 // 2xx
	refused                  // a final response of 300 or more
	silent                   // no response, or no ringing, in time
	broken                   // no connection, or it was lost
	stopped                  // the caller gave up, or the deadline came
	ours                     // an error of this side: no carrier can mend it
)

// outcome is what the state machines are told of an attempt.
type outcome struct {
	fate       fate
	status     int // if refused
	retryAfter time.Duration
	rang       bool // 180, 183 or the like had come: somebody may have a phone in hand
}

// verdict is what follows from an outcome.
type verdict struct {
	nextTarget, nextCarrier bool
	sick, well              bool // what it says of the carrier; neither: nothing
}

// judge is the table of this package. A status that is not in it is about the call, the number or the called party: another carrier would get
// the same answer, and asking it would only hide that from the caller.
//
//	outcome            next server  next carrier  counts  why
//	transport error    yes          yes           yes     RFC 3263 section 4.3
//	silence (timer B)  yes          yes           yes     RFC 3263 section 4.3
//	503                yes          yes           yes     RFC 3261 section 21.5.4, RFC 3263 section 4.3
//	500 502 504        no           yes           yes     the servers of one carrier share what is behind them (sections 21.5.1, 21.5.3, 21.5.5)
//	401 407            no           yes           yes     our account does not work there (sections 21.4.2, 21.4.8)
//	408                no           yes           no      it came from beyond the carrier (section 21.4.9)
//	3xx                no           yes           no      never followed: a peer must not choose whom we pay to call (section 21.3)
//	415 488 501 505 513 no          yes           no      this carrier cannot do what was offered, another may
//	6xx                no           no            no      the answer of everywhere (section 21.6)
//	others, 486 404..  no           no            no      about the called party
//
// After ringing nothing is tried, whatever came. An emergency call goes on to the next carrier after any refusal but 6xx.
func judge(o outcome, emergency bool) verdict {
	var v verdict
	switch o.fate {
	case answered:
		return verdict{well: true}
	case stopped:
		return verdict{}
	case ours: // an emergency call is tried with what another carrier needs
		v = verdict{nextCarrier: emergency}
	case broken, silent:
		v = verdict{nextTarget: true, nextCarrier: true, sick: true}
	case refused:
		switch s := o.status; {
		case s == 503:
			v = verdict{nextTarget: true, nextCarrier: true, sick: true}
		case s == 500 || s == 502 || s == 504 || s == 401 || s == 407:
			v = verdict{nextCarrier: true, sick: true}
		case s == 408 || s < 400 || s == 488 || s == 415 || s == 501 || s == 505 || s == 513:
			v = verdict{nextCarrier: true}
		case s >= 600:
			v = verdict{well: true}
		default:
			v = verdict{well: true, nextCarrier: emergency}
		}
	}
	if o.rang { // it carried the call as far as a phone, so it works
		return verdict{well: true}
	}
	return v
}

var errSilent = errors.New("trunk: the carrier does not answer")

// outcomeOf reads what Dial returned. cause is why the context of the attempt ended, nil if it did not.
func outcomeOf(err, cause error, rang bool) outcome {
	o := outcome{rang: rang}
	var se *sip.StatusError
	switch {
	case err == nil:
		o.fate = answered
	case errors.As(err, &se):
		o.fate, o.status, o.retryAfter, o.rang = refused, se.Code, se.RetryAfter, rang || se.Rang
	case errors.Is(cause, errSilent):
		o.fate = silent
	case cause != nil, errors.Is(err, context.Canceled), errors.Is(err, sip.ErrClosed):
		o.fate = stopped
	case errors.Is(err, sip.ErrTimeout):
		o.fate = silent
	case errors.Is(err, sip.ErrTransport), errors.Is(err, sip.ErrFlowGone):
		o.fate = broken
	default:
		o.fate = ours
	}
	return o
}
