package sdp

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds of what Parse reads: a browser's offer with video is 8 KB and 4 streams.
const (
	maxSize  = 16 << 10
	maxMedia = 16
	maxAttrs = 512
)

// Parse reads a session description. It takes CRLF, LF or CR as line ends, passes over unknown and broken lines it does not need, and
// asks only for the v=0 line in front. A broken m= line is an error, because the order of streams carries meaning.
// The errors wrap ErrMalformed or ErrTooLarge and quote nothing of the input.
func Parse(b []byte) (*Session, error) {
	if len(b) > maxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	text := string(b)
	// Room for every attribute at once, since nearly all lines are attributes: levels take their part of it.
	lines := strings.Count(text, "\n")
	if lines == 0 {
		lines = strings.Count(text, "\r")
	}
	p := parser{text: text, lf: -1, attrs: make([]Attr, 0, min(max(lines-5, 0), maxAttrs))}
	line, _ := p.next()
	if line == "" {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	if line != "v=0" && strings.ReplaceAll(line, " ", "") != "v=0" {
		return nil, fmt.Errorf("%w: it does not begin with v=0", ErrMalformed)
	}
	s := newSession(1)
	var m *Media // the stream that lines belong to; nil before the first
	for {
		line, ok := p.next()
		if !ok {
			p.close(s, m)
			if m == nil {
				s.Media = nil
			}
			return s, nil
		}
		if len(line) < 2 || line[1] != '=' {
			continue // not a field; seen: free text after a broken gateway's body
		}
		value := trimLeft(line[2:])
		switch line[0] {
		case 'o':
			if m == nil {
				s.Origin = parseOrigin(value)
			}
		case 's':
			if m == nil {
				s.Name = value
			}
		case 'c':
			if m != nil {
				m.Conn = parseConn(value, m.Conn)
			} else {
				s.Conn = parseConn(value, s.Conn)
			}
		case 'm':
			if len(s.Media) == maxMedia {
				return nil, fmt.Errorf("%w: more than %d streams", ErrTooLarge, maxMedia)
			}
			md, err := parseMedia(value)
			if err != nil {
				return nil, fmt.Errorf("%w in line %d", err, p.line)
			}
			p.close(s, m)
			s.Media = append(s.Media, md)
			m = &s.Media[len(s.Media)-1]
		case 'a':
			if p.total++; p.total > maxAttrs {
				return nil, fmt.Errorf("%w: more than %d attributes", ErrTooLarge, maxAttrs)
			}
			if a := parseAttr(value); a.Name != "" {
				p.attrs = append(p.attrs, a)
			}
		}
	}
}

// parser reads lines off a text.
type parser struct {
	text  string
	pos   int    // of the next line
	lf    int    // where the line feed at or behind pos is: looked for once, whatever carriage returns come before it
	line  int    // of the line read last, from 1
	attrs []Attr // of the level being read
	total int
}

// next returns the next line with something in it, and false at the end. LF, CR and CRLF end lines.
func (p *parser) next() (string, bool) {
	for p.pos < len(p.text) {
		if p.lf < p.pos {
			if p.lf = strings.IndexByte(p.text[p.pos:], '\n'); p.lf < 0 {
				p.lf = len(p.text)
			} else {
				p.lf += p.pos
			}
		}
		end := p.lf
		if cr := strings.IndexByte(p.text[p.pos:end], '\r'); cr >= 0 {
			end = p.pos + cr
		}
		line := trimRight(p.text[p.pos:end])
		p.pos = end + 1
		if end < p.lf && p.pos == p.lf {
			p.pos++ // CRLF is one end
		}
		p.line++
		if line != "" {
			return line, true
		}
	}
	return "", false
}

// close gives the attributes read so far to the level they belong to, and leaves the rest of the room to the next.
func (p *parser) close(s *Session, m *Media) {
	if len(p.attrs) == 0 {
		return
	}
	n := len(p.attrs)
	if m != nil {
		m.Attrs = p.attrs[:n:n]
	} else {
		s.Attrs = p.attrs[:n:n]
	}
	p.attrs = p.attrs[n:]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

func trimLeft(s string) string {
	for s != "" && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// field takes the first word off s.
func field(s string) (word, rest string) {
	s = trimLeft(s)
	n := 0
	for n < len(s) && !isSpace(s[n]) {
		n++
	}
	return s[:n], s[n:]
}

// lastField takes the last word off s.
func lastField(s string) (word, rest string) {
	s = trimRight(s)
	n := len(s)
	for n > 0 && !isSpace(s[n-1]) {
		n--
	}
	return s[n:], s[:n]
}

// parseOrigin reads "<user> <id> <version> IN <type> <addr>" from the right, because users contain spaces in the wild.
func parseOrigin(v string) Origin {
	addr, v := lastField(v)
	_, v = lastField(v)
	_, v = lastField(v)
	version, v := lastField(v)
	id, v := lastField(v)
	if v = trimLeft(trimRight(v)); v == "" {
		return Origin{}
	}
	o := Origin{User: v, ID: id, Addr: addr}
	o.Version, _ = strconv.ParseUint(version, 10, 64)
	return o
}

// parseConn reads "IN IP4 <addr>[/ttl[/count]]". The first line wins.
func parseConn(v, have string) string {
	_, v = field(v)
	_, v = field(v)
	addr, _ := field(v)
	if have != "" || addr == "" {
		return have
	}
	addr, _, _ = strings.Cut(addr, "/")
	return addr
}

// parseMedia reads "<kind> <port>[/<count>] <proto> <format>...".
func parseMedia(v string) (Media, error) {
	kind, v := field(v)
	port, v := field(v)
	proto, v := field(v)
	if proto == "" {
		return Media{}, fmt.Errorf("%w: media line", ErrMalformed)
	}
	port, _, _ = strings.Cut(port, "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Media{}, fmt.Errorf("%w: media port", ErrMalformed)
	}
	return Media{Kind: strings.ToLower(kind), Port: int(n), Proto: profile(proto), Formats: strings.Fields(v)}, nil
}

// profile writes the RTP profiles in one way and leaves other transports as they are, since the answer repeats them.
func profile(proto string) string {
	if classOf(proto) != classOther {
		return proto
	}
	if up := strings.ToUpper(proto); classOf(up) != classOther {
		return up
	}
	return proto
}

func parseAttr(v string) Attr {
	name, value, _ := strings.Cut(v, ":")
	return Attr{Name: trimRight(name), Value: trimLeft(value)}
}
