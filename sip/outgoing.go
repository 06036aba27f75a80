package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

// DialConfig says whom to call and how to get there.
type DialConfig struct {
	// Target is the Request-URI, sip:user@domain. Required.
	Target string
	// Flow is the connection to use, from a registrar.Binding. Exactly one of Flow and Address is required.
	Flow string
	// Address is where to connect to, "host:port", over TLS. The certificate must be valid for ServerName, at every reconnect too. Required if Flow
	// is empty.
	Address string
	// ServerName is the name that the certificate must be valid for. If empty, the domain of Target.
	ServerName string
	// Client is used for the connection to Address: the certificate that we show, the roots that we trust. If zero, Config.Client.
	Client TLSConfig
	// Route are the URIs of proxies that the call must pass, first one first (RFC 3261 section 16.12): the Path of a binding. If empty, there are none.
	Route []string
	// From is our own URI. Required.
	From string
	// FromName is the display name of the caller. If empty, none is sent.
	FromName string
	// Password answers digest challenges, those inside the call too; what one server asked for is kept, and shown to it at once by later requests. In the
	// clear it is used under a waiver with Digest only. If empty, a challenge ends the call with *StatusError.
	Password string
	// AuthUser is the user that Password belongs to. If empty, the user of From.
	AuthUser string
	// Realm and User are what Call.Realm and Call.User say: whom we call. If empty, nothing is known; a call without a realm is never replaced.
	Realm, User string
	// Headers are added to the INVITE. Those this package writes itself are refused with ErrMalformed, as is what would not be one line.
	// If empty, there are none.
	Headers []Header
	// Attachments travel beside the session description. If empty, it travels alone.
	Attachments []Attachment
	// EarlyMedia has the answer in a provisional response taken at once, so that the peer is heard before it answers. Media.Accept is called again if
	// another fork answers the call. If false, only the final answer is taken.
	EarlyMedia bool
	// OnRinging is told of the first 180. It must not block. If nil, nobody is told.
	OnRinging func()
	// OnProgress is told of each provisional response, 100-199, so that a caller can give up a peer of which nothing is heard. It must not block.
	// If nil, nobody is told.
	OnProgress func(status int)
}

// Dial places a call and returns when it is answered. A refusal is a *StatusError. When ctx ends first, the call is canceled; should the
// answer have crossed the CANCEL, it is acknowledged and ended (RFC 3261 section 9.1). Other errors are ErrTimeout, ErrTransport, ErrFlowGone,
// ErrMalformed, ErrClosed, those of m and ctx's.
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
	kind, body, err := compose(offer, dc.Attachments)
	if err != nil {
		c.cancel()
		return nil, err
	}
	p := &placing{c: c, ringing: dc.OnRinging, progress: dc.OnProgress, early: dc.EarlyMedia}
	for try := 0; ; try++ {
		req, sent := c.inviteRequest(dc, kind, body)
		res, err := p.invite(ctx, req)
		if err != nil {
			c.finish(err, false)
			return nil, err
		}
		switch {
		case try < 3 && challenged(c.proof, req, res, sent):
			continue
		case res.StatusCode == 422 && try < 3 && minSE(res) > c.session.interval: // RFC 4028 section 7.3
			c.session.interval = minSE(res)
			continue
		case res.StatusCode >= 300:
			err := statusError(res, "INVITE")
			err.Rang = p.rang
			c.finish(err, false)
			return nil, err
		}
		if err := p.agree(ctx, res); err != nil {
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
	if err := errors.Join(checkText(dc.FromName), checkText(dc.AuthUser), checkHeaders(dc.Headers)); err != nil {
		return nil, err
	}
	var routes []msg.Uri
	for _, r := range dc.Route {
		u, err := parseURI(r)
		if err != nil {
			return nil, err
		}
		routes = append(routes, u)
	}
	var how *dialed
	if dc.Address != "" {
		how = &dialed{address: dc.Address, serverName: canonicalHost(dc.ServerName), client: dc.Client}
		if how.serverName == "" {
			how.serverName = canonicalHost(target.Host)
		}
	}
	src, err := ep.route(ctx, dc.Flow, how)
	if err != nil {
		return nil, err
	}
	cctx, cancel := context.WithCancel(context.Background())
	c := &Call{ep: ep, id: randomID(), src: src, realm: dc.Realm, user: dc.User, to: target.User, from: from.User, dial: how,
		state: stateEarly, turn: turn{by: we}, ctx: cctx, cancel: cancel, done: make(chan struct{}), media: m}
	remote := target
	remote.UriParams, remote.Headers = nil, nil
	c.d = dialog{
		id: dialogID{callID: randomID(), local: randomID()}, local: party{strings.ReplaceAll(dc.FromName, `"`, "'"), from}, remote: party{"", remote},
		target: target, routes: routes, network: src.network, addr: src.addr, socket: src.local,
	}
	user := dc.AuthUser
	if user == "" {
		user = from.User
	}
	c.proof = ep.proofAt(how, src, from.Host, user, dc.Password)
	c.d.contact = ep.contactFor(src, from.User)
	return c, nil
}

func networkOf(c *conn) string {
	switch {
	case c.web != nil:
		return "WSS"
	case c.secure:
		return "TLS"
	}
	return "TCP"
}

// route finds the connection for a request: the flow of a registration, or one that we open.
func (ep *Endpoint) route(ctx context.Context, flow string, how *dialed) (source, error) {
	switch {
	case (flow == "") == (how == nil):
		return source{}, errors.New("sip: exactly one of Flow and Address is required")
	case flow != "":
		if src, ok := ep.flowOf(flow); ok {
			return src, nil
		}
		return source{}, ErrFlowGone
	default:
		c, err := ep.out.connect(ctx, *how)
		if err != nil {
			return source{}, err
		}
		return c.source(), nil
	}
}

func (c *Call) inviteRequest(dc DialConfig, kind string, body []byte) (*msg.Request, []digest.Field) {
	c.mu.Lock()
	req := c.d.request(msg.INVITE, 0)
	c.mu.Unlock()
	req.AppendHeader(header("Allow", c.ep.caps.allow))
	if c.ep.cfg.UserAgent != "" {
		req.AppendHeader(header("User-Agent", c.ep.cfg.UserAgent))
	}
	for _, h := range dc.Headers {
		req.AppendHeader(header(h.Name, h.Value))
	}
	sent := c.proveInvite(req)
	c.askSession(req, true)
	req.AppendHeader(header("Content-Type", kind))
	req.SetBody(body)
	return req, sent
}

// placing is an INVITE under way.
type placing struct {
	c        *Call
	ringing  func()
	progress func(status int)
	early    bool // take answers of provisional responses
	rang     bool
	answered bool   // by anything: it can be canceled (RFC 3261 section 9.1)
	taken    string // tag of the fork whose early answer was taken
}

// agree takes the answer: that of the 2xx, or the one that its fork gave in a provisional response before (RFC 3261 section 13.2.1).
func (p *placing) agree(ctx context.Context, res *msg.Response) error {
	c := p.c
	tag, _ := param(res.To().Params, "tag")
	answer, _ := sessionOf(contentType(res), res.Body())
	c.mu.Lock()
	e := c.early[tag]
	c.early = nil
	m := c.media
	if e != nil && e.rseq != 0 && len(e.answer) > 0 {
		answer = e.answer // given reliably; the 2xx can only repeat it
	}
	same := p.taken == tag && e != nil && string(e.answer) == string(answer)
	c.mu.Unlock()
	defer c.freeTurn()
	if m == nil {
		return ErrCallEnded
	}
	if same {
		return nil
	}
	return m.Accept(ctx, answer)
}

// provisional takes a provisional response.
func (p *placing) provisional(ctx context.Context, req *msg.Request, res *msg.Response) {
	if p.progress != nil {
		p.progress(res.StatusCode)
	}
	if res.StatusCode == 100 {
		return
	}
	p.rang = true
	if res.StatusCode == 180 && p.ringing != nil {
		p.ringing()
		p.ringing = nil
	}
	e := p.c.onProvisional(req, res)
	if e == nil || !p.early || len(e.answer) == 0 || p.taken == e.d.id.remote {
		return
	}
	if err := p.c.media.Accept(ctx, e.answer); err != nil {
		p.c.ep.log.Info("sip: early answer refused", "call", p.c.id, "err", err)
		return
	}
	p.taken = e.d.id.remote
}

// invite runs one INVITE transaction to its final response. A 2xx has been acknowledged and is a dialog when it returns.
func (p *placing) invite(ctx context.Context, req *msg.Request) (*msg.Response, error) {
	c := p.c
	if !c.ep.reachable(req) {
		return nil, ErrFlowGone
	}
	tx, err := c.ep.tx.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("sip: INVITE: %w: %w", ErrTransport, err)
	}
	// Another 2xx is a repetition, whose ACK was lost, or another fork, which is acknowledged by its own tag and ended (RFC 3261 section 13.2.2.4).
	ep := c.ep // and not c, which the library's timer would keep for 64*T1
	if req.Transport() == "UDP" {
		tx.OnRetransmission(func(res *msg.Response) { ep.spawn(func() { ep.onStray(res) }) }) // apart: the library calls with its lock held
	}
	pl := &placed{call: c}
	pl.begin(req)
	ep.mu.Lock()
	ep.invites[inviteID{c.d.id.callID, c.d.id.local}] = pl
	ep.mu.Unlock()
	defer func() {
		ep.mu.Lock()
		pl.running, pl.tx, pl.heard = false, nil, nil
		ep.mu.Unlock()
	}()
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, fmt.Errorf("sip: INVITE: %w: %w", ErrTransport, err)
	}
	ep.mu.Lock()
	pl.tx = tx
	ep.mu.Unlock()
	lost, stop := ep.lost(tx)
	defer stop()
	for {
		select {
		case res := <-pl.answered:
			return p.final(ctx, req, pl, res)
		case res := <-tx.Responses():
			if res.StatusCode >= 200 {
				res, err := p.final(ctx, req, pl, res)
				if req.Transport() != "UDP" { // where nothing is repeated the transaction need not stay, for 64*T1 (RFC 6026)
					tx.Terminate()
				}
				return res, err
			}
			p.catchUp(ctx, req, pl, res)
		case <-tx.Done():
			select {
			case res := <-pl.answered: // it was ended for that
				return p.final(ctx, req, pl, res)
			default:
				return nil, fmt.Errorf("sip: INVITE: %w", txError(tx.Err()))
			}
		case <-lost:
			if lost = nil; p.answered { // the peer has the request, and can answer over another connection (RFC 3261 section 18.2.2)
				continue
			}
			tx.Terminate()
			return nil, fmt.Errorf("sip: INVITE: %w", errLost)
		case <-ctx.Done():
			ep.mu.Lock()
			pl.tx = nil
			ep.mu.Unlock()
			ep.spawn(func() { // at most 64*T1 after the CANCEL
				select {
				case res := <-pl.answered:
					ep.onSecond2xx(pl, pl.seq, res)
				default:
					c.giveUp(req, tx, p.answered)
				}
			})
			return nil, context.Cause(ctx)
		case <-c.ep.done:
			tx.Terminate()
			return nil, ErrClosed
		}
	}
}

// catchUp takes the provisional responses up to res, in the order in which they were sent.
func (p *placing) catchUp(ctx context.Context, req *msg.Request, pl *placed, res *msg.Response) {
	for _, r := range p.c.ep.upTo(pl, res) {
		if r.StatusCode < 200 {
			p.answered = true
			p.provisional(ctx, req, r)
		}
	}
}

// final takes a final response, and before it what was sent before it.
func (p *placing) final(ctx context.Context, req *msg.Request, pl *placed, res *msg.Response) (*msg.Response, error) {
	p.catchUp(ctx, req, pl, res)
	if res.IsSuccess() {
		if err := p.c.establish(req, res); err != nil {
			return nil, err
		}
	}
	return res, nil
}
