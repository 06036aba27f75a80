package sip

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Transfer is what the peer of a call asks for by REFER (RFC 3515, RFC 5589): to be replaced in its conversation by somebody else.
type Transfer struct {
	// Call is the call the request came in: its peer is the transferor, whose right to do this is the handler's to check.
	Call *Call
	// Target is the URI to reach, without its headers.
	Target string
	// To is the user part of Target: the number. Domain is its host, in lower case: a number of another domain is another number.
	To, Domain string
	// ReferredBy is the Referred-By header (RFC 3892): a claim.
	ReferredBy string
	// Replaces is the transferor's other call with us, whose far end is the target of an attended transfer; nil for a blind one. Whether it is
	// really the transferor's is the handler's to check.
	Replaces *Call

	id     uint32
	silent bool
}

// transferTime bounds the handler of a transfer: it includes the ringing of the target.
const transferTime = 3 * time.Minute

// OnTransfer sets what serves transfers that the peer of this call asks for. f runs in a goroutine of its own, with a context that outlives the call,
// because the transferor may hang up at once. Its result is reported to the transferor: nil as 200, a *StatusError by its code, another error as 503.
// Without f a transfer is declined with 603.
func (c *Call) OnTransfer(f func(ctx context.Context, t *Transfer) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onRefer = f
}

// onTransfer serves REFER.
func (c *Call) onTransfer(req *msg.Request, tx *msg.ServerTx) {
	c.mu.Lock()
	f, up := c.onRefer, c.state == stateUp
	c.mu.Unlock()
	if f == nil || !up {
		c.ep.respond(req, tx, 603)
		return
	}
	t, code := c.readTransfer(req)
	if code != 0 {
		c.ep.respond(req, tx, code)
		return
	}
	hs := []msg.Header{c.contactHeader()}
	if t.silent {
		hs = append(hs, header("Refer-Sub", "false"))
	}
	c.ep.respond(req, tx, 202, hs...)
	c.ep.spawn(func() {
		ctx, cancel := context.WithTimeout(c.ep.life, transferTime)
		defer cancel()
		_ = t.Progress(ctx, 100) // the implicit subscription begins with a NOTIFY (RFC 3515 section 2.4.4); a transferor that is gone needs none
		err := f(ctx, t)
		status := 200
		var se *StatusError
		switch {
		case errors.As(err, &se):
			status = se.Code
		case err != nil:
			status = 503
		}
		if err := t.notify(ctx, status, "terminated;reason=noresource"); err != nil && !errors.Is(err, ErrCallEnded) {
			c.ep.log.Debug("sip: end of transfer not reported", "call", c.id, "err", err)
		}
	})
}

// readTransfer checks a REFER. A code that is not zero refuses it.
func (c *Call) readTransfer(req *msg.Request) (*Transfer, int) {
	hs := req.GetHeaders("Refer-To")
	if len(hs) != 1 { // RFC 3515 section 2.4.2
		return nil, 400
	}
	v := strings.TrimSpace(hs[0].Value())
	if i := strings.IndexByte(v, '<'); i >= 0 {
		v = v[i+1:]
		j := strings.IndexByte(v, '>')
		if j < 0 {
			return nil, 400
		}
		v = v[:j]
	}
	base, headers, _ := strings.Cut(v, "?")
	target, err := parseURI(base)
	if err != nil || target.User == "" {
		return nil, 400
	}
	t := &Transfer{Call: c, Target: target.String(), To: target.User, Domain: canonicalHost(target.Host), id: req.CSeq().SeqNo}
	for _, h := range strings.Split(headers, "&") {
		name, value, _ := strings.Cut(h, "=")
		if !strings.EqualFold(name, "Replaces") {
			continue
		}
		r, ok := parseEscaped(value)
		if !ok {
			return nil, 400
		}
		if t.Replaces = c.ep.findReplaced(r); t.Replaces == nil || t.Replaces == c {
			return nil, 481 // the other call is not with us, or is over
		}
	}
	if v := first(req, "Referred-By"); checkText(v) == nil {
		t.ReferredBy = v
	}
	t.silent = strings.EqualFold(strings.TrimSpace(first(req, "Refer-Sub")), "false") // RFC 4488
	return t, 0
}

// Progress tells the transferor how far the transfer is: a provisional status such as 180.
func (t *Transfer) Progress(ctx context.Context, status int) error {
	if status < 100 || status > 199 {
		return fmt.Errorf("%w: status %d is not provisional", ErrMalformed, status)
	}
	return t.notify(ctx, status, "active;expires="+strconv.Itoa(int(transferTime/time.Second)))
}

// notify sends a NOTIFY of the subscription that a REFER makes.
func (t *Transfer) notify(ctx context.Context, status int, state string) error {
	if t.silent {
		return nil
	}
	c := t.Call
	c.mu.Lock()
	if c.state != stateUp {
		c.mu.Unlock()
		return ErrCallEnded
	}
	req := c.d.request(msg.NOTIFY, 0)
	c.mu.Unlock()
	req.AppendHeader(header("Event", "refer;id="+strconv.FormatUint(uint64(t.id), 10)))
	req.AppendHeader(header("Subscription-State", state))
	req.AppendHeader(header("Content-Type", "message/sipfrag;version=2.0"))
	req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", status, reason(status)))
	_, err := c.transact(ctx, req)
	return err
}

// notice is what a NOTIFY says about a transfer of ours.
type notice struct {
	status int
	over   bool
}

// Refer asks the peer to call target instead of us (blind transfer) or, if instead is not nil, to take our place in that call of ours, whose far end
// is target then (attended transfer). It returns nil when the peer reports success, and a *StatusError when it refuses or its call fails. The
// call itself stays; hang it up after success. If the peer ends the call first, that is ErrCallEnded.
func (c *Call) Refer(ctx context.Context, target string, instead *Call) error {
	uri, err := parseURI(target)
	if err != nil {
		return err
	}
	to := uri.String()
	if instead != nil {
		r, err := instead.replacesFor()
		if err != nil {
			return err
		}
		instead.mu.Lock()
		to = instead.d.target.String()
		instead.mu.Unlock()
		to += "?Replaces=" + url.QueryEscape(r.String())
	}
	notices := make(chan notice, 16)
	c.mu.Lock()
	if c.state != stateUp {
		c.mu.Unlock()
		return ErrCallEnded
	}
	req := c.d.request(msg.REFER, 0)
	seq, by := req.CSeq().SeqNo, c.d.local.uri.String()
	if c.referrals == nil {
		c.referrals = make(map[uint32]chan<- notice)
	}
	c.referrals[seq] = notices
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.referrals, seq)
	}()
	req.AppendHeader(header("Refer-To", "<"+to+">"))
	req.AppendHeader(header("Referred-By", "<"+by+">"))
	res, err := c.transact(ctx, req)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return statusError(res, "REFER")
	}
	for {
		select {
		case n := <-notices:
			switch {
			case n.status >= 300:
				return &StatusError{Code: n.status, Method: "REFER"}
			case n.status >= 200:
				return nil
			case n.over: // ended without saying how
				return &StatusError{Code: 487, Method: "REFER"}
			}
		case <-c.done:
			return ErrCallEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// onNotify takes a NOTIFY of a transfer that we asked for. No other event is subscribed to.
func (c *Call) onNotify(req *msg.Request, tx *msg.ServerTx) {
	event, state := first(req, "Event"), strings.ToLower(strings.TrimSpace(first(req, "Subscription-State")))
	kind, params, _ := strings.Cut(event, ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "refer") {
		c.ep.respond(req, tx, 489)
		return
	}
	n := notice{over: strings.HasPrefix(state, "terminated")}
	if line, ok := strings.CutPrefix(string(req.Body()), "SIP/2.0 "); ok && len(line) >= 3 {
		n.status, _ = strconv.Atoi(line[:3])
	}
	id := ""
	for _, p := range strings.Split(params, ";") {
		if v, ok := strings.CutPrefix(strings.TrimSpace(p), "id="); ok {
			id = v
		}
	}
	c.mu.Lock()
	var to chan<- notice
	if seq, err := strconv.ParseUint(id, 10, 32); err == nil {
		to = c.referrals[uint32(seq)]
	}
	if to == nil && len(c.referrals) == 1 { // of the only REFER: it needs no id, and has another one after a challenge
		for _, to = range c.referrals {
		}
	}
	c.mu.Unlock()
	if to == nil {
		c.ep.respond(req, tx, 481)
		return
	}
	c.ep.respond(req, tx, 200)
	select {
	case to <- n:
	default: // 16 that nobody has read: the peer floods us
	}
}
