package sip

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

type callState int

const (
	stateEarly callState = iota + 1 // INVITE without a final answer
	stateUp                         // 2xx sent or received
	stateEnded
)

// Call is one INVITE dialog (RFC 3261 section 13), incoming or placed by us. All methods are safe for concurrent use.
type Call struct {
	ep       *Endpoint
	id       string
	incoming bool
	src      source // as it was when the call began; the flow of now is in d
	realm    string
	user     string // authenticated; empty for calls we place
	to, from string
	offer    []byte
	replaced *Call // an incoming call that names another to be replaced

	stx    *msg.ServerTx // the INVITE, incoming
	invite *msg.Request
	pid    pendingID
	proof  *prover // answers challenges of our requests; nil: none is answered
	dial   *dialed // how to reach the peer again when its connection is gone; nil for flows
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}

	mu        sync.Mutex
	state     callState
	cause     error
	first     msg.Message // whose headers Header shows
	d         dialog
	peer      abilities
	media     Media
	turn      turn
	lane      lane
	trying    *time.Timer // until anything was said to the INVITE
	awaiting  map[uint32]*accepted
	reliable  *provisional // without PRACK yet
	rseq      uint32       // of the last reliable provisional response of ours
	answered  []byte       // the description of ours that the peer has from a provisional response
	early     map[string]*earlyDialog
	session   session
	onDigit   func(digit byte)
	onRefer   func(ctx context.Context, t *Transfer) error
	referrals map[uint32]chan<- notice
	detached  bool
	onEnd     func(cause error)
}

// abilities are what the peer said it can, in Supported and Allow.
type abilities struct{ rel100, timer, replaces, update bool }

func abilitiesOf(m msg.Message) abilities {
	var a abilities
	for tag := range values(m, "Supported", "Require") {
		switch strings.ToLower(tag) {
		case "100rel":
			a.rel100 = true
		case "timer":
			a.timer = true
		case "replaces":
			a.replaces = true
		}
	}
	a.update = has(m, string(msg.UPDATE), "Allow")
	return a
}

// ID is an identifier of ours, unique and safe to log. Unlike the Call-ID, no peer chose it.
func (c *Call) ID() string { return c.id }

// Incoming reports whether the peer placed the call.
func (c *Call) Incoming() bool { return c.incoming }

// Realm is the name of the realm the call belongs to: that of the caller of an incoming call.
func (c *Call) Realm() string { return c.realm }

// User is the user that authenticated an incoming call; empty for a call we placed.
func (c *Call) User() string { return c.user }

// Peer is whom the client certificate of the caller's connection names: a trunk or a device. Empty if it showed none.
func (c *Call) Peer() string {
	if c.src.conn == nil {
		return ""
	}
	return c.src.conn.peer
}

// To is the user part of the Request-URI: the number that was dialed.
func (c *Call) To() string { return c.to }

// ClaimedFrom is the user part of the From header. The peer can write there what it likes; use User to decide anything.
func (c *Call) ClaimedFrom() string { return c.from }

// Secure reports whether the signalling is encrypted, so that SDES keys may travel in it (RFC 4568 section 7).
func (c *Call) Secure() bool { return c.src.secure }

// Transport is how the peer is connected: "UDP", "TCP", "TLS" or "WSS". On WSS there is a browser, whose media is DTLS-SRTP.
func (c *Call) Transport() string { return c.src.network }

// RemoteAddr is the address of the signalling connection on which the call began, "ip:port".
func (c *Call) RemoteAddr() string {
	if c.src.conn != nil {
		return c.src.conn.raw.RemoteAddr().String()
	}
	return c.src.addr
}

// Done is closed when the call is over, for whatever reason.
func (c *Call) Done() <-chan struct{} { return c.done }

// Err says why a call is over: ErrRemoteBye, ErrLocalBye, ErrCanceled, ErrNoACK, ErrNoRefresh, ErrReplaced, ErrClosed or a *StatusError. It is nil
// while the call is alive.
func (c *Call) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// Detach lets the call live on when Config.OnCall returns: from then on a waiting call is memory and no goroutine. f runs once when the call
// is over, apart from other goroutines of the call, with the reason; if nil, nothing runs. Detach returns ErrCallEnded, without calling f, if the call is over.
// It is for incoming calls; one that we placed never had a goroutine.
func (c *Call) Detach(f func(cause error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == stateEnded {
		return ErrCallEnded
	}
	c.detached, c.onEnd = true, f
	return nil
}

// Hangup ends the call: BYE if it was answered, 480 if it was ringing here. It returns when the peer has confirmed, or with ctx's error; the call
// is over for us in any case. It returns ErrCallEnded if it was over already.
func (c *Call) Hangup(ctx context.Context) error {
	if c.incoming && c.refuse(480, ErrLocalBye) {
		return nil
	}
	bye := c.finish(ErrLocalBye, true)
	if bye == nil {
		return ErrCallEnded
	}
	return c.sendBye(ctx, bye)
}

// end is Hangup without waiting.
func (c *Call) end(cause error, sayBye bool) {
	bye := c.finish(cause, sayBye)
	if bye == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.sendBye(ctx, bye) // the peer is gone or will time out; the call is over here
}

// finish moves the call to its end once. With sayBye it returns the BYE to send, if the call was up.
func (c *Call) finish(cause error, sayBye bool) *msg.Request {
	c.mu.Lock()
	if c.state == stateEnded {
		c.mu.Unlock()
		return nil
	}
	var bye *msg.Request
	if sayBye && c.state == stateUp {
		bye = c.d.request(msg.BYE, 0)
	}
	c.state, c.cause = stateEnded, cause
	for _, a := range c.awaiting {
		a.timer.Stop()
	}
	if c.reliable != nil {
		c.reliable.timer.Stop()
	}
	c.session.stop()
	c.said()
	onEnd := c.onEnd
	// Transactions remember the call for 64*T1; they must not keep its media alive.
	c.awaiting, c.media, c.offer, c.reliable, c.answered, c.early, c.onEnd = nil, nil, nil, nil, nil, nil, nil
	close(c.done)
	counted := c.detached && c.stx != nil // the goroutine of a call that was not detached counts itself off
	c.mu.Unlock()
	c.cancel()
	c.ep.forget(c)
	if counted {
		c.ep.live.Add(-1)
	}
	if onEnd != nil && !c.ep.spawn(func() { onEnd(cause) }) {
		onEnd(cause) // the endpoint is closing and waits for it this way
	}
	return bye
}

// shut ends the call when the endpoint closes: a BYE is written if the flow takes it, nothing is waited for.
func (c *Call) shut() {
	if bye := c.finish(ErrClosed, true); bye != nil {
		_ = c.ep.write(bye) // best effort by definition
	}
}

func (c *Call) sendBye(ctx context.Context, bye *msg.Request) error {
	res, err := c.transact(ctx, bye)
	if err != nil {
		return fmt.Errorf("sip: BYE: %w", err)
	}
	if res.StatusCode >= 300 && res.StatusCode != 481 && res.StatusCode != 408 {
		return statusError(res, "BYE")
	}
	return nil
}
