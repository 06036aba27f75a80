package main

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/sip"
	sipevent "github.com/ringfence/ringfence/sip/event"
	"github.com/ringfence/ringfence/sip/registrar"
)

// What phones may watch: a supervisor's phone the calls (dialog, RFC 4235) and registrations (reg, RFC 3680) of a user, everybody's own phone its messages
// (RFC 3842). A document never says with whom somebody speaks.

// watched decides about a subscription.
func (n *node) watched(ctx context.Context, sub *sip.Subscription) (sip.Document, int) {
	s := n.byRealm[sub.Realm()]
	if s == nil {
		return nil, 404
	}
	user := sub.Target()
	if sub.Package() == "message-summary" {
		if user != sub.User() {
			return nil, 403
		}
		return s.document(sub.Package(), user), 200
	}
	watcher, err := s.tenant.Operator(ctx, sub.User())
	if err != nil || watcher.Allow(ctx, "call.monitor", user) != nil {
		return nil, 403
	}
	if !s.isUser(ctx, user) {
		return nil, 404
	}
	return s.document(sub.Package(), user), 200
}

// document writes the whole state of a user as it is when it is sent: a later document is never older than one before.
func (s *site) document(kind, user string) sip.Document {
	aor := "sip:" + user + "@" + s.tenant.Profile().Domain
	return func(version int) (string, []byte) {
		var body []byte
		var err error
		contentType := ""
		switch kind {
		case "message-summary":
			contentType = sipevent.TypeMessageSummary
			body, err = s.messages(user).Body()
		case "reg":
			contentType = sipevent.TypeRegInfo
			info := sipevent.RegInfo{AOR: aor, ID: "r-" + user}
			now := time.Now()
			for _, b := range s.node.registrar.Lookup(s.realm(), user, now) {
				info.Contacts = append(info.Contacts, sipevent.Contact{ID: "b-" + b.ID, Event: "registered", URI: b.Contact, Expires: int(b.Expires.Sub(now) / time.Second), Q: b.Q})
			}
			body, err = info.Body(version)
		default:
			contentType = sipevent.TypeDialogInfo
			body, err = sipevent.DialogInfo{Entity: aor, Dialogs: s.dialogsOf(user)}.Body(version)
		}
		if err != nil {
			s.log.Error("state not written", "package", kind, "err", err)
			return contentType, nil
		}
		return contentType, body
	}
}

func (s *site) dialogsOf(user string) []sipevent.Dialog {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []sipevent.Dialog
	for _, d := range s.dialogs[user] {
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b sipevent.Dialog) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// lamp is one call of a user, as those who watch the user see it.
type lamp struct {
	site *site
	user string
	d    sipevent.Dialog
}

// newLamp returns a lamp that is dark: nobody sees it until it shows a state.
func (s *site) newLamp(user string, incoming bool) *lamp {
	return &lamp{s, user, sipevent.Dialog{ID: "d-" + rand.Text(), Incoming: incoming}}
}

// show tells watchers the state of the call: "trying", "early" or "confirmed".
func (l *lamp) show(state string) {
	s := l.site
	s.mu.Lock()
	l.d.State = state
	if s.dialogs[l.user] == nil {
		s.dialogs[l.user] = map[string]sipevent.Dialog{}
	}
	s.dialogs[l.user][l.d.ID] = l.d
	s.mu.Unlock()
	s.node.tell(s, "dialog", l.user)
}

// lightUp shows a call that a user places, until the result is called.
func (s *site) lightUp(c *sip.Call) (out func()) {
	l := s.newLamp(c.User(), false)
	s.mu.Lock()
	s.lamps[c] = l
	s.mu.Unlock()
	l.show("trying")
	return func() {
		s.mu.Lock()
		delete(s.lamps, c)
		s.mu.Unlock()
		l.out()
	}
}

// out ends the call: a document of the whole state without a call says that it is over (RFC 4235 section 3.3).
func (l *lamp) out() {
	s := l.site
	s.mu.Lock()
	delete(s.dialogs[l.user], l.d.ID)
	if len(s.dialogs[l.user]) == 0 {
		delete(s.dialogs, l.user)
	}
	s.mu.Unlock()
	s.node.tell(s, "dialog", l.user)
}

// tell sends the state of a user to those who watch it.
func (n *node) tell(s *site, kind, user string) {
	for _, sub := range n.ep.Subscriptions(s.realm(), kind, user) {
		s.wg.Add(1)
		go func() { // ends with the answer of the phone or its time; waited for by close
			defer s.wg.Done()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			_ = sub.Notify(ctx, s.document(kind, user)) // a phone that is gone has no subscription any more
		}()
	}
}

// bindingChanged is told by the registrar. When there are more changes than can be told, the next of the same user makes up for those that were left out.
func (n *node) bindingChanged(e registrar.Event) {
	select {
	case n.changed <- presence{realm: e.Realm, user: e.User}:
	default:
	}
}

// followBindings tells watchers of registrations, apart from the registrar, which must not wait for them.
func (n *node) followBindings(quit <-chan struct{}) {
	for {
		select {
		case b := <-n.changed:
			if s := n.byRealm[b.realm]; s != nil {
				n.tell(s, "reg", b.user)
			}
		case <-quit:
			return
		}
	}
}

// messages is what the lamp of a user's phone shows.
func (s *site) messages(user string) sipevent.MessageSummary {
	n, err := s.boxes.Counts(context.Background(), user)
	if err != nil {
		s.log.Error("messages not counted", "err", err)
	}
	return sipevent.MessageSummary{Voice: sipevent.Count{New: n.New, Old: n.Saved}}
}
