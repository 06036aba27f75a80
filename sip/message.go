package sip

import (
	"context"

	msg "github.com/emiago/sipgo/sip"
)

// maxMessageBody bounds the body of a MESSAGE, in bytes. RFC 3428 section 8 allows more than 1300 only where congestion is
// controlled, which a stream does.
const maxMessageBody = 8 << 10

// Message is a text or another small thing that a user has sent (RFC 3428).
type Message struct {
	// Realm and User are who sent it: the user that proved a password. Both are empty on a connection that we
	// opened (Config.Trusted) and in a call that we placed there without DialConfig.User.
	Realm, User string
	// To is the user part of the Request-URI: for whom it is.
	To string
	// Call is the call in which it was sent, nil if in none.
	Call *Call
	// ContentType is as sent, such as "text/plain;charset=UTF-8". It has no control characters.
	ContentType string
	// Body is at most 8 KiB. It is what a user wrote: it must be escaped before it is shown.
	Body []byte
}

// onMessage serves a MESSAGE outside calls.
func (ep *Endpoint) onMessage(req *msg.Request, tx *msg.ServerTx, src source) {
	if ep.draining.Load() {
		ep.respond(req, tx, 503, header("Retry-After", "30"))
		return
	}
	m := Message{To: req.Recipient.User}
	if !(ep.cfg.Trusted && src.conn != nil && src.conn.dialed) {
		realm, user, ok := ep.authenticate(req, tx, src, req.Recipient.Host)
		if !ok {
			return
		}
		m.Realm, m.User = realm.Name, user
	}
	ep.take(req, tx, m)
}

// onMessageIn serves a MESSAGE in a call, whose peer has proved who it is.
func (ep *Endpoint) onMessageIn(c *Call, req *msg.Request, tx *msg.ServerTx) {
	ep.take(req, tx, Message{Realm: c.realm, User: c.user, To: req.Recipient.User, Call: c})
}

func (ep *Endpoint) take(req *msg.Request, tx *msg.ServerTx, m Message) {
	if h := req.GetHeader("Content-Type"); h != nil {
		m.ContentType = h.Value()
	}
	m.Body = append([]byte(nil), req.Body()...)
	switch {
	case len(m.Body) > maxMessageBody:
		ep.respond(req, tx, 413)
		return
	case checkBody(m.ContentType, m.Body, maxMessageBody) != nil:
		ep.respond(req, tx, 400)
		return
	}
	status := 0
	if !ep.handling(func(ctx context.Context) { status = ep.cfg.OnMessage(ctx, m) }) {
		status = 503
	}
	if status < 200 || status > 699 || status/100 == 3 {
		status = 500
	}
	ep.respond(req, tx, status)
}

// MessageConfig is a MESSAGE to send.
type MessageConfig struct {
	// Target is the Request-URI, sip:user@domain, or the Contact of a registrar.Binding. Required.
	Target string
	// Flow is the connection to use, from a registrar.Binding. Exactly one of Flow and Address is required.
	Flow string
	// Route are the URIs of proxies to pass: the Path of the binding. If empty, there are none.
	Route []string
	// Address is where to connect to, "host:port", over TLS. The certificate must be valid for the domain of Target. Required if Flow is empty.
	Address string
	// From is our own URI. Required.
	From string
	// FromName is the display name of the sender. If empty, none is sent.
	FromName string
	// Password answers a digest challenge for the user of From. If empty, a challenge is a *StatusError.
	Password string
	// ContentType of Body, such as "text/plain;charset=UTF-8". Required if there is a Body.
	ContentType string
	// Body is at most 8 KiB. If empty, the message has none.
	Body []byte
}

// Message sends a MESSAGE (RFC 3428) and returns when its receiver has it. A refusal is a *StatusError; ErrFlowGone says that the receiver is not
// connected any more.
func (ep *Endpoint) Message(ctx context.Context, mc MessageConfig) error {
	if err := checkBody(mc.ContentType, mc.Body, maxMessageBody); err != nil {
		return err
	}
	o := letter{
		method: msg.MESSAGE, target: mc.Target, flow: mc.Flow, address: mc.Address, route: mc.Route, from: mc.From, fromName: mc.FromName, password: mc.Password,
	}
	return ep.send(ctx, o, func(req *msg.Request) { setBody(req, mc.ContentType, mc.Body) })
}

func setBody(req *msg.Request, contentType string, body []byte) {
	if len(body) > 0 {
		req.AppendHeader(header("Content-Type", contentType))
	}
	req.SetBody(body)
}
