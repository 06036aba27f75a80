package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// ErrSubscriptionEnded is returned by methods of a Subscription that is over.
var ErrSubscriptionEnded = errors.New("sip: subscription ended")

var (
	errTerminated = errors.New("sip: subscription terminated here")
	errLapsed     = errors.New("sip: subscription not refreshed")
)

// Subscription is one watcher of one thing (RFC 6665), from Config.OnSubscribe. It lives until it is not refreshed, unsubscribed, terminated, or its
// connection ends. It has no goroutine. All methods are safe for concurrent use.
type Subscription struct {
	ep                       *Endpoint
	realm, user, target, pkg string
	eventID                  string
	whole                    Document
	turn                     chan struct{} // held by the NOTIFY under way
	version                  int           // guarded by turn
	done                     <-chan struct{}
	gone                     context.Context // ends with the subscription
	cancel                   context.CancelFunc

	mu      sync.Mutex
	d       dialog
	until   time.Time
	lapsing bool  // its last NOTIFY is under way or due at once
	cause   error // not nil: it is over
	unwatch func()
}

// Realm is the name of the realm of the watcher.
func (s *Subscription) Realm() string { return s.realm }

// User is the watcher: the user that proved a password.
func (s *Subscription) User() string { return s.user }

// Target is the user part of the Request-URI: who or what is to be watched. The watcher chose it.
func (s *Subscription) Target() string { return s.target }

// Package is the event package: "message-summary", "reg" or "dialog".
func (s *Subscription) Package() string { return s.pkg }

// Done is closed when the subscription is over.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Err says why a subscription is over; nil while it lives. A *StatusError is the answer of the watcher to a NOTIFY, ErrFlowGone the end of its connection.
func (s *Subscription) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cause
}

// Subscriptions returns the living subscriptions in a realm to a package and target, so that the application can Notify them, in no order.
func (ep *Endpoint) Subscriptions(realm, pkg, target string) []*Subscription {
	return ep.subs.of(watched{realm, pkg, target})
}

// onSubscribe serves SUBSCRIBE, the first and those that refresh. Each is authenticated: to know the identifiers of a subscription proves nothing.
func (ep *Endpoint) onSubscribe(req *msg.Request, tx *msg.ServerTx, src source) {
	if ep.draining.Load() {
		ep.respond(req, tx, 503, header("Retry-After", "30"))
		return
	}
	domain := req.Recipient.Host
	tag, _ := dialogOf(req)
	var old *Subscription
	if tag != "" {
		fromTag, _ := param(req.From().Params, "tag")
		if old = ep.subs.find(dialogID{req.CallID().Value(), tag, fromTag}); old == nil {
			ep.respond(req, tx, 481)
			return
		}
		domain = req.To().Address.Host // the Request-URI is our Contact now
	}
	realm, user, ok := ep.authenticate(req, tx, src, domain)
	if !ok {
		return
	}
	expires := maxExpires
	if h := req.GetHeader("Expires"); h != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
		if err != nil {
			ep.respond(req, tx, 400)
			return
		}
		expires = int(min(n, maxExpires))
	}
	if expires > 0 && expires < minExpires {
		ep.respond(req, tx, 423, header("Min-Expires", strconv.Itoa(minExpires)))
		return
	}
	pkg, id, ok := eventOf(req)
	if !ok {
		ep.respond(req, tx, 489, header("Allow-Events", allowedEvents))
		return
	}
	target, ok := contactOf(req)
	if !ok {
		ep.respond(req, tx, 400)
		return
	}
	if old != nil {
		switch {
		case old.realm != realm.Name || old.user != user:
			ep.respond(req, tx, 403)
		case old.pkg != pkg || old.eventID != id:
			ep.respond(req, tx, 489, header("Allow-Events", allowedEvents))
		default:
			old.refresh(req, tx, src, target, expires)
		}
		return
	}
	if !accepts(req, eventPackages[pkg]) {
		ep.respond(req, tx, 406)
		return
	}
	ep.subscribe(req, tx, src, target, expires, &Subscription{realm: realm.Name, user: user, target: req.Recipient.User, pkg: pkg, eventID: id})
}

// subscribe makes a subscription (RFC 6665 section 4.2.1).
func (ep *Endpoint) subscribe(req *msg.Request, tx *msg.ServerTx, src source, target msg.Uri, expires int, s *Subscription) {
	from, to := req.From(), req.To()
	fromTag, _ := param(from.Params, "tag")
	_, ours := dialogOf(req)
	s.d = dialog{ // RFC 3261 section 12.1.1
		id:    dialogID{callID: req.CallID().Value(), local: ours, remote: fromTag},
		local: party{to.DisplayName, *to.Address.Clone()}, remote: party{from.DisplayName, *from.Address.Clone()},
		remoteSeq: req.CSeq().SeqNo, target: target, routes: recordRoutes(req, false), network: src.network, addr: src.addr, socket: src.local,
		contact: ep.contactFor(src, req.Recipient.User),
	}
	s.ep, s.turn, s.lapsing = ep, make(chan struct{}, 1), expires == 0
	s.gone, s.cancel = context.WithCancel(ep.life)
	s.done = s.gone.Done()
	s.until = time.Now().Add(time.Duration(expires) * time.Second)
	if !ep.subs.room(s, ep.cfg.MaxSubscriptions) {
		s.cancel()
		ep.respond(req, tx, 403)
		return
	}
	status := 0
	if !ep.handling(func(ctx context.Context) { s.whole, status = ep.cfg.OnSubscribe(ctx, s) }) {
		status = 503
	}
	if status != 200 {
		if status < 400 || status > 699 {
			status = 403
		}
		ep.subs.leave(s)
		s.end(&StatusError{Code: status, Method: "SUBSCRIBE"})
		ep.respond(req, tx, status)
		return
	}
	ep.subs.add(s)
	if s.Err() != nil { // the handler has ended it already
		ep.subs.remove(s)
	}
	s.watch(src)
	s.granted(req, tx, expires)
}

// refresh serves a SUBSCRIBE in the dialog: a later end, an end now, or another connection of the same user.
func (s *Subscription) refresh(req *msg.Request, tx *msg.ServerTx, src source, target msg.Uri, expires int) {
	s.mu.Lock()
	seq := req.CSeq().SeqNo
	over, stale := s.cause != nil || s.lapsing, seq <= s.d.remoteSeq
	if !over && !stale {
		s.d.remoteSeq, s.d.target, s.d.network, s.d.addr = seq, target, src.network, src.addr
		s.until, s.lapsing = time.Now().Add(time.Duration(expires)*time.Second), expires == 0
	}
	s.mu.Unlock()
	switch {
	case over:
		s.ep.respond(req, tx, 481)
		return
	case stale:
		s.ep.respond(req, tx, 500, header("Retry-After", "1"))
		return
	}
	s.watch(src)
	s.granted(req, tx, expires)
}

// granted answers 200 and sends the NOTIFY that must follow (RFC 6665 section 4.2.1.2). With no time left that is the last one: a fetch or an unsubscription.
func (s *Subscription) granted(req *msg.Request, tx *msg.ServerTx, expires int) {
	s.mu.Lock()
	contact := &msg.ContactHeader{Address: *s.d.contact.Clone()}
	s.mu.Unlock()
	s.ep.respond(req, tx, 200, header("Expires", strconv.Itoa(expires)), contact)
	s.ep.spawn(func() { // ends with its transaction
		ctx, cancel := context.WithTimeout(s.ep.life, 64*t1)
		defer cancel()
		reason := ""
		if expires == 0 {
			reason = "timeout"
		}
		if err := s.notify(ctx, s.whole, reason); err != nil {
			s.ep.log.Debug("sip: NOTIFY not delivered", "package", s.pkg, "err", err)
		}
	})
}

// watch has the subscription end with the connection of src, and no longer with the one before.
func (s *Subscription) watch(src source) {
	s.mu.Lock()
	before := s.unwatch
	s.unwatch = nil
	s.mu.Unlock()
	if before != nil {
		before()
	}
	if src.conn == nil {
		return
	}
	cancel := s.ep.onFlowGone(src.conn, func() { s.end(ErrFlowGone) })
	s.mu.Lock()
	over := s.cause != nil
	if !over {
		s.unwatch = cancel
	}
	s.mu.Unlock()
	if over {
		cancel()
	}
}

// end ends the subscription, once.
func (s *Subscription) end(cause error) {
	s.mu.Lock()
	if s.cause != nil {
		s.mu.Unlock()
		return
	}
	s.cause = cause
	unwatch := s.unwatch
	s.unwatch = nil
	s.mu.Unlock()
	s.ep.subs.remove(s) // before Done: who has seen that finds it no more
	s.cancel()
	if unwatch != nil {
		unwatch()
	}
}

// eventOf reads the Event header (RFC 6665 section 8.2.1).
func eventOf(req *msg.Request) (pkg, id string, ok bool) {
	h := req.GetHeader("Event")
	if h == nil {
		return "", "", false
	}
	parts := strings.Split(h.Value(), ";")
	pkg = strings.TrimSpace(parts[0])
	for _, p := range parts[1:] {
		if name, value, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "id") {
			if id = value; !tokenText(id) || len(id) > 128 {
				return "", "", false
			}
		}
	}
	_, ok = eventPackages[pkg]
	return pkg, id, ok
}

// accepts reports whether the Accept headers of a request admit a content type. Without one, they admit that of the package.
func accepts(req *msg.Request, contentType string) bool {
	hs := req.GetHeaders("Accept")
	main, _, _ := strings.Cut(contentType, "/")
	for _, h := range hs {
		for _, v := range strings.Split(h.Value(), ",") {
			if t := mediaType(v); t == contentType || t == main+"/*" || t == "*/*" {
				return true
			}
		}
	}
	return len(hs) == 0
}
