package sip

import (
	"iter"
	"net/netip"
	"strings"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/internal/digest"
)

// dialogID names a dialog (RFC 3261 section 12). Both tags are there, so two forks of one INVITE are two dialogs.
type dialogID struct{ callID, local, remote string }

// pendingID names an INVITE that has no dialog yet (RFC 3261 section 8.2.2.2).
type pendingID struct {
	callID, fromTag string
	cseq            uint32
}

// inviteID names the INVITEs of a call of ours, whatever forks answer them.
type inviteID struct{ callID, fromTag string }

// dialog is the state of RFC 3261 section 12.1 as plain values.
type dialog struct {
	id                  dialogID
	local, remote       party
	localSeq, remoteSeq uint32
	target              msg.Uri        // remote target: the peer's Contact
	routes              []msg.Uri      // route set, frozen when the dialog is made
	network, addr       string         // the flow all requests take
	socket              netip.AddrPort // by which we send datagrams
	contact             msg.Uri        // ours
	proof               []digest.Field // of our last INVITE
}

type party struct {
	display string
	uri     msg.Uri
}

// The URIs of a dialog are never changed in place: requests share them.

// request builds an in-dialog request with the next CSeq (RFC 3261 section 12.2.1.1), or with seq if it is not zero, for the ACK of a 2xx.
func (d *dialog) request(method msg.RequestMethod, seq uint32) *msg.Request {
	if seq == 0 {
		d.localSeq++
		seq = d.localSeq
	}
	target, routes := d.target, d.routes
	if len(routes) > 0 {
		if _, loose := param(routes[0].UriParams, "lr"); !loose { // strict router of RFC 2543: it wants to see itself in the Request-URI
			next := routes[0]
			routes = append(append([]msg.Uri(nil), routes[1:]...), target)
			target = next
		}
	}
	req := msg.NewRequest(method, target)
	v := via(d.network)
	req.AppendHeader(v)
	if d.network == "UDP" { // the socket says which of our addresses it is, unless it has all of them; the Contact always does
		req.Laddr = msg.Addr{IP: d.socket.Addr().AsSlice(), Port: int(d.socket.Port())}
		v.Host, v.Port = d.contact.Host, d.contact.Port
	}
	for _, r := range routes {
		req.AppendHeader(&msg.RouteHeader{Address: r})
	}
	mf := msg.MaxForwardsHeader(70)
	req.AppendHeader(&mf)
	req.AppendHeader(&msg.FromHeader{DisplayName: d.local.display, Address: d.local.uri, Params: tagParams(d.id.local)})
	req.AppendHeader(&msg.ToHeader{DisplayName: d.remote.display, Address: d.remote.uri, Params: tagParams(d.id.remote)})
	id := msg.CallIDHeader(d.id.callID)
	req.AppendHeader(&id)
	req.AppendHeader(&msg.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(&msg.ContactHeader{Address: d.contact})
	if method == msg.ACK { // RFC 3261 section 13.2.2.4: nobody can challenge it, so it shows what the INVITE has shown
		for _, f := range d.proof {
			req.AppendHeader(header(f.Name, f.Value))
		}
	}
	req.SetTransport(carrier(d.network))
	req.SetDestination(d.addr)
	req.SetBody(nil)
	return req
}

func via(network string) *msg.ViaHeader {
	// Host and port stay empty: the library writes the local address of the connection into them.
	return &msg.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: network, Params: msg.HeaderParams{{K: "branch", V: "z9hG4bK" + randomID()}, {K: "rport"}},
	}
}

func tagParams(tag string) msg.HeaderParams {
	if tag == "" {
		return nil
	}
	return msg.HeaderParams{{K: "tag", V: tag}}
}

// recordRoutes reads the route set from a message: in order for a UAS, reversed for a UAC (RFC 3261 sections 12.1.1 and 12.1.2).
func recordRoutes(m msg.Message, reverse bool) []msg.Uri {
	var out []msg.Uri
	for h := range headers(m, "Record-Route") {
		for v := range listed(h.Value()) {
			var u msg.Uri
			params := msg.NewParams()
			if _, err := msg.ParseAddressValue(v, &u, &params); err != nil || u.Host == "" {
				continue // a hop that cannot be addressed cannot be routed to; the flow still reaches the peer
			}
			out = append(out, u)
		}
	}
	if reverse {
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	return out
}

// listed ranges over the parts of a header value between commas outside quotes and angle brackets.
func listed(v string) iter.Seq[string] {
	return func(yield func(string) bool) {
		depth, quoted, from := 0, false, 0
		for i := 0; i < len(v); i++ {
			switch c := v[i]; {
			case c == '\\' && quoted:
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '<':
				depth++
			case c == '>':
				depth--
			case c == ',' && depth == 0:
				if !yield(strings.TrimSpace(v[from:i])) {
					return
				}
				from = i + 1
			}
		}
		yield(strings.TrimSpace(v[from:]))
	}
}

// contactOf returns the Contact URI of a message.
func contactOf(m msg.Message) (msg.Uri, bool) {
	for h := range headers(m, "Contact") {
		if c, ok := h.(*msg.ContactHeader); ok && !c.Address.Wildcard && c.Address.Host != "" {
			return *c.Address.Clone(), true
		}
		var u msg.Uri
		params := msg.NewParams()
		if _, err := msg.ParseAddressValue(h.Value(), &u, &params); err == nil && u.Host != "" {
			return u, true
		}
	}
	return msg.Uri{}, false
}
