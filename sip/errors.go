package sip

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned by every method of an Endpoint that was closed, and by Serve methods when it closes.
	ErrClosed = errors.New("sip: endpoint closed")
	// ErrCallEnded is returned by verbs of a Call that is over.
	ErrCallEnded = errors.New("sip: call ended")
	// ErrNoACK ends a call whose 2xx was never acknowledged within 64*T1 (RFC 3261 section 13.3.1.4).
	ErrNoACK = errors.New("sip: no ACK for 2xx")
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
}

func (e *StatusError) Error() string { return fmt.Sprintf("sip: %s refused with %d", e.Method, e.Code) }
