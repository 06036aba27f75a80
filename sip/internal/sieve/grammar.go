package sieve

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// once are headers of which there may be one only. The rest of RFC 3261 table 2 decides nothing here.
var once = []string{
	"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Content-Encoding", "Expires", "Refer-To", "Referred-By", "Replaces",
	"Session-Expires", "Min-SE",
}

// field is what is known of a header name: its full form, and its bit if it may be there once only.
type field struct {
	name string
	bit  uint32
}

// fields are headers that anybody here looks at, by name as usually written, by lower-case name and by compact form (RFC 3261 section 7.3.3).
var fields = func() map[string]field {
	out := make(map[string]field)
	full := func(n string) field {
		f := field{name: n}
		if i := slices.Index(once, n); i >= 0 {
			f.bit = 1 << i
		}
		return f
	}
	for _, n := range []string{
		"Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Content-Encoding", "Contact", "Route", "Record-Route",
		"Expires", "Require", "Proxy-Require", "Supported", "Allow", "Accept", "Accept-Encoding", "Authorization", "Proxy-Authorization", "WWW-Authenticate",
		"Proxy-Authenticate", "Refer-To", "Referred-By", "Replaces", "Session-Expires", "Min-SE", "Event", "User-Agent", "Server", "Retry-After", "Min-Expires",
		"RSeq", "RAck", "Subject", "Allow-Events", "Unsupported", "Warning", "Date", "Path", "Service-Route", "Identity", "P-Asserted-Identity",
	} {
		out[n], out[strings.ToLower(n)] = full(n), full(n)
	}
	for c, n := range map[string]string{
		"v": "Via", "f": "From", "t": "To", "i": "Call-ID", "l": "Content-Length", "c": "Content-Type", "e": "Content-Encoding", "m": "Contact",
		"k": "Supported", "r": "Refer-To", "b": "Referred-By", "x": "Session-Expires", "o": "Event", "s": "Subject", "u": "Allow-Events", "y": "Identity",
	} {
		out[c] = full(n)
	}
	return out
}()

func fieldOf(s string) field {
	if f, ok := fields[s]; ok {
		return f
	}
	if f, ok := fields[strings.ToLower(s)]; ok {
		return f
	}
	return field{name: s}
}

var tokens = func() (out [256]bool) {
	for c := range 256 {
		out[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c < 0x80 && strings.IndexByte("-.!%*_+`'~", byte(c)) >= 0
	}
	return out
}()

func tokenByte(c byte) bool { return tokens[c] }

func token(s string) bool {
	for i := range len(s) {
		if !tokens[s[i]] {
			return false
		}
	}
	return s != ""
}

func letters(s string) bool {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return false
		}
	}
	return s != ""
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// clean reports that s has no control character but tab.
func clean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// plain reports that b holds nothing that printable would have to look at, but line ends.
func plain(b []byte) bool {
	const each = 0x0101010101010101
	for i := 0; i < len(b); i++ {
		if i+8 <= len(b) { // most words hold no control character, which is seen without looking at each byte
			x := binary.LittleEndian.Uint64(b[i:])
			del := x ^ 0x7f*each
			if ((x-0x20*each)&^x|(del-each)&^del)&(0x80*each) == 0 {
				i += 7
				continue
			}
		}
		if c := b[i]; c < ' ' || c == 0x7f {
			if c != '\r' || i+1 == len(b) || b[i+1] != '\n' {
				if c != '\n' || i == 0 || b[i-1] != '\r' {
					return false
				}
			}
		}
	}
	return true
}

// nextLine cuts a line off. In a plain text a carriage return is the first half of a line end, and of nothing else.
func nextLine(text string, plain bool) (line, rest string) {
	if !plain {
		line, rest, _ = strings.Cut(text, "\r\n")
		return line, rest
	}
	i := strings.IndexByte(text, '\r')
	if i < 0 {
		return text, ""
	}
	return text[:i], text[i+2:]
}

// printable is clean, except that a quoted-pair may hold any character but CR and LF (RFC 3261 section 25.1).
func printable(s string) bool {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			if i++; i < len(s) && (s[i] == '\r' || s[i] == '\n') {
				return false
			}
		case c < ' ' && c != '\t' || c == 0x7f:
			return false
		}
	}
	return true
}

func isVersion(s string) bool {
	rest, ok := strings.CutPrefix(s, "SIP/")
	major, minor, dot := strings.Cut(rest, ".")
	return ok && dot && digits(major) && digits(minor)
}

// uri checks a URI as far as it decides anything: its scheme and, for SIP, its host and port. hasHeaders reports a "?" component.
func uri(s string) (scheme string, hasHeaders, ok bool) {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '<' || c == '>' || c == '"' {
			return "", false, false
		}
	}
	scheme, rest, found := strings.Cut(s, ":")
	if !found || !token(scheme) || rest == "" || !(scheme[0] >= 'a' && scheme[0] <= 'z' || scheme[0] >= 'A' && scheme[0] <= 'Z') {
		return "", false, false
	}
	scheme = strings.ToLower(scheme)
	if scheme != "sip" && scheme != "sips" {
		return scheme, false, true
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		// One "@" only: with two, this package and another could disagree about the host, and with it about the tenant. "/" and "[" would lead the
		// library astray in the same way.
		user := rest[:at]
		if user == "" || strings.ContainsAny(user, "@[]\\^`{}|") || strings.HasPrefix(user, "//") || user[0] == ':' {
			return "", false, false
		}
		rest = rest[at+1:]
	}
	end := strings.IndexAny(rest, ";?")
	tail := ""
	if end >= 0 {
		rest, tail = rest[:end], rest[end:]
	}
	return scheme, strings.Contains(tail, "?"), hostPort(rest, true) && params(tail)
}

func params(tail string) bool {
	tail, _, _ = strings.Cut(tail, "?")
	if tail == "" {
		return true
	}
	tail = tail[1:]
	for more := true; more; {
		var p string
		p, tail, more = strings.Cut(tail, ";")
		if p == "" || p[0] == '=' {
			return false
		}
	}
	return true
}

// hostPort checks host [":" port].
func hostPort(s string, strict bool) bool {
	host, port, ok := s, "", true
	if strings.HasPrefix(s, "[") {
		i := strings.IndexByte(s, ']')
		if i < 0 {
			return false
		}
		a, err := netip.ParseAddr(s[1:i])
		if err != nil || !a.Is6() || a.Zone() != "" {
			return false
		}
		if rest := s[i+1:]; rest != "" {
			if port, ok = strings.CutPrefix(rest, ":"); !ok || port == "" {
				return false
			}
		}
		host = ""
	} else if h, p, has := strings.Cut(s, ":"); has {
		if host, port = h, p; port == "" {
			return false
		}
	}
	if !strings.HasPrefix(s, "[") {
		if host == "" || len(host) > 255 {
			return false
		}
		for i := range len(host) {
			c := host[i]
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') && (strict || !tokenByte(c)) {
				return false
			}
		}
	}
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return digits(port) && err == nil && n > 0 && n <= 65535
}

// cut takes the first part off a value that is split at commas outside quotes and angle brackets. more says that a comma followed. ok is false for
// an empty part and for quotes or brackets left open.
func cut(v string) (part, rest string, more, ok bool) {
	angle, quoted := false, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ',' && !angle:
			part = strings.Trim(v[:i], " \t")
			return part, v[i+1:], true, part != ""
		}
	}
	part = strings.Trim(v, " \t")
	return part, "", false, part != "" && !quoted && !angle
}

// list reads *(SEMI name [EQUAL value]), names as they are. What it returns is the part of room that it has added to it.
func list(room *[]Param, s string, semicolons bool) ([]Param, bool) {
	from := len(*room)
	all, ok := appendList(*room, s, semicolons)
	*room = all
	return all[from:len(all):len(all)], ok
}

func appendList(out []Param, s string, semicolons bool) ([]Param, bool) {
	from := len(out)
	for s = strings.Trim(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		if s[0] != ';' {
			return out, false
		}
		s = strings.TrimLeft(s[1:], " \t")
		n := 0
		for n < len(s) && tokenByte(s[n]) {
			n++
		}
		if n == 0 {
			return out, false
		}
		p := Param{Name: s[:n], Bare: true}
		s = strings.TrimLeft(s[n:], " \t")
		if strings.HasPrefix(s, "=") {
			s = strings.TrimLeft(s[1:], " \t")
			n = 0
			if strings.HasPrefix(s, `"`) {
				for n = 1; n < len(s) && s[n] != '"'; n++ {
					// A ";" in here is where the library and this package would read different parameters.
					if s[n] == ';' && !semicolons {
						return out, false
					}
					if s[n] == '\\' {
						n++
					}
				}
				if n++; n > len(s) {
					return out, false
				}
			} else {
				for n < len(s) && (tokenByte(s[n]) || strings.IndexByte("[]:/@&+$?", s[n]) >= 0 || s[n] >= 0x80) { // token, host, or what phones take for a token
					n++
				}
				if n == 0 {
					return out, false
				}
			}
			p.Value, p.Bare = s[:n], false
			s = s[n:]
		}
		if len(out)-from == maxParams {
			return out, false
		}
		for _, q := range out[from:] {
			if strings.EqualFold(q.Name, p.Name) { // RFC 3261 section 7.3.1: once each; of two tags, two readers could believe one each
				return out, false
			}
		}
		out = append(out, p)
	}
	return out, true
}
