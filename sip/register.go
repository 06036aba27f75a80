package sip

import (
	"errors"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/registrar"
)

// onRegister is the registrar of RFC 3261 section 10.3. A user registers for itself only.
func (ep *Endpoint) onRegister(req *msg.Request, tx *msg.ServerTx, src source) {
	if ep.draining.Load() {
		ep.respond(req, tx, 503, header("Retry-After", "30"))
		return
	}
	to := req.To().Address
	// Both names of a REGISTER must be of the same realm, or a phone could be authenticated by one tenant and bound in another.
	realm, user, ok := ep.authenticate(req, tx, src, req.Recipient.Host)
	if !ok {
		return
	}
	other, err := ep.cfg.Realm(canonicalHost(to.Host), src.serverName)
	if err != nil || other.Name != realm.Name || to.User != user {
		ep.respond(req, tx, 403)
		return
	}
	now := time.Now()
	add, star, code := contacts(req, src, now)
	if code != 0 {
		var hs []msg.Header
		if code == 423 {
			hs = append(hs, header("Min-Expires", strconv.Itoa(minExpires)))
		}
		ep.respond(req, tx, code, hs...)
		return
	}
	var bindings []registrar.Binding
	if star {
		ep.cfg.Registrar.Clear(realm.Name, user)
	} else {
		bindings, err = ep.cfg.Registrar.Update(realm.Name, user, add, now)
		switch {
		case errors.Is(err, registrar.ErrOutOfOrder):
			ep.respond(req, tx, 500)
			return
		case err != nil:
			ep.respond(req, tx, 403)
			return
		}
	}
	var hs []msg.Header
	for _, b := range bindings {
		left := int(b.Expires.Sub(now).Round(time.Second) / time.Second)
		v := "<" + b.Contact + ">;expires=" + strconv.Itoa(left)
		if b.Instance != "" {
			v += `;+sip.instance="` + b.Instance + `"`
		}
		hs = append(hs, header("Contact", v))
	}
	hs = append(hs, header("Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")))
	ep.respond(req, tx, 200, hs...)
}

// contacts reads the Contact headers of a REGISTER. star is the wildcard that removes all. A code that is not zero refuses the request.
func contacts(req *msg.Request, src source, now time.Time) (add []registrar.Binding, star bool, code int) {
	def := maxExpires
	explicit := false
	if h := req.GetHeader("Expires"); h != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
		if err != nil {
			return nil, false, 400
		}
		def, explicit = int(min(n, maxExpires)), true
	}
	hs := req.GetHeaders("Contact")
	if len(hs) > maxContacts {
		return nil, false, 403
	}
	agent := ""
	if h := req.GetHeader("User-Agent"); h != nil {
		agent = h.Value()
	}
	for _, h := range hs {
		if strings.TrimSpace(h.Value()) == "*" {
			// RFC 3261 section 10.3 step 6: alone, and with Expires: 0.
			if len(hs) != 1 || !explicit || def != 0 {
				return nil, false, 400
			}
			return nil, true, 0
		}
		var c msg.ContactHeader
		if ch, ok := h.(*msg.ContactHeader); ok {
			c = *ch
		} else {
			var u msg.Uri
			params := msg.NewParams()
			name, err := msg.ParseAddressValue(h.Value(), &u, &params)
			if err != nil {
				return nil, false, 400
			}
			c = msg.ContactHeader{DisplayName: name, Address: u, Params: params}
		}
		uri, err := parseURI(c.Address.String())
		if err != nil {
			return nil, false, 400
		}
		expires := def
		if v, ok := param(c.Params, "expires"); ok {
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				n = maxExpires // RFC 3261 section 10.2.1.1: malformed is 3600
			}
			expires = int(min(n, maxExpires))
		}
		if expires > 0 && expires < minExpires {
			return nil, false, 423
		}
		instance, _ := param(c.Params, "+sip.instance")
		instance = strings.Trim(instance, `"`)
		if checkText(instance) != nil || strings.ContainsAny(instance, `"`) || len(instance) > 128 {
			return nil, false, 400
		}
		add = append(add, registrar.Binding{
			Contact: uri.String(), Flow: src.flow(), Instance: instance, CallID: req.CallID().Value(), CSeq: req.CSeq().SeqNo,
			Expires: now.Add(time.Duration(expires) * time.Second), Agent: agent,
		})
	}
	return add, false, 0
}
