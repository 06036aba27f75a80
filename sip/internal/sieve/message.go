package sieve

import (
	"bytes"
	"strconv"
	"strings"
)

// Header is one header line, unfolded, under its full name.
type Header struct{ Name, Value string }

// Param is a parameter of a header value. Value is written as it was, quotes included; Bare says that there was no equals sign.
type Param struct {
	Name, Value string
	Bare        bool
}

// Message is a message that was read. After a fault it holds what was readable, enough to answer with.
type Message struct {
	Method, URI string // request
	Status      int    // response; 0 for a request
	phrase      string
	Version     string

	Via      []Via
	From, To Address
	CallID   string
	Seq      uint32
	// SeqMethod is the method of CSeq, which is Method unless there was a fault.
	SeqMethod string
	Forwards  int // Max-Forwards, -1 if absent
	// Length is Content-Length: -1 if absent, -2 if it cannot be told, which on a stream means that the next message cannot be found.
	Length int
	Other  []Header // everything else, in order
	Body   []byte

	fromRaw, toRaw, seqRaw string
	params                 []Param // room for those of Via, From, To and others
	room                   []byte
}

// Fault says why a message does not pass. Code is the status to answer with; 0 means that no answer is due.
type Fault struct {
	Code   int
	Header Header // one that the status calls for, or the zero value
	Why    string // for the log: a fixed text, never a part of the message
}

func fault(code int, why string) *Fault { return &Fault{Code: code, Why: why} }

// Get returns the value of the first of Other with the full name given.
func (m *Message) Get(name string) (string, bool) {
	for _, h := range m.Other {
		if h.Name == name {
			return h.Value, true
		}
	}
	return "", false
}

// Tag returns the tag of an address, empty if there is none.
func (a Address) Tag() string { return find(a.Params, "tag") }

func find(ps []Param, name string) string {
	for _, p := range ps {
		if strings.EqualFold(p.Name, name) {
			return p.Value
		}
	}
	return ""
}

// End returns the length of the head that b begins with, the empty line included; 0 if it is not complete yet. The first seen bytes were
// searched before.
func End(b []byte, seen int) int {
	from := max(0, seen-3)
	if i := bytes.Index(b[from:], []byte("\r\n\r\n")); i >= 0 {
		return from + i + 4
	}
	return 0
}

// Head reads a head as cut by End. The Message is never nil.
func Head(b []byte) (*Message, *Fault) {
	m := new(Message)
	return m, m.Read(b)
}

// Read is Head into a Message that was used before and is not needed any more: its room is used again. Strings that were taken from it stay as they are.
func (m *Message) Read(b []byte) *Fault {
	clear(m.Via)
	clear(m.Other)
	clear(m.params)
	*m = Message{Forwards: -1, Length: -1, Via: m.Via[:0], Other: m.Other[:0], params: m.params[:0], room: m.room[:0]}
	tooLong := len(b) > MaxHead
	if tooLong { // what is beyond is not looked at: the work for one message is bounded, whatever it holds
		b = b[:MaxHead]
		if i := bytes.LastIndex(b, []byte("\r\n")); i > 0 {
			b = b[:i]
		}
	}
	orderly := plain(b)
	text := strings.TrimSuffix(string(b), "\r\n\r\n")
	start, rest := nextLine(text, orderly)
	f := m.start(start)
	if g := m.headers(rest, orderly); f == nil {
		f = g
	}
	if tooLong {
		m.Length = -2 // it may stand in the part not looked at
		if f == nil {
			f = fault(513, "head too long")
		}
	}
	if f == nil {
		f = m.check()
	}
	if f != nil && (m.Status != 0 || m.Method == "ACK" || m.Method == "") {
		f.Code = 0 // there is no answer to an answer, nor to an ACK, nor to what is no request at all
	}
	return f
}

func (m *Message) start(line string) *Fault {
	if len(line) >= 4 && strings.EqualFold(line[:4], "SIP/") { // status line
		m.Status = -1 // no request in any case
		version, rest, _ := strings.Cut(line, " ")
		code, phrase, _ := strings.Cut(rest, " ")
		if version != "SIP/2.0" || len(code) != 3 || !digits(code) || code[0] < '1' || code[0] > '6' || !clean(phrase) {
			return fault(0, "status line")
		}
		m.Status, _ = strconv.Atoi(code)
		m.Version, m.phrase = version, phrase
		return nil
	}
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !token(method) {
		return fault(0, "start line")
	}
	m.Method = method
	i := strings.LastIndexByte(rest, ' ')
	if i < 0 {
		return fault(400, "start line")
	}
	m.URI, m.Version = rest[:i], rest[i+1:]
	if !isVersion(m.Version) {
		return fault(400, "SIP version")
	}
	if m.Version != "SIP/2.0" {
		return fault(505, "SIP version") // before the URI: what another version puts there is its own affair
	}
	if len(m.URI) > MaxURI {
		return fault(414, "Request-URI too long")
	}
	scheme, hasHeaders, ok := uri(m.URI)
	switch {
	case !ok || hasHeaders: // RFC 3261 section 19.1.1: no header component in a Request-URI
		return fault(400, "Request-URI")
	case scheme != "sip" && scheme != "sips":
		return fault(416, "Request-URI scheme")
	}
	return nil
}

// headers reads the header lines. It goes on after a fault, so that the answer can carry what is readable, and returns the first one.
func (m *Message) headers(text string, plain bool) (first *Fault) {
	note := func(f *Fault) {
		if first == nil {
			first = f
		}
	}
	var seen uint32
	for count := 1; text != ""; count++ {
		line, rest := nextLine(text, plain)
		for ; rest != "" && (rest[0] == ' ' || rest[0] == '\t'); count++ { // folded (RFC 3261 section 7.3.1); each line counts
			var more string
			more, rest = nextLine(rest, plain)
			if count <= MaxHeaders {
				line = strings.TrimRight(line, " \t") + " " + strings.Trim(more, " \t")
			}
		}
		text = rest
		if count > MaxHeaders {
			note(fault(400, "too many headers"))
			if count > 4*MaxHeaders { // an answer is not worth reading on
				m.Length = -2
				return first
			}
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimRight(name, " \t"), strings.Trim(value, " \t")
		if !ok || !token(name) {
			note(fault(400, "header line"))
			continue
		}
		if !plain && !printable(value) {
			note(fault(400, "control character"))
			continue
		}
		f := fieldOf(name)
		name = f.name
		if seen&f.bit != 0 {
			note(fault(400, "header twice"))
			if name == "Content-Length" {
				m.Length = -2 // two lengths are two opinions of where the next message begins: request smuggling
			}
			continue
		}
		seen |= f.bit
		note(m.header(name, value))
	}
	return first
}

func (m *Message) header(name, value string) *Fault {
	switch name {
	case "Via":
		if !m.vias(value) {
			return fault(400, "Via")
		}
	case "From":
		a, ok := m.address(value, false)
		if m.From, m.fromRaw = a, value; !ok {
			return fault(400, "From")
		}
	case "To":
		a, ok := m.address(value, false)
		if m.To, m.toRaw = a, value; !ok {
			return fault(400, "To")
		}
	case "Call-ID":
		if m.CallID = value; value == "" || strings.ContainsAny(value, " \t") || len(value) > 512 {
			return fault(400, "Call-ID")
		}
	case "CSeq":
		m.seqRaw = value
		i := strings.IndexAny(value, " \t")
		if i < 0 || !digits(value[:i]) {
			return fault(400, "CSeq")
		}
		n, err := strconv.ParseUint(value[:i], 10, 64)
		m.SeqMethod = strings.Trim(value[i:], " \t")
		if err != nil || n > maxSeq || !token(m.SeqMethod) { // RFC 3261 section 8.1.1.5: less than 2**31
			return fault(400, "CSeq")
		}
		m.Seq = uint32(n)
	case "Max-Forwards":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil || n > 255 {
			return fault(400, "Max-Forwards")
		}
		m.Forwards = int(n)
	case "Content-Length":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			m.Length = -2
			return fault(400, "Content-Length")
		}
		m.Length = int(n)
	case "Contact", "Route", "Record-Route", "Refer-To", "Referred-By":
		if name == "Contact" && value == "*" {
			m.Other = append(m.Other, Header{name, value})
			return nil
		}
		ok := true
		for more := true; more; {
			var p string
			var whole bool
			if p, value, more, whole = cut(value); !whole {
				ok = false
			}
			if p == "" {
				continue
			}
			// Semicolons: in an answer to REGISTER they stand in quotes (pub-gruu, RFC 5627 section 5.2). Whoever reads parameters of a Contact must mend what
			// the library makes of them.
			a, good := m.address(p, name == "Contact" && m.Status != 0)
			if !good || ((name == "Route" || name == "Record-Route") && !a.bracketed) {
				ok = false
				continue
			}
			if m.room = a.append(m.room[:0]); string(m.room) != p { // most are written in canonical form
				p = string(m.room)
			}
			m.Other = append(m.Other, Header{name, p})
		}
		// An answer is not ours to refuse: a hop in it that cannot be addressed is left out, or it would cost the call.
		if !ok && m.Status == 0 {
			return fault(400, name)
		}
	case "Content-Type":
		if value == "" || strings.Count(value, "/") < 1 {
			return fault(400, "Content-Type")
		}
		m.Other = append(m.Other, Header{name, value})
	default:
		m.Other = append(m.Other, Header{name, value})
	}
	return nil
}

// check demands what every message must have (RFC 3261 section 8.1.1) and what must agree.
func (m *Message) check() *Fault {
	if len(m.Via) == 0 || m.fromRaw == "" || m.toRaw == "" || m.CallID == "" || m.seqRaw == "" {
		return fault(400, "a required header is missing")
	}
	if m.Status == 0 && m.SeqMethod != m.Method {
		return fault(400, "CSeq method")
	}
	// A dialog that only a Call-ID names could be touched by everybody who has seen one: no RFC 2543 peers.
	if m.From.Tag() == "" {
		return fault(400, "From tag")
	}
	if m.Length > MaxBody {
		return fault(413, "body too long")
	}
	return nil
}

// Reason is the reason phrase of a response.
func (m *Message) Reason() string { return m.phrase }

// Append writes the message in canonical form to dst. If rport is set, the top Via asks for an answer to where the message came from
// (RFC 3581).
func (m *Message) Append(dst []byte, rport bool) []byte {
	if m.Status != 0 {
		dst = append(dst, "SIP/2.0 "...)
		dst = strconv.AppendInt(dst, int64(m.Status), 10)
		dst = append(append(dst, ' '), m.phrase...)
	} else {
		dst = append(append(append(append(dst, m.Method...), ' '), m.URI...), " SIP/2.0"...)
	}
	dst = append(dst, "\r\n"...)
	for i, v := range m.Via {
		dst = v.append(append(dst, "Via: "...), rport && i == 0)
		dst = append(dst, "\r\n"...)
	}
	line := func(name, value string) {
		dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
	}
	if m.Forwards >= 0 {
		dst = append(strconv.AppendInt(append(dst, "Max-Forwards: "...), int64(m.Forwards), 10), "\r\n"...)
	}
	dst = append(m.From.append(append(dst, "From: "...)), "\r\n"...)
	dst = append(m.To.append(append(dst, "To: "...)), "\r\n"...)
	line("Call-ID", m.CallID)
	dst = append(strconv.AppendUint(append(dst, "CSeq: "...), uint64(m.Seq), 10), ' ')
	dst = append(append(dst, m.SeqMethod...), "\r\n"...)
	for _, h := range m.Other {
		line(h.Name, h.Value)
	}
	dst = append(strconv.AppendInt(append(dst, "Content-Length: "...), int64(len(m.Body)), 10), "\r\n\r\n"...)
	return append(dst, m.Body...)
}

// Answer writes a stateless response (RFC 3261 section 8.2.7) to dst: what the request says of itself comes back, nothing is kept. tag is added
// to To unless there is one. from is "ip" and "port" of where the request came from. It returns nil when the request has not what an
// answer must carry.
func (m *Message) Answer(dst []byte, code int, phrase, tag, ip, port string, extra ...Header) []byte {
	if m.Status != 0 || m.Method == "ACK" || len(m.Via) == 0 {
		return nil
	}
	line := func(name, value string) {
		dst = append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
	}
	dst = append(append(append(dst, "SIP/2.0 "...), strconv.Itoa(code)...), ' ')
	dst = append(append(dst, phrase...), "\r\n"...)
	for i, v := range m.Via {
		if i == 0 {
			v = v.received(ip, port)
		}
		dst = v.append(append(dst, "Via: "...), false)
		dst = append(dst, "\r\n"...)
	}
	// Headers that could not be read go back as they came: they hold no control character, and the sender may need them to find its request.
	if m.fromRaw != "" {
		line("From", m.fromRaw)
	}
	if m.toRaw != "" {
		to := m.toRaw
		if m.To.URI != "" {
			a := m.To
			if a.Tag() == "" && tag != "" {
				a.Params = append(a.Params[:len(a.Params):len(a.Params)], Param{Name: "tag", Value: tag})
			}
			to = a.String()
		}
		line("To", to)
	}
	if m.CallID != "" {
		line("Call-ID", m.CallID)
	}
	if m.seqRaw != "" {
		line("CSeq", m.seqRaw)
	}
	for _, h := range extra {
		if h.Name != "" {
			line(h.Name, h.Value)
		}
	}
	return append(dst, "Content-Length: 0\r\n\r\n"...)
}

// Host is the host of the Request-URI, an IPv6 address in its brackets.
func (m *Message) Host() string {
	_, rest, _ := strings.Cut(m.URI, ":")
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if strings.HasPrefix(rest, "[") {
		return rest[:strings.IndexByte(rest, ']')+1]
	}
	if i := strings.IndexAny(rest, ":;?"); i >= 0 {
		rest = rest[:i]
	}
	return rest
}
