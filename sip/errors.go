package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

var (
	// ErrClosed is returned by every method of an Endpoint that was closed, and by Serve methods when it closes.
	ErrClosed = errors.New("sip: endpoint closed")
	// ErrCallEnded is returned by verbs of a Call that is over.
	ErrCallEnded = errors.New("sip: call ended")
	// ErrNoACK ends a call whose 2xx was never acknowledged within 64*T1 (RFC 3261 section 13.3.1.4).
	ErrNoACK = errors.New("sip: no ACK for 2xx")
	// ErrNoPRACK ends a call whose reliable provisional response was never acknowledged within 64*T1 (RFC 3262 section 3).
	ErrNoPRACK = errors.New("sip: no PRACK for provisional response")
	// ErrNoRefresh ends a call whose peer has silently gone: it did not refresh the session (RFC 4028 section 10) or knows the dialog no more.
	ErrNoRefresh = errors.New("sip: other side is gone")
	// ErrReplaced ends a call that another one has taken over (RFC 3891).
	ErrReplaced = errors.New("sip: replaced by another call")
	// ErrTimeout is returned when the peer did not answer a request at all (timers B and F of RFC 3261 section 17.1).
	ErrTimeout = errors.New("sip: no response")
	// ErrTransport is returned when a request could not be sent: no connection, or one that broke. The peer has not seen it, or its answer was lost.
	ErrTransport = errors.New("sip: transport failed")
	// ErrCanceled ends a call that its caller gave up before it was answered (CANCEL).
	ErrCanceled = errors.New("sip: canceled by caller")
	// ErrRemoteBye ends a call that the other side ended with BYE.
	ErrRemoteBye = errors.New("sip: ended by other side")
	// ErrLocalBye ends a call that our side ended.
	ErrLocalBye = errors.New("sip: ended here")
	// ErrFlowGone is returned by Dial when the connection over which the target registered is closed (RFC 5626 section 5.3).
	ErrFlowGone = errors.New("sip: registration flow is gone")
	// ErrUnknownUser is what Realm.Credentials returns for a user that does not exist. The peer cannot tell it from a wrong password.
	ErrUnknownUser = errors.New("sip: unknown user")
	// ErrUnknownRealm is what Config.Realm returns for a domain that is not served here; the peer gets 404.
	ErrUnknownRealm = errors.New("sip: domain not served here")
	// ErrRealmMismatch is what Config.Realm returns when domain and TLS server name belong to different realms; the peer gets 403.
	ErrRealmMismatch = errors.New("sip: domain and TLS server name disagree")
	// ErrMalformed is returned for a value that cannot be written into a SIP message, such as one with a line break.
	ErrMalformed = errors.New("sip: malformed value")
	// ErrWeakTLS is returned by ServerTLS and ClientTLS for a configuration below the floor.
	ErrWeakTLS = errors.New("sip: TLS configuration below the floor")
)

// StatusError is a final response of 300 or more to a request of ours.
type StatusError struct {
	Code   int    // 300-699
	Method string // of the request
	// RetryAfter is how long the peer asks us to stay away (RFC 3261 section 20.33); zero if it does not say.
	RetryAfter time.Duration
	// Rang reports that the call was ringing somewhere before it was refused, so that it must not be tried elsewhere as if nothing had happened.
	Rang bool
}

func (e *StatusError) Error() string { return fmt.Sprintf("sip: %s refused with %d", e.Method, e.Code) }

func statusError(res *msg.Response, method string) *StatusError {
	e := &StatusError{Code: res.StatusCode, Method: method}
	if h := res.GetHeader("Retry-After"); h != nil {
		v := strings.FieldsFunc(h.Value(), func(r rune) bool { return r == ' ' || r == ';' || r == '(' })
		if len(v) > 0 {
			if n, err := strconv.ParseUint(v[0], 10, 31); err == nil {
				e.RetryAfter = time.Duration(n) * time.Second
			}
		}
	}
	return e
}
