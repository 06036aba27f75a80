package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// letter is a request outside any dialog, with where it goes and how it is vouched for.
type letter struct {
	method                msg.RequestMethod
	target, flow, address string
	route                 []string
	from, fromName        string
	password              string
}

// parseRoute reads the URIs of a Route.
func parseRoute(route []string) ([]msg.Uri, error) {
	var out []msg.Uri
	for _, v := range route {
		u, err := parseURI(v)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

// send sends a request outside any dialog and waits for its final response; other than 2xx is a *StatusError. fill adds headers and body.
func (ep *Endpoint) send(ctx context.Context, o letter, fill func(req *msg.Request)) error {
	if ep.isClosed() {
		return ErrClosed
	}
	target, err := parseURI(o.target)
	if err != nil {
		return err
	}
	from, err := parseURI(o.from)
	if err != nil {
		return err
	}
	routes, err := parseRoute(o.route)
	if err := errors.Join(err, checkText(o.fromName)); err != nil {
		return err
	}
	var how *dialed
	if o.address != "" {
		how = &dialed{address: o.address, serverName: canonicalHost(target.Host)}
	}
	src, err := ep.route(ctx, o.flow, how)
	if err != nil {
		return err
	}
	remote := *target.Clone()
	remote.UriParams, remote.Headers = nil, nil
	d := dialog{
		id: dialogID{callID: randomID(), local: randomID()}, local: party{strings.ReplaceAll(o.fromName, `"`, "'"), from}, remote: party{"", remote},
		target: target, routes: routes, network: src.network, addr: src.addr, socket: src.local, contact: ep.contactFor(src, from.User),
	}
	proof := ep.proofAt(how, src, from.Host, from.User, o.password)
	for try := 0; ; try++ {
		req := d.request(o.method, 0)
		if o.method == msg.MESSAGE {
			req.RemoveHeader("Contact") // RFC 3428 section 4
		}
		if ep.cfg.UserAgent != "" {
			req.AppendHeader(header("User-Agent", ep.cfg.UserAgent))
		}
		sent := prove(proof, req)
		fill(req)
		res, err := ep.transact(ctx, req)
		if err != nil {
			return fmt.Errorf("sip: %s: %w", o.method, err)
		}
		if res.StatusCode < 300 {
			return nil
		}
		if try == maxTries || !challenged(proof, req, res, sent) {
			return statusError(res, string(o.method))
		}
	}
}

// handling runs a handler of the application: within its time, and never beyond Close, which waits for it.
func (ep *Endpoint) handling(f func(ctx context.Context)) bool {
	ep.mu.Lock()
	if ep.closed {
		ep.mu.Unlock()
		return false
	}
	ep.wg.Add(1)
	ep.mu.Unlock()
	defer ep.wg.Done()
	ctx, cancel := context.WithTimeout(ep.life, handlerTime)
	defer cancel()
	f(ctx)
	return true
}

// checkBody refuses a body that cannot be sent, or a content type that would not be one header.
func checkBody(contentType string, body []byte, limit int) error {
	if len(body) > limit {
		return fmt.Errorf("%w: body of %d bytes", ErrMalformed, len(body))
	}
	if len(body) == 0 && contentType == "" {
		return nil
	}
	main, sub, ok := strings.Cut(mediaType(contentType), "/")
	if checkText(contentType) != nil || !ok || !tokenText(main) || !tokenText(sub) || len(contentType) > 256 {
		return fmt.Errorf("%w: content type", ErrMalformed)
	}
	return nil
}
