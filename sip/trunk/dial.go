package trunk

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
)

// Call is a call to be placed.
type Call struct {
	// To is whom to call: E.164 with a plus sign, a short number of digits, or an emergency service (urn:service:sos). Required.
	To string
	// Owner is whose call it is, for Config.CallerID. If empty, no number can be presented.
	Owner string
	// From is the number to present, E.164. If empty, the call is anonymous.
	From string
	// FromName is a display name. If empty, none is sent.
	FromName string
	// Private keeps From from being shown to the called party (CLIR, RFC 3323). If false, it is shown.
	Private bool
	// Callback is the number of the device, E.164, for an emergency call: help calls it back. If empty, From.
	Callback string
	// Location is where the device is, for an emergency call. If nil, the call is sent without one, and reported.
	Location *Location
	// OnRinging is told of the first sign of ringing, 101-199. It must not block. If nil, nobody is told.
	OnRinging func()
}

// Attempt is one INVITE to one server, after it ended.
type Attempt struct {
	Carrier string
	Target  string // the server, "ip:port"; empty if none was found
	// Status is the final response, 200 if it was answered, 0 if there was none.
	Status int
	Err    error // nil if it was answered
	Rang   bool
	Took   time.Duration
	// Emergency is set for attempts of an emergency call.
	Emergency bool
}

// FailedError is what Dial returns when no carrier brought the call through.
type FailedError struct {
	Attempts []Attempt // in order
	last     error
}

func (e *FailedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "trunk: no answer from %d attempts", len(e.Attempts))
	for _, a := range e.Attempts {
		fmt.Fprintf(&b, "; %s %s: %v", a.Carrier, a.Target, a.Err)
	}
	return b.String()
}

// Unwrap returns the error of the last attempt, often a *sip.StatusError.
func (e *FailedError) Unwrap() error { return e.last }

// request is a Call as it was checked.
type request struct {
	Call
	number    string // to be called
	emergency bool
	media     func(ctx context.Context, carrier string) (sip.Media, error)
	report    EmergencyReport
}

// Dial places a call over the first carrier that brings it through, and returns when it is answered. media is asked for each attempt: keys that one
// carrier was offered must not be those of a call over another. A Media of an attempt that failed is closed, if it can be (io.Closer).
//
// Dial returns ErrNumber or ErrCallerID for what it refuses itself, ErrNoCarrier if no carrier may be tried, and *FailedError otherwise. When ctx
// ends, the attempt is canceled and no other is made.
func (g *Group) Dial(ctx context.Context, call Call, media func(ctx context.Context, carrier string) (sip.Media, error)) (*sip.Call, error) {
	r, err := g.prepare(ctx, call, media)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	setup := g.cfg.SetupTime
	if r.emergency {
		setup *= 3
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil, ErrClosed
	}
	h := newHunt(g.core.plan(began, r.emergency), began.Add(setup), r.emergency)
	g.mu.Unlock()
	var failed FailedError
	var c *sip.Call
	for c == nil {
		i, ok := h.carrier(time.Now())
		if !ok {
			break
		}
		c = g.tryCarrier(ctx, h, i, r, &failed)
	}
	switch {
	case c != nil:
	case len(failed.Attempts) == 0:
		err = ErrNoCarrier
	default:
		failed.last = failed.Attempts[len(failed.Attempts)-1].Err
		err = &failed
	}
	if r.emergency && g.cfg.OnEmergency != nil {
		r.report.At, r.report.Attempts, r.report.Err = began, failed.Attempts, err
		g.cfg.OnEmergency(r.report)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// prepare checks a call before any carrier hears of it.
func (g *Group) prepare(ctx context.Context, call Call, media func(context.Context, string) (sip.Media, error)) (*request, error) {
	r := &request{Call: call, number: call.To, media: media}
	if media == nil {
		return nil, errors.New("trunk: Dial needs media")
	}
	if n, ok := g.cfg.Emergency.match(call.To); ok {
		r.number, r.emergency = n, true
		r.prepareEmergency()
		return r, nil
	}
	if checkE164(call.To) != nil && (call.To == "" || len(call.To) > 15 || !digits(call.To)) {
		return nil, fmt.Errorf("%w: %q", ErrNumber, call.To)
	}
	if err := checkName(call.FromName); err != nil {
		return nil, err
	}
	if call.From == "" {
		return r, nil
	}
	if err := checkE164(call.From); err != nil {
		return nil, err
	}
	if err := g.cfg.CallerID(ctx, call.Owner, call.From); err != nil {
		if !errors.Is(err, ErrCallerID) {
			err = fmt.Errorf("%w: %w", ErrCallerID, err)
		}
		return nil, err
	}
	return r, nil
}

// prepareEmergency makes the best of what is known: nothing that is wrong with an emergency call is a reason not to place it.
func (r *request) prepareEmergency() {
	r.Private = false // help must see who calls, and the law gives it the right
	if r.From = cmp.Or(r.Callback, r.From); checkE164(r.From) != nil {
		r.From = ""
	}
	if checkName(r.FromName) != nil {
		r.FromName = ""
	}
	r.report = EmergencyReport{To: r.number, Owner: r.Owner, Callback: r.From}
	if r.Location == nil {
		r.report.LocationErr = fmt.Errorf("%w: the location of the device is not known", ErrLocation)
		return
	}
	r.report.LocatedAt, r.report.LocationErr = r.Location.At, r.Location.validate()
	r.report.Located = r.report.LocationErr == nil
}

// tryCarrier tries the servers of carrier i, and tells the core how it went.
func (g *Group) tryCarrier(ctx context.Context, h *hunt, i int, r *request, failed *FailedError) *sip.Call {
	k := g.cfg.Carriers[i]
	g.mu.Lock()
	p, ok := g.core.admit(i, time.Now(), r.emergency)
	g.mu.Unlock()
	if !ok { // it filled up or failed since the plan was made
		return nil
	}
	note := func(a Attempt) {
		a.Carrier, a.Emergency = k.Name, r.emergency
		failed.Attempts = append(failed.Attempts, a)
		if g.cfg.OnAttempt != nil {
			g.cfg.OnAttempt(a)
		}
	}
	finding, cancel := context.WithTimeout(ctx, g.cfg.Silence)
	targets, err := g.cfg.Resolver.Resolve(finding, k.Domain)
	cancel()
	if err != nil || len(targets) == 0 {
		err = cmp.Or(err, fmt.Errorf("%w: no server", sip.ErrTransport))
		note(Attempt{Err: err})
		g.settle(p, verdict{sick: ctx.Err() == nil}, 0, nil)
		return nil
	}
	targets = g.awake(i, targets, r.emergency)
	h.found(len(targets))
	var v verdict
	var wait time.Duration // the shortest that a server asked for, if all of them did
	for n := 0; ; n++ {
		j, ok := h.target(time.Now())
		if !ok {
			break
		}
		began := time.Now()
		c, o, err := g.try(ctx, h, k, targets[j], r)
		a := Attempt{Target: targets[j].Address, Status: o.status, Err: err, Rang: o.rang, Took: time.Since(began)}
		if o.fate == answered {
			a.Status = 200
		}
		note(a)
		h.ended(o)
		v = judge(o, r.emergency)
		if c != nil {
			g.settle(p, v, 0, c)
			return c
		}
		if o.status == 503 && o.retryAfter > 0 {
			g.mu.Lock()
			g.core.keepOff(i, targets[j].Address, time.Now(), o.retryAfter)
			g.mu.Unlock()
		}
		if n == 0 || o.retryAfter < wait {
			wait = o.retryAfter
		}
		if o.status != 503 {
			wait = 0
		}
	}
	g.settle(p, v, wait, nil)
	return nil
}

// awake leaves out servers that asked to be left alone, unless there is no other or it is an emergency.
func (g *Group) awake(i int, targets []Target, emergency bool) []Target {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	var up, asleep []Target
	for _, t := range targets {
		if g.core.rests(i, t.Address, now) {
			asleep = append(asleep, t)
		} else {
			up = append(up, t)
		}
	}
	if emergency || len(up) == 0 {
		up = append(up, asleep...)
	}
	return up
}

// settle tells the core, and gives the place back now or when call c is over.
func (g *Group) settle(p place, v verdict, retryAfter time.Duration, c *sip.Call) {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	m := &g.members[p.carrier]
	m.attempts++
	was := g.core.carriers[p.carrier].state(now)
	g.core.settle(p, now, v, retryAfter)
	if is := g.core.carriers[p.carrier].state(now); is != was {
		g.cfg.Logger.Warn("trunk: breaker", "carrier", g.cfg.Carriers[p.carrier].Name, "was", string(was), "is", string(is))
	}
	if v.sick {
		m.failed++
	}
	if c == nil || g.closed {
		g.core.release(p)
		return
	}
	m.answered++
	g.wg.Add(1)
	go func() { // ends with the call or the group, waited for by Close
		defer g.wg.Done()
		select {
		case <-c.Done():
		case <-g.ctx.Done():
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.core.release(p)
	}()
}

// try makes one attempt.
func (g *Group) try(ctx context.Context, h *hunt, k Carrier, t Target, r *request) (*sip.Call, outcome, error) {
	m, err := r.media(ctx, k.Name)
	if err != nil {
		return nil, outcome{fate: ours}, fmt.Errorf("trunk: media: %w", err)
	}
	dc, err := g.dialConfig(k, t, r)
	if err != nil {
		closeMedia(m)
		return nil, outcome{fate: ours}, err
	}
	actx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newPatience(g.cfg.Silence, g.cfg.RingTime, h.deadline, func() { cancel(errSilent) })
	defer watch.stop()
	dc.OnProgress = func(status int) {
		if watch.heard(status) && r.OnRinging != nil {
			ring := r.OnRinging
			r.OnRinging = nil
			ring()
		}
	}
	waived := func() bool { return k.ClearMedia.valid(time.Now()) }
	c, err := g.cfg.Dialer.Dial(actx, dc, guarded{m, waived})
	var cause error
	if actx.Err() != nil {
		cause = context.Cause(actx)
	}
	o := outcomeOf(err, cause, watch.rang.Load())
	if err != nil {
		closeMedia(m)
		if o.fate == silent && errors.Is(cause, errSilent) {
			err = errSilent
		}
	}
	return c, o, err
}

// identity is the signed statement of who calls, or empty. A call that cannot be signed goes unsigned: the other side decides what it is worth.
func (g *Group) identity(r *request) string {
	if g.cfg.Identity == nil || r.From == "" {
		return ""
	}
	v, err := g.cfg.Identity(r.Owner, r.From, r.number)
	if err != nil {
		g.cfg.Logger.Warn("trunk: call not signed", "err", err)
		return ""
	}
	return v
}

func closeMedia(m sip.Media) {
	if c, ok := m.(io.Closer); ok {
		_ = c.Close() // of a call that never was
	}
}

// dialConfig writes the call as carrier k is to get it.
func (g *Group) dialConfig(k Carrier, t Target, r *request) (sip.DialConfig, error) {
	id := k.present(r.From, r.FromName, r.Private)
	dc := sip.DialConfig{
		Target: "sip:" + k.Format.write(r.number) + "@" + k.host() + ";user=phone", Address: t.Address, ServerName: k.host(), Client: k.TLS,
		From: id.from, FromName: id.name, AuthUser: k.User, Password: string(k.Password), Headers: id.headers,
	}
	if v := g.identity(r); v != "" {
		dc.Headers = append(dc.Headers, sip.Header{Name: "Identity", Value: v})
	}
	if !r.emergency {
		return dc, nil
	}
	contentID := ""
	if r.report.Located {
		contentID = rand.Text() + "@" + k.FromDomain
		body, err := r.Location.pidf(id.from, time.Now())
		if err != nil {
			return dc, err
		}
		dc.Attachments = []sip.Attachment{{ContentType: "application/pidf+xml", ContentID: contentID, Body: body}}
	}
	dc.Headers = append(dc.Headers, g.cfg.Emergency.headers(contentID)...)
	return dc, nil
}
