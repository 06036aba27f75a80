package sip

import (
	"context"
	"errors"
	"fmt"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Snapshot is an established call as plain values, so that another node can take its dialog over (Endpoint.Resume) when this one dies. It holds tags
// and addresses, no keys and no passwords; tags are what dialogs are known by, so store it as carefully as a session cookie.
type Snapshot struct {
	ID         string `json:"id"` // Call.ID, which the resumed call keeps
	Incoming   bool   `json:"incoming"`
	Realm      string `json:"realm,omitempty"`
	User       string `json:"user,omitempty"`
	To         string `json:"to"`
	From       string `json:"from"`
	CallID     string `json:"call_id"`
	LocalTag   string `json:"local_tag"`
	RemoteTag  string `json:"remote_tag"`
	LocalName  string `json:"local_name,omitempty"`
	LocalURI   string `json:"local_uri"`
	RemoteName string `json:"remote_name,omitempty"`
	RemoteURI  string `json:"remote_uri"`
	// LocalSeq and RemoteSeq are the CSeq numbers last used by either side (RFC 3261 section 12.2.1.1).
	LocalSeq  uint32 `json:"local_seq"`
	RemoteSeq uint32 `json:"remote_seq"`
	// Target is the peer's Contact; Routes is the route set, first hop first.
	Target  string   `json:"target"`
	Routes  []string `json:"routes,omitempty"`
	Contact string   `json:"contact"`
	Flow    string   `json:"flow"`
	// Session is the interval of RFC 4028 in seconds; Refreshes says whether it is ours to refresh.
	Session   int  `json:"session"`
	Refreshes bool `json:"refreshes"`
	// Peer is what the peer can: option tags and UPDATE.
	Peer []string `json:"peer,omitempty"`
}

// Snapshot returns the dialog as it is now. It returns ErrCallEnded for a call that is over or not yet answered. Take a new one after each change that
// must survive: an answer, a Reoffer, a transfer. Numbers used since are made up for by a gap, which RFC 3261 section 12.2.2 allows.
func (c *Call) Snapshot() (Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateUp {
		return Snapshot{}, ErrCallEnded
	}
	d := &c.d
	s := Snapshot{
		ID: c.id, Incoming: c.incoming, Realm: c.realm, User: c.user, To: c.to, From: c.from, CallID: d.id.callID, LocalTag: d.id.local, RemoteTag: d.id.remote,
		LocalName: d.local.display, LocalURI: d.local.uri.String(), RemoteName: d.remote.display, RemoteURI: d.remote.uri.String(),
		LocalSeq: d.localSeq, RemoteSeq: d.remoteSeq, Target: d.target.String(), Contact: d.contact.String(), Flow: source{network: d.network, addr: d.addr}.flow(),
		Session: int(c.session.interval / time.Second), Refreshes: c.session.ours,
	}
	for _, r := range d.routes {
		s.Routes = append(s.Routes, r.String())
	}
	for _, a := range []struct {
		can  bool
		name string
	}{{c.peer.rel100, "100rel"}, {c.peer.timer, "timer"}, {c.peer.replaces, "replaces"}, {c.peer.update, "UPDATE"}} {
		if a.can {
			s.Peer = append(s.Peer, a.name)
		}
	}
	return s, nil
}

// resumeGap is by how much CSeq is advanced: more requests than the dead node can have sent after its last snapshot.
const resumeGap = 1000

// ResumeConfig says how to reach the peer of a call that is taken over.
type ResumeConfig struct {
	// Flow is the connection to use, from a registrar.Binding: the peer has registered here, or over an edge that both nodes share. Exactly one of Flow
	// and Address is required.
	Flow string
	// Address is where to connect to, "host:port", over TLS. Required if Flow is empty.
	Address string
	// ServerName is the name that the certificate must be valid for. If empty, the domain of the peer's Contact.
	ServerName string
	// Client is used for the connection to Address. If zero, Config.Client.
	Client TLSConfig
	// Password answers digest challenges. If empty, a challenge ends the attempt with *StatusError.
	Password string
}

// Resume takes a dialog over from another node and anchors its media here: m is offered to the peer in a re-INVITE, with our Contact, so that what
// the peer sends comes to us from now on. It returns when the peer has answered. The peer does not notice more than a gap in what it hears.
// The call has no goroutine; Detach sets what runs at its end.
func (ep *Endpoint) Resume(ctx context.Context, s Snapshot, rc ResumeConfig, m Media) (*Call, error) {
	c, err := ep.restore(ctx, s, rc, m)
	if err != nil {
		return nil, err
	}
	if err := c.Reoffer(ctx); err != nil {
		c.finish(err, false) // without BYE: another node may have more luck
		return nil, fmt.Errorf("sip: resume: %w", err)
	}
	return c, nil
}

func (ep *Endpoint) restore(ctx context.Context, s Snapshot, rc ResumeConfig, m Media) (*Call, error) {
	var uris [4]msg.Uri
	for i, v := range []string{s.LocalURI, s.RemoteURI, s.Target, s.Contact} {
		u, err := parseURI(v)
		if err != nil {
			return nil, err
		}
		uris[i] = u
	}
	if err := errors.Join(checkText(s.CallID), checkText(s.LocalTag), checkText(s.RemoteTag), checkText(s.LocalName), checkText(s.RemoteName)); err != nil {
		return nil, err
	}
	if s.CallID == "" || s.LocalTag == "" {
		return nil, fmt.Errorf("%w: snapshot without dialog", ErrMalformed)
	}
	var routes []msg.Uri
	for _, r := range s.Routes {
		u, err := parseURI(r)
		if err != nil {
			return nil, err
		}
		routes = append(routes, u)
	}
	var how *dialed
	if rc.Address != "" {
		how = &dialed{address: rc.Address, serverName: canonicalHost(rc.ServerName), client: rc.Client}
		if how.serverName == "" {
			how.serverName = canonicalHost(uris[2].Host)
		}
	}
	src, err := ep.route(ctx, rc.Flow, how)
	if err != nil {
		return nil, err
	}
	cctx, cancel := context.WithCancel(context.Background())
	c := &Call{
		ep: ep, id: s.ID, incoming: s.Incoming, src: src, realm: s.Realm, user: s.User, to: s.To, from: s.From, dial: how,
		ctx: cctx, cancel: cancel, done: make(chan struct{}), state: stateUp, media: m,
	}
	c.d = dialog{
		id: dialogID{s.CallID, s.LocalTag, s.RemoteTag}, local: party{s.LocalName, uris[0]}, remote: party{s.RemoteName, uris[1]}, target: uris[2], routes: routes,
		localSeq: s.LocalSeq + resumeGap, remoteSeq: s.RemoteSeq, network: src.network, addr: src.addr, socket: src.local,
	}
	c.proof = ep.proofAt(how, src, uris[0].Host, uris[0].User, rc.Password)
	c.d.contact = ep.contactFor(src, uris[3].User)
	for _, p := range s.Peer {
		switch p {
		case "100rel":
			c.peer.rel100 = true
		case "timer":
			c.peer.timer = true
		case "replaces":
			c.peer.replaces = true
		case "UPDATE":
			c.peer.update = true
		}
	}
	c.session = session{interval: time.Duration(s.Session) * time.Second, ours: s.Refreshes} // its clock starts with the answer to our offer
	ep.mu.Lock()
	defer ep.mu.Unlock()
	if ep.closed {
		cancel()
		return nil, ErrClosed
	}
	if ep.dialogs[c.d.id] != nil {
		cancel()
		return nil, errors.New("sip: resume: the dialog is alive here")
	}
	ep.dialogs[c.d.id] = c
	return c, nil
}
