package sip

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/sieve"
)

// Document makes the body of one NOTIFY. version is 0 for the first of a subscription and one more for each that follows, whatever became of those before
// (RFC 4235 section 4.1, RFC 3680 section 5.1). An empty body is allowed; a body of more than 16 KiB is not sent.
type Document func(version int) (contentType string, body []byte)

// Notify sends what s makes to the watcher and returns when it was confirmed. NOTIFYs of one subscription are sent one after the other. A watcher
// that does not know the subscription any more, or does not answer, ends it. It returns ErrSubscriptionEnded when it is over.
func (s *Subscription) Notify(ctx context.Context, body Document) error {
	return s.notify(ctx, body, "")
}

// Terminate ends the subscription and tells the watcher so. reason is one of RFC 6665 section 4.1.3: "deactivated" has it subscribe again at once,
// "rejected" never, "noresource" says that there is nothing to watch. It returns ErrSubscriptionEnded when it was over.
func (s *Subscription) Terminate(ctx context.Context, reason string) error {
	if !tokenText(reason) {
		return fmt.Errorf("%w: reason", ErrMalformed)
	}
	return s.notify(ctx, nil, reason)
}

// notify sends one NOTIFY (RFC 6665 section 4.2.2). A reason says that it is the last.
func (s *Subscription) notify(ctx context.Context, body Document, reason string) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.done:
		return ErrSubscriptionEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	contentType, text := "", []byte(nil)
	if body != nil {
		contentType, text = body(s.version)
		s.version++
		if err := checkBody(contentType, text, sieve.MaxBody); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.cause != nil {
		s.mu.Unlock()
		return ErrSubscriptionEnded
	}
	left := time.Until(s.until)
	req := s.d.request(msg.NOTIFY, 0)
	s.mu.Unlock()
	req.AppendHeader(header("Event", s.event()))
	state := "active;expires=" + strconv.Itoa(max(0, int(left.Round(time.Second)/time.Second)))
	if reason != "" {
		state = "terminated;reason=" + reason
		defer s.end(errTerminated)
	}
	req.AppendHeader(header("Subscription-State", state))
	setBody(req, contentType, text)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.gone, cancel)()
	res, err := s.ep.transact(ctx, req)
	switch {
	case errors.Is(err, ErrFlowGone), errors.Is(err, ErrClosed):
		s.end(err)
		return err
	case err != nil && ctx.Err() != nil:
		return err
	case errors.Is(err, errLost) && s.elsewhere(req): // the next one goes to where it is
		return fmt.Errorf("sip: NOTIFY: %w", err)
	case err != nil: // no answer in 64*T1 (RFC 6665 section 4.2.2)
		s.end(err)
		return fmt.Errorf("sip: NOTIFY: %w", err)
	case res.StatusCode < 300:
		return nil
	}
	refused := statusError(res, "NOTIFY")
	switch res.StatusCode {
	case 404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604: // RFC 5057 section 5.1: these end the usage
		s.end(refused)
	}
	return refused
}

// elsewhere reports whether the watcher has refreshed the subscription over another connection than that of a NOTIFY.
func (s *Subscription) elsewhere(notify *msg.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.d.addr != notify.Destination()
}

func (s *Subscription) event() string {
	if s.eventID == "" {
		return s.pkg
	}
	return s.pkg + ";id=" + s.eventID
}

// NotifyConfig is a NOTIFY without a subscription.
type NotifyConfig struct {
	// Target is the Contact of a registrar.Binding, which becomes the Request-URI. Required.
	Target string
	// Flow is the connection of the binding. Required.
	Flow string
	// Route is the Path of the binding. If empty, there is none.
	Route []string
	// From is the address of record of the phone, from which such a NOTIFY is said to come. Required.
	From string
	// Event is the package, "message-summary". Required.
	Event string
	// ContentType of Body. Required if there is a Body.
	ContentType string
	// Body is at most 16 KiB. If empty, there is none.
	Body []byte
}

// NotifyUnsolicited sends a NOTIFY that nobody subscribed to, over the connection on which a phone registered. RFC 6665 does not know it; many
// phones light their lamp for waiting messages by it and by nothing else. A phone that refuses it gives a *StatusError.
func (ep *Endpoint) NotifyUnsolicited(ctx context.Context, nc NotifyConfig) error {
	if err := checkBody(nc.ContentType, nc.Body, sieve.MaxBody); err != nil {
		return err
	}
	if !tokenText(nc.Event) {
		return fmt.Errorf("%w: event package", ErrMalformed)
	}
	if nc.Flow == "" {
		return errors.New("sip: NotifyConfig needs Flow")
	}
	o := letter{method: msg.NOTIFY, target: nc.Target, flow: nc.Flow, route: nc.Route, from: nc.From}
	return ep.send(ctx, o, func(req *msg.Request) {
		req.AppendHeader(header("Event", nc.Event))
		req.AppendHeader(header("Subscription-State", "terminated;reason=noresource"))
		setBody(req, nc.ContentType, nc.Body)
	})
}
