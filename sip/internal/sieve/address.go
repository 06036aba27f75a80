package sieve

import (
	"strings"
)

// Address is a name-addr or addr-spec with parameters (RFC 3261 section 20.10).
type Address struct {
	Display   string // as written, quotes included
	URI       string
	Scheme    string // lower case
	Params    []Param
	bracketed bool
}

// address reads an address in whose quoted parameters semicolons may stand, or not.
func (m *Message) address(v string, semicolons bool) (Address, bool) {
	var a Address
	v = strings.Trim(v, " \t")
	rest := v
	if strings.HasPrefix(v, `"`) {
		i := 1
		for ; i < len(v) && v[i] != '"'; i++ {
			if v[i] == '\\' {
				i++
			}
		}
		if i >= len(v) {
			return a, false
		}
		a.Display, rest = v[:i+1], strings.TrimLeft(v[i+1:], " \t")
		if !strings.HasPrefix(rest, "<") {
			return a, false
		}
	} else if i := strings.IndexByte(v, '<'); i >= 0 && !strings.Contains(v[:i], ";") {
		a.Display, rest = strings.TrimRight(v[:i], " \t"), v[i:]
		if strings.ContainsAny(a.Display, `",;<>\`) { // a comma needs quotes
			return a, false
		}
	}
	tail := ""
	if strings.HasPrefix(rest, "<") {
		i := strings.IndexByte(rest, '>')
		if i < 0 {
			return a, false
		}
		a.URI, tail, a.bracketed = rest[1:i], rest[i+1:], true
	} else {
		i := strings.IndexByte(rest, ';')
		if i < 0 {
			i = len(rest)
		}
		a.URI, tail = strings.TrimRight(rest[:i], " \t"), rest[i:]
		if strings.ContainsAny(a.URI, ",?") { // RFC 3261 section 20.10: these need brackets
			a.URI = ""
			return a, false
		}
	}
	scheme, _, ok := uri(a.URI)
	if !ok || !letters(scheme) || len(a.URI) < 3 { // the library reads no others, and nobody is called by one
		a.URI = ""
		return a, false
	}
	a.Scheme = scheme
	a.Params, ok = list(&m.params, tail, semicolons)
	return a, ok
}

// String writes the address in canonical form: brackets always, no space between parameters.
func (a Address) String() string { return string(a.append(nil)) }

func (a Address) append(dst []byte) []byte {
	if a.Display != "" {
		dst = append(append(dst, a.Display...), ' ')
	}
	dst = append(append(append(dst, '<'), a.URI...), '>')
	for _, p := range a.Params {
		dst = append(append(dst, ';'), p.Name...)
		if !p.Bare {
			dst = append(append(dst, '='), p.Value...)
		}
	}
	return dst
}

// Via is one hop (RFC 3261 section 20.42).
type Via struct {
	Transport, SentBy string
	Params            []Param
}

// vias adds the hops of a header to m.Via.
func (m *Message) vias(v string) bool {
	all := true
	for more := true; more; {
		var part string
		var ok bool
		if part, v, more, ok = cut(v); !ok {
			all = false
		}
		if part == "" {
			continue
		}
		hop, good := m.via(part)
		if !good {
			all = false
		}
		if hop.SentBy != "" {
			m.Via = append(m.Via, hop)
		}
	}
	return all
}

func (m *Message) via(s string) (Via, bool) {
	var v Via
	proto, rest, ok1 := strings.Cut(s, "/")
	version, rest, ok2 := strings.Cut(rest, "/")
	rest = strings.TrimLeft(rest, " \t")
	i := strings.IndexAny(rest, " \t")
	if !ok1 || !ok2 || i < 0 {
		return v, false
	}
	transport, rest := rest[:i], strings.TrimLeft(rest[i:], " \t")
	sentBy, tail := rest, ""
	if i := strings.IndexByte(rest, ';'); i >= 0 {
		sentBy, tail = rest[:i], rest[i:]
	}
	sentBy = strings.Trim(sentBy, " \t")
	if host, port, ok := strings.Cut(sentBy, ":"); ok && strings.ContainsAny(sentBy, " \t") && !strings.HasPrefix(sentBy, "[") { // white space may stand around the colon
		sentBy = strings.TrimRight(host, " \t") + ":" + strings.TrimLeft(port, " \t")
	}
	if !token(transport) || !hostPort(sentBy, false) {
		return v, false
	}
	v.Transport, v.SentBy = strings.ToUpper(transport), sentBy
	var ok bool
	v.Params, ok = list(&m.params, tail, false)
	return v, ok && strings.EqualFold(strings.Trim(proto, " \t"), "SIP") && strings.Trim(version, " \t") == "2.0"
}

func (v Via) append(dst []byte, rport bool) []byte {
	dst = append(append(dst, "SIP/2.0/"...), v.Transport...)
	dst = append(append(dst, ' '), v.SentBy...)
	for _, p := range v.Params {
		name := p.Name
		for _, known := range [...]string{"branch", "rport", "received", "maddr", "ttl"} {
			if strings.EqualFold(name, known) {
				name = known
				break
			}
		}
		if rport && name == "rport" {
			continue
		}
		dst = append(append(dst, ';'), name...)
		if !p.Bare {
			dst = append(append(dst, '='), p.Value...)
		}
	}
	if rport {
		dst = append(dst, ";rport"...)
	}
	return dst
}

// received adds where the request came from (RFC 3261 section 18.2.1, RFC 3581 section 4), and drops what the sender wrote there.
func (v Via) received(ip, port string) Via {
	out := v
	out.Params = nil
	rport := false
	for _, p := range v.Params {
		switch strings.ToLower(p.Name) {
		case "received":
		case "rport":
			rport = true
		default:
			out.Params = append(out.Params, p)
		}
	}
	host := strings.Trim(v.SentBy, "[]")
	if rport || (host != ip && !strings.HasPrefix(v.SentBy, ip+":")) {
		out.Params = append(out.Params, Param{Name: "received", Value: ip})
	}
	if rport {
		out.Params = append(out.Params, Param{Name: "rport", Value: port})
	}
	return out
}
