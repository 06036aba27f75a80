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
	s := &Session{}
	attrs, seenVersion := 0, false
	for n, line := range strings.FieldsFunc(string(b), func(r rune) bool { return r == '\r' || r == '\n' }) {
		line = strings.TrimRight(line, " \t")
		if line == "" {
			continue
		}
		if !seenVersion {
			if strings.ReplaceAll(line, " ", "") != "v=0" {
				return nil, fmt.Errorf("%w: it does not begin with v=0", ErrMalformed)
			}
			seenVersion = true
			continue
		}
		if len(line) < 2 || line[1] != '=' {
			continue // not a field; seen: free text after a broken gateway's body
		}
		value := strings.TrimLeft(line[2:], " \t")
		var m *Media
		if len(s.Media) > 0 {
			m = &s.Media[len(s.Media)-1]
		}
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
				return nil, fmt.Errorf("%w in line %d", err, n+1)
			}
			s.Media = append(s.Media, md)
		case 'a':
			if attrs++; attrs > maxAttrs {
				return nil, fmt.Errorf("%w: more than %d attributes", ErrTooLarge, maxAttrs)
			}
			a := parseAttr(value)
			switch {
			case a.Name == "":
			case m != nil:
				m.Attrs = append(m.Attrs, a)
			default:
				s.Attrs = append(s.Attrs, a)
			}
		}
	}
	if !seenVersion {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	return s, nil
}

// parseOrigin reads "<user> <id> <version> IN <type> <addr>" from the right, because users contain spaces in the wild.
func parseOrigin(v string) Origin {
	f := strings.Fields(v)
	if len(f) < 6 {
		return Origin{}
	}
	n := len(f)
	o := Origin{User: strings.Join(f[:n-5], " "), ID: f[n-5], Addr: f[n-1]}
	o.Version, _ = strconv.ParseUint(f[n-4], 10, 64)
	return o
}

// parseConn reads "IN IP4 <addr>[/ttl[/count]]". The first line wins.
func parseConn(v, have string) string {
	f := strings.Fields(v)
	if have != "" || len(f) < 3 {
		return have
	}
	addr, _, _ := strings.Cut(f[2], "/")
	return addr
}

// parseMedia reads "<kind> <port>[/<count>] <proto> <format>...".
func parseMedia(v string) (Media, error) {
	f := strings.Fields(v)
	if len(f) < 3 {
		return Media{}, fmt.Errorf("%w: media line", ErrMalformed)
	}
	port, _, _ := strings.Cut(f[1], "/")
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Media{}, fmt.Errorf("%w: media port", ErrMalformed)
	}
	return Media{Kind: strings.ToLower(f[0]), Port: int(n), Proto: profile(f[2]), Formats: f[3:]}, nil
}

// profile writes the RTP profiles in one way and leaves other transports as they are, since the answer repeats them.
func profile(proto string) string {
	if up := strings.ToUpper(proto); classOf(up) != classOther {
		return up
	}
	return proto
}

func parseAttr(v string) Attr {
	name, value, _ := strings.Cut(v, ":")
	return Attr{Name: strings.TrimSpace(name), Value: strings.TrimLeft(value, " \t")}
}
