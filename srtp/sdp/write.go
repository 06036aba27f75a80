package sdp

import (
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
	n := 128
	for i := range s.Attrs {
		n += len(s.Attrs[i].Name) + len(s.Attrs[i].Value) + 5
	}
	for i := range s.Media {
		n += 64 + 4*len(s.Media[i].Formats)
		for j := range s.Media[i].Attrs {
			n += len(s.Media[i].Attrs[j].Name) + len(s.Media[i].Attrs[j].Value) + 5
		}
	}
	w := writer{b: make([]byte, 0, n)}
	w.raw("v=0\r\no=")
	w.token(or(s.Origin.User, "-"))
	w.raw(" ")
	w.token(or(s.Origin.ID, "0"))
	w.raw(" ")
	w.b = strconv.AppendUint(w.b, s.Origin.Version, 10)
	w.addr(" IN ", or(s.Origin.Addr, "0.0.0.0"))
	w.raw("\r\ns=")
	w.text(or(s.Name, "-"))
	w.raw("\r\n")
	w.conn(s.Conn)
	w.raw("t=0 0\r\n")
	w.attrs(s.Attrs)
	for i := range s.Media {
		w.media(&s.Media[i])
	}
	if w.err != nil {
		return nil, w.err
	}
	return w.b, nil
}

type writer struct {
	b   []byte
	err error
}

func (w *writer) fail(what string) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
}

func (w *writer) raw(s string) { w.b = append(w.b, s...) }

func (w *writer) media(m *Media) {
	if m.Port < 0 || m.Port > 65535 || len(m.Formats) == 0 {
		w.fail("media port or formats")
	}
	w.raw("m=")
	w.token(m.Kind)
	w.raw(" ")
	w.b = strconv.AppendInt(w.b, int64(m.Port), 10)
	w.raw(" ")
	w.token(m.Proto)
	for _, f := range m.Formats {
		w.raw(" ")
		w.token(f)
	}
	w.raw("\r\n")
	w.conn(m.Conn)
	w.attrs(m.Attrs)
}

func (w *writer) conn(addr string) {
	if addr == "" {
		return
	}
	w.addr("c=IN ", addr)
	w.raw("\r\n")
}

func (w *writer) attrs(attrs []Attr) {
	for i := range attrs {
		a := &attrs[i]
		if strings.IndexByte(a.Name, ':') >= 0 {
			w.fail("attribute name")
		}
		w.raw("a=")
		w.token(a.Name)
		if a.Value != "" {
			w.raw(":")
			w.text(a.Value)
		}
		w.raw("\r\n")
	}
}

// text refuses control characters: a line break in a value would let whoever chose the value write lines of their own.
func (w *writer) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < 0x20 && c != '\t' || c == 0x7f {
			w.fail("control character")
		}
	}
	w.raw(s)
}

// token refuses spaces as well.
func (w *writer) token(s string) {
	bad := s == ""
	for i := range len(s) {
		bad = bad || s[i] <= ' ' || s[i] == 0x7f
	}
	if bad {
		w.fail("empty value, or space or control character in a value")
	}
	w.raw(s)
}

// addr writes the address type in front of the address. A colon is in no host name and in every IPv6 address.
func (w *writer) addr(before, s string) {
	w.raw(before)
	if strings.IndexByte(s, ':') < 0 {
		w.raw("IP4 ")
		w.token(s)
		return
	}
	if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
		w.fail("address")
	}
	w.raw("IP6 ")
	w.token(s)
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
