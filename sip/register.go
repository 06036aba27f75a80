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
	r := registration{ep: ep, req: req, src: src, now: now, supported: optionTags(req, "Supported")}
	if code, extra := r.read(); code != 0 {
		ep.respond(req, tx, code, extra...)
		return
	}
	var bindings []registrar.Binding
	if r.star {
		ep.cfg.Registrar.Clear(realm.Name, user)
	} else {
		bindings, err = ep.cfg.Registrar.Update(realm.Name, user, r.add, now)
		switch {
		case errors.Is(err, registrar.ErrOutOfOrder):
			ep.respond(req, tx, 500)
			return
		case err != nil:
			ep.respond(req, tx, 403)
			return
		}
	}
	ep.respond(req, tx, 200, r.answer(bindings, user, canonicalHost(to.Host))...)
}

// answer says what is bound now, all of it and nothing else (RFC 3261 section 10.3 step 8).
func (r *registration) answer(bindings []registrar.Binding, user, domain string) []msg.Header {
	var hs []msg.Header
	for _, b := range bindings {
		left := int(b.Expires.Sub(r.now).Round(time.Second) / time.Second)
		v := "<" + b.Contact + ">;expires=" + strconv.Itoa(left)
		if b.Q != 1000 {
			v += ";q=" + formatQ(b.Q)
		}
		if b.Instance != "" {
			v += `;+sip.instance="<` + b.Instance + `>"`
			if b.RegID > 0 {
				v += ";reg-id=" + strconv.FormatUint(uint64(b.RegID), 10)
			}
			if pub := registrar.PublicGRUU(user, domain, b.Instance); pub != "" && r.supported["gruu"] { // RFC 5627 section 5.2
				v += `;pub-gruu="` + pub + `";temp-gruu="` + r.ep.cfg.Registrar.TemporaryGRUU(b, domain) + `"`
			}
		}
		hs = append(hs, header("Contact", v+b.Params))
	}
	for _, p := range r.path {
		hs = append(hs, header("Path", "<"+p+">"))
	}
	for _, s := range r.ep.cfg.ServiceRoute { // RFC 3608
		hs = append(hs, header("Service-Route", "<"+s+">"))
	}
	hs = append(hs, header("Supported", "path, outbound, gruu"))
	if r.outbound { // RFC 5626 section 6
		hs = append(hs, header("Require", "outbound"), header("Flow-Timer", strconv.Itoa(int(r.ep.cfg.FlowTimer/time.Second))))
	}
	return append(hs, header("Date", r.now.UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")))
}

func formatQ(q int) string {
	if q <= 0 {
		return "0"
	}
	return "0." + strings.TrimRight(strconv.Itoa(1000 + q)[1:], "0")
}
