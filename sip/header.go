package sip

import (
	"fmt"
	"slices"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// Header is one header field of a SIP message. Name is matched without regard to case; Value is the text after the colon, on one line.
type Header struct{ Name, Value string }

// ownHeaders are written by this package alone: a caller that could add one would decide about routing, dialogs or credentials by accident.
var ownHeaders = []string{
	"Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq", "Contact", "m", "Max-Forwards", "Route", "Record-Route", "Content-Length", "l",
	"Content-Type", "c", "Content-Encoding", "e", "Allow", "Supported", "Require", "Proxy-Require", "RSeq", "RAck", "Session-Expires", "x", "Min-SE",
	"Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Replaces", "Refer-To", "r", "Event", "o", "Subscription-State", "Expires",
}

// checkHeaders refuses headers that this package owns, and what would not be one header line: the attacker is whoever chose the value.
func checkHeaders(hs []Header) error {
	for _, h := range hs {
		if h.Name == "" || strings.ContainsFunc(h.Name, func(r rune) bool { return !isToken(r) }) {
			return fmt.Errorf("%w: header name %q", ErrMalformed, h.Name)
		}
		if slices.ContainsFunc(ownHeaders, func(own string) bool { return strings.EqualFold(own, h.Name) }) {
			return fmt.Errorf("%w: header %s is written by this package", ErrMalformed, h.Name)
		}
		if err := checkText(h.Value); err != nil {
			return fmt.Errorf("header %s: %w", h.Name, err)
		}
	}
	return nil
}

// isToken is the token of RFC 3261 section 25.1.
func isToken(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-.!%*_+`'~", r)
}

// Header returns the values of a header of the INVITE of an incoming call, or of the 2xx that answered a call we placed, in order. The peer wrote
// them: they are claims, except on a trunk that is trusted to make them.
func (c *Call) Header(name string) []string {
	c.mu.Lock()
	m := c.first
	c.mu.Unlock()
	if m == nil {
		return nil
	}
	var out []string
	for _, h := range m.GetHeaders(name) {
		out = append(out, h.Value())
	}
	return out
}

// first returns the first value of a header, or the empty string. Compact forms were written out when the message was screened.
func first(m msg.Message, name string) string {
	if hs := m.GetHeaders(name); len(hs) > 0 {
		return hs[0].Value()
	}
	return ""
}

// values returns the comma-separated members of all headers of a name, such as the option tags of Supported.
func values(m msg.Message, names ...string) []string {
	var out []string
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			for _, v := range splitList(h.Value()) {
				if v != "" {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// has reports whether an option tag or method is among the values of a header. Tags are compared without case (RFC 3261 section 7.3.1).
func has(m msg.Message, tag string, names ...string) bool {
	return slices.ContainsFunc(values(m, names...), func(v string) bool { return strings.EqualFold(v, tag) })
}
