package sdp

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
)

// Session is a session description. The zero Session is empty and cannot be written.
type Session struct {
	// Origin is the o= line.
	Origin Origin
	// Name is the s= line. If zero, written as "-".
	Name string
	// Conn is the address of the session-level c= line, an IP address or a host name. If zero, there is no such line.
	Conn string
	// Attrs are the session-level attributes.
	Attrs []Attr
	// Media are the streams in order.
	Media []Media

	err error // why Offer or Answer could not make it; Marshal returns it
}

// newSession returns a session with room for streams; nearly every session has one.
func newSession(streams int) *Session {
	if streams > 1 {
		return &Session{Media: make([]Media, 0, streams)}
	}
	r := &struct {
		s Session
		m [1]Media
	}{}
	r.s.Media = r.m[:0]
	return &r.s
}

// Origin is the o= line (RFC 8866 section 5.2).
type Origin struct {
	// User is the user name. If zero, written as "-".
	User string
	// ID is the session id, a decimal number in what we write; any token in what we read. If zero, written as "0".
	ID string
	// Version grows by one with every changed description of the session. An unreadable version is read as 0.
	Version uint64
	// Addr is the address, an IP address or a host name. If zero, written as 0.0.0.0.
	Addr string
}

// Media is one m= line with what belongs to it.
type Media struct {
	// Kind is audio, video, image, ...
	Kind string
	// Port is the RTP port; 0 switches the stream off.
	Port int
	// Proto is the transport, such as RTP/SAVP.
	Proto string
	// Formats are the payload types, or whatever the transport has in their place.
	Formats []string
	// Conn is the address of the stream's own c= line. If zero, the session's applies.
	Conn string
	// Attrs are the stream's attributes.
	Attrs []Attr
}

// Attr is one a= line: a property (no Value) or a value attribute. A crypto attribute prints without its value.
type Attr struct {
	// Name is the part before the colon.
	Name string
	// Value is the part after the colon. If zero, the attribute is a property.
	Value string
}

// secret reports whether the attribute holds key material: SDES keys, the legacy key attribute and MIKEY.
func (a Attr) secret() bool {
	return strings.EqualFold(a.Name, "crypto") || strings.EqualFold(a.Name, "key") || strings.EqualFold(a.Name, "key-mgmt")
}

// String returns the attribute as "name:value", with REDACTED in place of a value that holds a key.
func (a Attr) String() string {
	switch {
	case a.Value == "":
		return a.Name
	case a.secret():
		return a.Name + ":REDACTED"
	default:
		return a.Name + ":" + a.Value
	}
}

// GoString returns the same as String.
func (a Attr) GoString() string { return a.String() }

// Format writes the same as String for every verb.
func (a Attr) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, a.String()) }

// LogValue returns the same as String.
func (a Attr) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalText returns the same as String.
func (a Attr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Attr returns the value of the first attribute with the name and whether there is one. Case matters not.
func (m *Media) Attr(name string) (string, bool) { return find(m.Attrs, name) }

// Attr returns the value of the first session-level attribute with the name and whether there is one. Case matters not.
func (s *Session) Attr(name string) (string, bool) { return find(s.Attrs, name) }

func find(attrs []Attr, name string) (string, bool) {
	for i := range attrs {
		if same(attrs[i].Name, name) {
			return attrs[i].Value, true
		}
	}
	return "", false
}

// same compares the names of attributes. It is called for every attribute and every name we know, so the first letter decides most.
func same(a, b string) bool {
	return len(a) == len(b) && (a == b || a != "" && a[0]|0x20 == b[0]|0x20 && strings.EqualFold(a, b))
}

// Crypto returns the values of the stream's crypto attributes in order. They hold keys.
func (m *Media) Crypto() Keys { return cryptoOf(m.Attrs) }

func cryptoOf(attrs []Attr) Keys { return values(attrs, "crypto") }

// values returns the values of all attributes with the name.
func values(attrs []Attr, name string) []string {
	var v []string
	for i := range attrs {
		if same(attrs[i].Name, name) {
			v = append(v, attrs[i].Value)
		}
	}
	return v
}

// Direction says who sends, seen from whoever wrote the description (RFC 3264 section 5.1).
type Direction uint8

// The directions. The zero value is none and is read as sendrecv where RFC 8866 says so.
const (
	DirectionNone Direction = iota // not stated
	SendRecv                       // sends and receives
	SendOnly                       // sends, does not receive: the peer is on hold
	RecvOnly                       // receives, does not send
	Inactive                       // neither
)

// String returns the attribute's name.
func (d Direction) String() string {
	switch d {
	case SendRecv:
		return "sendrecv"
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	case Inactive:
		return "inactive"
	case DirectionNone:
	}
	return "none"
}

// Sends reports whether the writer sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the writer receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Reverse returns the same direction seen from the other side.
func (d Direction) Reverse() Direction { return direction(d.Receives(), d.Sends()) }

// And returns what both want: we may send only if we want to and the peer listens. d is ours, peer is what the peer wrote.
func (d Direction) And(peer Direction) Direction {
	return direction(d.Sends() && peer.Receives(), d.Receives() && peer.Sends())
}

func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	default:
		return Inactive
	}
}

// directionOf returns the direction of a stream: its own attribute, else the session's, else sendrecv.
func directionOf(s *Session, m *Media) Direction {
	for _, attrs := range [2][]Attr{m.Attrs, s.Attrs} {
		for i := range attrs {
			if len(attrs[i].Name) != len("sendrecv") { // the others are as long
				continue
			}
			for d := SendRecv; d <= Inactive; d++ {
				if same(attrs[i].Name, d.String()) {
					return d
				}
			}
		}
	}
	return SendRecv
}

// addrOf returns the stream's address as an IP, or the host name in its place.
func addrOf(s *Session, m *Media) (netip.Addr, string) {
	c := m.Conn
	if c == "" {
		c = s.Conn
	}
	if c == "" {
		return netip.Addr{}, ""
	}
	a, err := netip.ParseAddr(c)
	switch {
	case err != nil && strings.Contains(c, ":"), err == nil && a.Zone() != "":
		return netip.Addr{}, "" // neither an address nor a name
	case err != nil:
		return netip.Addr{}, c
	}
	return a.Unmap(), ""
}
