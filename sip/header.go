package sip

import (
	"fmt"
	"iter"
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
	for h := range headers(m, name) {
		out = append(out, h.Value())
	}
	return out
}

// headers ranges over the headers of a name. The library's GetHeaders writes each name it passes in lower case first, into new memory.
func headers(m msg.Message, name string) iter.Seq[msg.Header] {
	return func(yield func(msg.Header) bool) {
		all, ok := m.(interface{ Headers() []msg.Header })
		if !ok { // both kinds of messages have it
			return
		}
		for _, h := range all.Headers() {
			if n := h.Name(); len(n) == len(name) && strings.EqualFold(n, name) && !yield(h) {
				return
			}
		}
	}
}

// first returns the first value of a header, or the empty string. Compact forms were written out when the message was screened.
func first(m msg.Message, name string) string {
	for h := range headers(m, name) {
		return h.Value()
	}
	return ""
}

// values ranges over the comma-separated members of all headers of some names, such as the option tags of Supported.
func values(m msg.Message, names ...string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range names {
			for h := range headers(m, name) {
				for v := range listed(h.Value()) {
					if v != "" && !yield(v) {
						return
					}
				}
			}
		}
	}
}

// has reports whether an option tag or method is among the values of a header. Tags are compared without case (RFC 3261 section 7.3.1).
func has(m msg.Message, tag string, names ...string) bool {
	for v := range values(m, names...) {
		if strings.EqualFold(v, tag) {
			return true
		}
	}
	return false
}
