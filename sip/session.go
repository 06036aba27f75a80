package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Session timers (RFC 4028): a call whose peer has silently died ends, and nobody pays for it until the end of the month.

// session is the timer of one call. It is guarded by Call.mu.
type session struct {
	interval time.Duration // zero: none
	ours     bool          // we refresh; else we wait for the peer's refreshes
	clock    *time.Timer
}

func (s *session) stop() {
	if s.clock != nil {
		s.clock.Stop()
	}
}

// terms are what a response to INVITE or UPDATE says about the session.
type terms struct {
	interval  time.Duration
	refresher string // "uac" or "uas", seen from the request
	required  bool   // the peer must know the extension: it is to refresh
}

func (t terms) headers() []msg.Header {
	if t.interval == 0 {
		return nil
	}
	hs := []msg.Header{header("Session-Expires", seconds(t.interval)+";refresher="+t.refresher)}
	if t.required {
		hs = append(hs, header("Require", "timer"))
	}
	return hs
}

// sessionTerms decides as UAS (RFC 4028 section 9). tooShort asks for a 422.
func (ep *Endpoint) sessionTerms(req *msg.Request) (t terms, tooShort bool) {
	able := has(req, "timer", "Supported", "Require")
	asked, refresher, given := sessionExpires(req)
	least := minSE(req)
	t = terms{interval: max(ep.cfg.SessionExpires, least), refresher: "uas"}
	if given {
		if asked < ep.cfg.MinSession && able {
			return terms{}, true
		}
		t.interval = max(min(asked, ep.cfg.SessionExpires), least, ep.cfg.MinSession)
		if able && refresher == "uac" {
			t.refresher, t.required = "uac", true
		}
	}
	return t, false
}

// sessionExpires reads the header of that name.
func sessionExpires(m msg.Message) (interval time.Duration, refresher string, ok bool) {
	v, params, _ := strings.Cut(first(m, "Session-Expires"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 31)
	if err != nil { // none, or none that can be read: nothing was asked for
		return 0, "", false
	}
	for p := range strings.SplitSeq(params, ";") {
		if k, val, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(k), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(val))
		}
	}
	return time.Duration(n) * time.Second, refresher, true
}

// minSE reads the Min-SE header; without one it is zero.
func minSE(m msg.Message) time.Duration {
	v, _, _ := strings.Cut(first(m, "Min-SE"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(v), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// askSession adds to a request of ours what it proposes. first leaves the choice of who refreshes to the peer.
func (c *Call) askSession(req *msg.Request, first bool) {
	c.mu.Lock()
	s := c.session
	c.mu.Unlock()
	if first || s.interval == 0 {
		s.interval = max(s.interval, c.ep.cfg.SessionExpires) // more than ours after a 422
	}
	v := seconds(s.interval)
	switch {
	case first:
	case s.ours:
		v += ";refresher=uac"
	default:
		v += ";refresher=uas"
	}
	req.AppendHeader(header("Supported", c.ep.supported))
	req.AppendHeader(header("Session-Expires", v))
	req.AppendHeader(header("Min-SE", seconds(c.ep.cfg.MinSession)))
}

// gotSession takes the terms of a 2xx to a request of ours. A peer without the extension promises nothing; we refresh then, which finds out if it
// is still there.
func (c *Call) gotSession(res *msg.Response) {
	interval, refresher, ok := sessionExpires(res)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !ok {
		interval, refresher = max(c.ep.cfg.SessionExpires, c.session.interval), "uac"
	}
	c.keepSession(interval, refresher != "uas")
}

// keepSession starts the clock anew: we refresh at half of the interval, or end the call shortly before the peer's refresh is overdue (RFC 4028
// section 10). The caller holds c.mu.
func (c *Call) keepSession(interval time.Duration, ours bool) {
	c.session.stop()
	c.session.interval, c.session.ours = interval, ours
	if interval == 0 || c.state == stateEnded {
		return
	}
	if ours {
		c.session.clock = time.AfterFunc(interval/2, func() { c.ep.spawn(c.refresh) })
		return
	}
	c.session.clock = time.AfterFunc(interval-min(32*time.Second, interval/3), func() { c.ep.spawn(func() { c.end(ErrNoRefresh, true) }) })
}

// refresh keeps the session alive by UPDATE without a description, or by re-INVITE where the peer has no UPDATE. A peer that does not answer, or
// knows the dialog no more, has lost the call.
func (c *Call) refresh() {
	ctx, cancel := context.WithTimeout(context.Background(), 64*t1)
	defer cancel()
	c.mu.Lock()
	update, up := c.peer.update, c.state == stateUp
	c.mu.Unlock()
	if !up {
		return
	}
	var err error
	if update {
		err = c.touch(ctx)
	} else {
		err = c.Reoffer(ctx)
	}
	var se *StatusError
	switch {
	case err == nil, errors.Is(err, ErrCallEnded), errors.Is(err, ErrClosed):
	case errors.As(err, &se) && se.Code != 408 && se.Code != 481:
		c.mu.Lock() // the peer is there and is busy, or does not want this one; ask again before it is too late
		c.session.stop()
		if c.state == stateUp {
			c.session.clock = time.AfterFunc(c.session.interval/8, func() { c.ep.spawn(c.refresh) })
		}
		c.mu.Unlock()
	default:
		c.end(ErrNoRefresh, true)
	}
}

// touch sends an UPDATE without a description.
func (c *Call) touch(ctx context.Context) error {
	c.mu.Lock()
	if c.state != stateUp {
		c.mu.Unlock()
		return ErrCallEnded
	}
	req := c.d.request(msg.UPDATE, 0)
	c.mu.Unlock()
	c.askSession(req, false)
	res, err := c.transact(ctx, req)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return statusError(res, "UPDATE")
	}
	c.gotSession(res)
	return nil
}
