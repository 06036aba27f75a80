package sip

import (
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"

	"github.com/ringfence/ringfence/sip/registrar"
)

// registration is one REGISTER as it is read.
type registration struct {
	ep        *Endpoint
	req       *msg.Request
	src       source
	now       time.Time
	supported map[string]bool

	add      []registrar.Binding
	star     bool // the wildcard that removes all
	path     []string
	outbound bool // a flow of RFC 5626 was asked for and can be had
	firstHop bool // the request came directly, or its first hop keeps the flow
}

// read reads what the REGISTER asks for. A code that is not zero refuses it, with the headers that go with it.
func (r *registration) read() (code int, extra []msg.Header) {
	if code := r.readPath(); code != 0 {
		if code == 420 { // RFC 3327 section 5.3: a phone that does not know of Path must not get calls through proxies it did not choose
			extra = append(extra, header("Unsupported", "path"))
		}
		return code, extra
	}
	def, explicit := time.Duration(-1), false
	if h := r.req.GetHeader("Expires"); h != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
		if err != nil {
			return 400, nil
		}
		def, explicit = time.Duration(n)*time.Second, true
	}
	hs := r.req.GetHeaders("Contact")
	if len(hs) > maxContacts {
		return 403, nil
	}
	flows := 0
	for _, h := range hs {
		if strings.TrimSpace(h.Value()) == "*" {
			// RFC 3261 section 10.3 step 6: alone, and with Expires: 0.
			if len(hs) != 1 || !explicit || def != 0 {
				return 400, nil
			}
			r.star = true
			return 0, nil
		}
		c, ok := contactHeader(h)
		if !ok {
			return 400, nil
		}
		b, code := r.contact(c)
		if code != 0 {
			return code, nil
		}
		granted, err := r.ep.cfg.Registrar.Grant(lifetime(c.Params, def))
		if err != nil {
			return 423, []msg.Header{header("Min-Expires", strconv.Itoa(int(granted/time.Second)))}
		}
		b.Expires = r.now.Add(granted)
		if b.RegID > 0 {
			flows++
		}
		r.add = append(r.add, b)
	}
	if flows > 1 { // RFC 5626 section 4.2.1: one flow, one contact
		return 400, nil
	}
	return 0, nil
}

// contactHeader reads one Contact value.
func contactHeader(h msg.Header) (c msg.ContactHeader, ok bool) {
	if ch, typed := h.(*msg.ContactHeader); typed {
		c = *ch
	} else {
		var err error
		if c.DisplayName, err = msg.ParseAddressValue(h.Value(), &c.Address, &c.Params); err != nil {
			return c, false
		}
	}
	c.Params, ok = mendParams(c.Params)
	return c, ok
}

// lifetime is what a contact asks for. def is the Expires header, negative if there was none.
func lifetime(params msg.HeaderParams, def time.Duration) time.Duration {
	if v, ok := param(params, "expires"); ok {
		if n, err := strconv.ParseUint(v, 10, 32); err == nil {
			return time.Duration(n) * time.Second
		}
		return time.Hour // RFC 3261 section 10.2.1.1: malformed is 3600
	}
	if def < 0 {
		return time.Duration(1<<63 - 1) // ours to say: as long as may be
	}
	return def
}

// contact reads one contact, all but its lifetime.
func (r *registration) contact(c msg.ContactHeader) (b registrar.Binding, code int) {
	uri, err := parseURI(c.Address.String())
	if err != nil {
		return b, 400
	}
	if _, gruu := param(uri.UriParams, "gr"); gruu && canonicalHost(uri.Host) == canonicalHost(r.req.To().Address.Host) {
		return b, 403 // an address of ours as a contact is a loop (RFC 5627 section 5.1)
	}
	b = registrar.Binding{
		Contact: uri.String(), Flow: r.ep.flowToken(r.src), Q: 1000, Path: r.path, CallID: r.req.CallID().Value(), CSeq: r.req.CSeq().SeqNo,
	}
	if h := r.req.GetHeader("User-Agent"); h != nil {
		b.Agent = h.Value()
	}
	regID := uint64(0)
	for _, p := range c.Params {
		switch strings.ToLower(p.K) {
		case "expires", "pub-gruu", "temp-gruu": // the last two are ours to say
		case "+sip.instance":
			v := strings.Trim(p.V, `"`)
			v = strings.TrimSuffix(strings.TrimPrefix(v, "<"), ">")
			if checkText(v) != nil || strings.ContainsAny(v, "\"<>\\ ") || len(v) > 128 {
				return b, 400
			}
			b.Instance = v
		case "reg-id":
			if regID, err = strconv.ParseUint(p.V, 10, 31); err != nil || regID == 0 { // RFC 5626 section 4.2: 1 to 2**31-1
				return b, 400
			}
		case "q":
			q, ok := parseQ(p.V)
			if !ok {
				return b, 400
			}
			b.Q = q
		default:
			v, ok := featureParam(p.K, p.V)
			if b.Params += v; !ok || len(b.Params) > maxFeatures {
				return b, 400
			}
		}
	}
	// RFC 5626 section 6: a reg-id means something together with an instance and to who knows of outbound.
	if regID > 0 && b.Instance != "" && r.supported["outbound"] {
		if !r.firstHop {
			return b, 439
		}
		b.RegID, r.outbound = uint32(regID), true
	}
	return b, 0
}

// maxFeatures bounds what one contact may say of itself, in bytes: it is kept, and written into every answer.
const maxFeatures = 1024

// featureParam writes a parameter that is kept for others (RFC 3840 section 9): a token, with a token or a quoted string as value.
func featureParam(name, value string) (string, bool) {
	if !tokenText(name) || checkText(value) != nil {
		return "", false
	}
	if value == "" {
		return ";" + name, true
	}
	quoted := len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' && !strings.ContainsAny(value[1:len(value)-1], `"\`)
	return ";" + name + "=" + value, quoted || tokenText(value)
}

func tokenText(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return !isToken(c) })
}

// parseQ reads a qvalue (RFC 3261 section 25.1) as thousandths.
func parseQ(s string) (int, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(frac) > 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(frac + "000")[:3], 10, 16)
	return int(n), err == nil && n <= 1000
}

const maxPath = 8 // hops of one Path

// readPath reads the proxies between us and the phone (RFC 3327). They are written into requests as Route; where requests go is the flow's
// business, so a phone cannot aim us at anybody with them.
func (r *registration) readPath() (code int) {
	r.firstHop = len(r.req.GetHeaders("Via")) == 1
	for _, h := range r.req.GetHeaders("Path") {
		for v := range listed(h.Value()) {
			var u msg.Uri
			params := msg.NewParams()
			if _, err := msg.ParseAddressValue(v, &u, &params); err != nil || !strings.Contains(v, "<") || len(r.path) == maxPath || len(v) > 512 {
				return 400
			}
			uri, err := parseURI(u.String())
			if err != nil {
				return 400
			}
			if _, loose := param(uri.UriParams, "lr"); !loose {
				return 400
			}
			if !r.firstHop { // the last one was written first, by the proxy that the phone is connected to
				_, r.firstHop = param(uri.UriParams, "ob")
			}
			r.path = append(r.path, uri.String())
		}
	}
	if len(r.path) > 0 && !r.supported["path"] {
		return 420
	}
	return 0
}
