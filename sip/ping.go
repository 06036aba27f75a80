package sip

import (
	"context"

	msg "github.com/emiago/sipgo/sip"
)

// PingConfig says whom to ask for signs of life.
type PingConfig struct {
	// Target is the Request-URI, sip:domain or sip:user@domain. Required.
	Target string
	// Flow is the connection to use, from a registrar.Binding. Exactly one of Flow and Address is required.
	Flow string
	// Address is where to connect to, "host:port", over TLS. Required if Flow is empty.
	Address string
	// ServerName is the name that the certificate must be valid for. If empty, the domain of Target.
	ServerName string
	// Client is used for the connection to Address. If zero, Config.Client.
	Client TLSConfig
	// From is our own URI. If empty, Target.
	From string
}

// Ping sends OPTIONS (RFC 3261 section 11) and returns the status of the answer, whatever it is: any answer means that somebody is there. The errors
// are ErrTimeout, ErrTransport, ErrFlowGone, ErrMalformed, ErrClosed and ctx's.
func (ep *Endpoint) Ping(ctx context.Context, pc PingConfig) (status int, err error) {
	req, err := ep.outside(ctx, msg.OPTIONS, outsideConfig(pc))
	if err != nil {
		return 0, err
	}
	req.AppendHeader(header("Accept", sdpType))
	res, err := ep.transact(ctx, req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, nil
}

// outsideConfig is where a request outside any dialog goes.
type outsideConfig struct {
	Target, Flow, Address, ServerName string
	Client                            TLSConfig
	From                              string
}

// outside builds a request outside any dialog (RFC 3261 section 8.1.1), for the flow or the address that it is to take.
func (ep *Endpoint) outside(ctx context.Context, method msg.RequestMethod, oc outsideConfig) (*msg.Request, error) {
	if ep.isClosed() {
		return nil, ErrClosed
	}
	target, err := parseURI(oc.Target)
	if err != nil {
		return nil, err
	}
	from := target
	if oc.From != "" {
		if from, err = parseURI(oc.From); err != nil {
			return nil, err
		}
	}
	var how *dialed
	if oc.Address != "" {
		how = &dialed{address: oc.Address, serverName: canonicalHost(oc.ServerName), client: oc.Client}
		if how.serverName == "" {
			how.serverName = canonicalHost(target.Host)
		}
	}
	src, err := ep.route(ctx, oc.Flow, how)
	if err != nil {
		return nil, err
	}
	remote := *target.Clone()
	remote.UriParams, remote.Headers = nil, nil
	d := dialog{id: dialogID{callID: randomID(), local: randomID()}, local: party{"", from}, remote: party{"", remote}, target: target, network: src.network, addr: src.addr, socket: src.local}
	d.contact = ep.contactFor(src, from.User)
	return d.request(method, 0), nil
}
