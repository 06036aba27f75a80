package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Marshal writes the description in the order and form of RFC 8866 section 9. The error wraps ErrMalformed if a value is
// out of range, holds a line break or another control character, or is empty where a value is needed.
// The error wraps ErrLocal if Offer or Answer had nothing to make the session from. The result holds keys if the session does.
func (s *Session) Marshal() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	w := &writer{}
	w.line("v=0")
	o := s.Origin
	w.line("o=" + w.token(or(o.User, "-")) + " " + w.token(or(o.ID, "0")) + " " + strconv.FormatUint(o.Version, 10) +
		" IN " + w.addr(or(o.Addr, "0.0.0.0")))
	w.line("s=" + w.text(or(s.Name, "-")))
	if s.Conn != "" {
		w.line("c=IN " + w.addr(s.Conn))
	}
	w.line("t=0 0")
	w.attrs(s.Attrs)
	for i := range s.Media {
		m := &s.Media[i]
		if m.Port < 0 || m.Port > 65535 || len(m.Formats) == 0 {
			w.fail("media port or formats")
		}
		line := "m=" + w.token(m.Kind) + " " + strconv.Itoa(m.Port) + " " + w.token(m.Proto)
		for _, f := range m.Formats {
			line += " " + w.token(f)
		}
		w.line(line)
		if m.Conn != "" {
			w.line("c=IN " + w.addr(m.Conn))
		}
		w.attrs(m.Attrs)
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.b.Bytes(), nil
}

type writer struct {
	b   bytes.Buffer
	err error
}

func (w *writer) fail(what string) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
}

func (w *writer) line(s string) {
	w.b.WriteString(s)
	w.b.WriteString("\r\n")
}

func (w *writer) attrs(attrs []Attr) {
	for _, a := range attrs {
		if strings.Contains(a.Name, ":") {
			w.fail("attribute name")
		}
		s := "a=" + w.token(a.Name)
		if a.Value != "" {
			s += ":" + w.text(a.Value)
		}
		w.line(s)
	}
}

// text refuses control characters: a line break in a value would let whoever chose the value write lines of their own.
func (w *writer) text(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 && r != '\t' || r == 0x7f }) {
		w.fail("control character")
	}
	return s
}

// token refuses spaces as well.
func (w *writer) token(s string) string {
	if s == "" || strings.ContainsAny(s, " \t") {
		w.fail("empty value or space in a value")
	}
	return w.text(s)
}

// addr writes the address type in front of the address.
func (w *writer) addr(s string) string {
	if a, err := netip.ParseAddr(s); err == nil && a.Is6() {
		if a.Zone() != "" {
			w.fail("address with a zone")
		}
		return "IP6 " + w.token(s)
	}
	return "IP4 " + w.token(s)
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
