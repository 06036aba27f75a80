package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

// DialConfig says whom to call and how to get there.
type DialConfig struct {
	// Target is the Request-URI, sip:user@domain. Required.
	Target string
	// Flow is the connection to use, from a registrar.Binding. Exactly one of Flow and Address is required.
	Flow string
	// Address is where to connect to, "host:port", over TLS. The certificate must be valid for the domain of Target. Required if Flow is empty.
	Address string
	// From is our own URI. Required.
	From string
	// FromName is the display name of the caller. If empty, none is sent.
	FromName string
	// Password answers a digest challenge for the user of From. If empty, a challenge ends the call with *StatusError.
	Password string
	// OnRinging is told of the first 180. It must not block. If nil, nobody is told.
	OnRinging func()
}

func flowKey(req *msg.Request) string {
	return strings.ToLower(req.Transport()) + "/" + req.Destination()
}

// Dial places a call and returns when it is answered. A refusal is a *StatusError. When ctx ends first, the call is canceled; should the
// answer have crossed the CANCEL, it is acknowledged and ended (RFC 3261 section 9.1).
func (ep *Endpoint) Dial(ctx context.Context, dc DialConfig, m Media) (*Call, error) {
	if ep.isClosed() {
		return nil, ErrClosed
	}
	c, err := ep.newOutgoing(ctx, dc, m)
	if err != nil {
		return nil, err
	}
	offer, err := m.Offer(ctx)
	if err != nil {
		c.cancel()
		return nil, err
	}
	auth := ""
	for try := 0; ; try++ {
		req := c.inviteRequest(offer, auth)
		res, err := c.invited(ctx, req, dc.OnRinging)
		if err != nil {
			c.finish(err)
			return nil, err
		}
		if (res.StatusCode == 401 || res.StatusCode == 407) && dc.Password != "" && try < 2 {
			auth, err = answerChallenge(res, req, c.d.local.uri.User, dc.Password)
			if err != nil {
				c.finish(err)
				return nil, err
			}
			continue
		}
		if res.StatusCode >= 300 {
			err := &StatusError{Code: res.StatusCode, Method: "INVITE"}
			c.finish(err)
			return nil, err
		}
		if err := m.Accept(ctx, res.Body()); err != nil {
			c.end(ErrLocalBye, true)
			return nil, fmt.Errorf("sip: answer refused: %w", err)
		}
		return c, nil
	}
}

func (ep *Endpoint) newOutgoing(ctx context.Context, dc DialConfig, m Media) (*Call, error) {
	target, err := parseURI(dc.Target)
	if err != nil {
		return nil, err
	}
	from, err := parseURI(dc.From)
	if err != nil {
		return nil, err
	}
	if err := checkText(dc.FromName); err != nil {
		return nil, err
	}
	flow, err := ep.route(ctx, dc.Flow, dc.Address, target.Host)
	if err != nil {
		return nil, err
	}
	cctx, cancel := context.WithCancel(context.Background())
	src := source{conn: flow, network: networkOf(flow), addr: flow.RemoteAddr().String(), secure: flow.secure, serverName: flow.serverName}
	src.host, _, _ = net.SplitHostPort(src.addr)
	c := &Call{ep: ep, id: randomID(), src: src, to: target.User, from: from.User, state: stateEarly, ctx: cctx, cancel: cancel, done: make(chan struct{}), media: m}
	remote := *target.Clone()
	remote.UriParams, remote.Headers = nil, nil
	c.d = dialog{
		id: dialogID{callID: randomID(), local: randomID()}, local: party{strings.ReplaceAll(dc.FromName, `"`, "'"), from}, remote: party{"", remote},
		target: target, network: src.network, addr: src.addr,
	}
	c.d.contact = ep.contactFor(src, from.User)
	return c, nil
}

func networkOf(c *conn) string {
	if c.secure {
		return "TLS"
	}
	return "TCP"
}

// route finds the connection for a request: the flow of a registration, or one that we open.
func (ep *Endpoint) route(ctx context.Context, flow, address, domain string) (*conn, error) {
	switch {
	case (flow == "") == (address == ""):
		return nil, errors.New("sip: exactly one of Flow and Address is required")
	case flow != "":
		if c := ep.conns.find(flow); c != nil {
			return c, nil
		}
		return nil, ErrFlowGone
	default:
		return ep.out.connect(ctx, address, canonicalHost(domain))
	}
}

func (c *Call) inviteRequest(offer []byte, auth string) *msg.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	req := c.d.request(msg.INVITE, 0)
	req.AppendHeader(header("Allow", allowedMethods))
	if c.ep.cfg.UserAgent != "" {
		req.AppendHeader(header("User-Agent", c.ep.cfg.UserAgent))
	}
	if auth != "" {
		req.AppendHeader(header("Authorization", auth))
	}
	req.AppendHeader(header("Content-Type", "application/sdp"))
	req.SetBody(offer)
	return req
}

func answerChallenge(res *msg.Response, req *msg.Request, user, password string) (string, error) {
	name := "WWW-Authenticate"
	if res.StatusCode == 407 {
		name = "Proxy-Authenticate"
	}
	var challenges []string
	for _, h := range res.GetHeaders(name) {
		challenges = append(challenges, h.Value())
	}
	return digest.Answer(challenges, []string{digest.SHA256, digest.MD5}, string(req.Method), req.Recipient.String(), user, password)
}

// invited runs one INVITE transaction to its final response. A 2xx has been acknowledged and is a dialog when it returns.
func (c *Call) invited(ctx context.Context, req *msg.Request, ringing func()) (*msg.Response, error) {
	if c.ep.conns.find(flowKey(req)) == nil {
		return nil, ErrFlowGone
	}
	tx, err := c.ep.tx.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("sip: INVITE: %w", err)
	}
	// Another 2xx is a repetition, whose ACK was lost, or another fork, which is acknowledged by its own tag and ended (RFC 3261 section 13.2.2.4).
	seq := req.CSeq().SeqNo
	tx.OnRetransmission(func(res *msg.Response) { c.ep.spawn(func() { c.onSecond2xx(seq, res) }) }) // apart: the library calls with its lock held
	c.ep.mu.Lock()
	c.ep.invites[inviteID{c.d.id.callID, c.d.id.local}] = c
	c.ep.mu.Unlock()
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, fmt.Errorf("sip: INVITE: %w", err)
	}
	provisional := false
	for {
		select {
		case res := <-tx.Responses():
			switch {
			case res.StatusCode < 200:
				provisional = true
				if res.StatusCode == 180 && ringing != nil {
					ringing()
					ringing = nil
				}
			case res.StatusCode < 300:
				if err := c.establish(req, res); err != nil {
					return nil, err
				}
				if req.Transport() != "UDP" {
					// RFC 6026 keeps the transaction for 64*T1, to take more 2xx. On a reliable transport onLate2xx takes them, for a tenth of the memory.
					tx.Terminate()
				}
				return res, nil
			default:
				return res, nil
			}
		case <-tx.Done():
			if err := tx.Err(); err != nil && !errors.Is(err, msg.ErrTransactionTerminated) {
				return nil, fmt.Errorf("sip: INVITE: %w", err)
			}
			return nil, &StatusError{Code: 408, Method: "INVITE"}
		case <-ctx.Done():
			c.ep.spawn(func() { c.giveUp(req, tx, provisional) }) // at most 64*T1 after the CANCEL
			return nil, context.Cause(ctx)
		case <-c.ep.done:
			tx.Terminate()
			return nil, ErrClosed
		}
	}
}

// giveUp cancels an INVITE. A CANCEL must wait for a provisional response (RFC 3261 section 9.1); a 2xx that crossed it is acknowledged and ended.
func (c *Call) giveUp(req *msg.Request, tx *msg.ClientTx, provisional bool) {
	limit := time.NewTimer(64 * t1)
	defer limit.Stop()
	sent := false
	for {
		if provisional && !sent {
			sent = true
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			_, _ = c.ep.transact(ctx, cancelOf(req)) // its answer says nothing that the INVITE's final response does not
			cancel()
		}
		select {
		case res := <-tx.Responses():
			switch {
			case res.StatusCode < 200:
				provisional = true
			case res.StatusCode < 300:
				c.onSecond2xx(req.CSeq().SeqNo, res)
				return
			default:
				return
			}
		case <-tx.Done():
			return
		case <-limit.C:
			tx.Terminate()
			return
		case <-c.ep.done:
			tx.Terminate()
			return
		}
	}
}

// cancelOf builds the CANCEL of an INVITE: same Via, same CSeq number (RFC 3261 section 9.1).
func cancelOf(invite *msg.Request) *msg.Request {
	req := msg.NewRequest(msg.CANCEL, *invite.Recipient.Clone())
	req.AppendHeader(invite.Via().Clone())
	msg.CopyHeaders("Route", invite, req)
	msg.CopyHeaders("From", invite, req)
	msg.CopyHeaders("To", invite, req)
	msg.CopyHeaders("Call-ID", invite, req)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: msg.CANCEL})
	mf := msg.MaxForwardsHeader(70)
	req.AppendHeader(&mf)
	req.SetTransport(invite.Transport())
	req.SetDestination(invite.Destination())
	req.SetBody(nil)
	return req
}

// establish makes the dialog of a 2xx (RFC 3261 section 12.1.2) and acknowledges it.
func (c *Call) establish(req *msg.Request, res *msg.Response) error {
	tag, _ := param(res.To().Params, "tag")
	target, ok := contactOf(res)
	if !ok {
		target = c.d.target
	}
	c.mu.Lock()
	if c.state != stateEarly {
		c.mu.Unlock()
		return ErrCallEnded
	}
	c.d.id.remote, c.d.target, c.d.routes = tag, target, recordRoutes(res, true)
	c.state = stateUp
	ack := c.d.request(msg.ACK, req.CSeq().SeqNo)
	c.mu.Unlock()
	c.ep.promote(c)
	if err := c.ep.write(ack); err != nil {
		c.end(ErrFlowGone, false)
		return fmt.Errorf("sip: ACK: %w", err)
	}
	return nil
}

// onLate2xx takes the 2xx of an INVITE whose transaction is over.
func (ep *Endpoint) onLate2xx(res *msg.Response) {
	if !res.IsSuccess() || res.CSeq() == nil || res.CSeq().MethodName != msg.INVITE || res.From() == nil || res.CallID() == nil {
		return
	}
	tag, _ := param(res.From().Params, "tag")
	ep.mu.Lock()
	c := ep.invites[inviteID{res.CallID().Value(), tag}]
	ep.mu.Unlock()
	if c != nil {
		c.onSecond2xx(res.CSeq().SeqNo, res)
	}
}

func (c *Call) onSecond2xx(seq uint32, res *msg.Response) {
	if res.To() == nil || res.StatusCode >= 300 {
		return
	}
	tag, _ := param(res.To().Params, "tag")
	c.mu.Lock()
	ours := c.state == stateUp && c.d.id.remote == tag
	fork := c.d
	c.mu.Unlock()
	fork.id.remote, fork.routes = tag, recordRoutes(res, true)
	if target, ok := contactOf(res); ok {
		fork.target = target
	}
	_ = c.ep.write(fork.request(msg.ACK, seq)) // the peer repeats its 2xx if this is lost
	if ours {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = c.ep.transact(ctx, fork.request(msg.BYE, 0)) // a fork nobody wants; it times out by itself if the BYE is lost
}
