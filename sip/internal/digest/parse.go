package digest

import (
	"errors"
	"strconv"
	"strings"
)

// maxValue bounds a header value that is read, in bytes: above any challenge or answer that is meant.
const maxValue = 2048

var errSyntax = errors.New("digest: not a digest header")

// challenge is a WWW-Authenticate or Proxy-Authenticate value (RFC 7616 section 3.3).
type challenge struct {
	realm, nonce, opaque, algorithm string
	qop                             string // a list, as it was written
	stale                           bool
}

// credentials is an Authorization or Proxy-Authorization value (RFC 7616 section 3.4).
type credentials struct {
	username, realm, nonce, uri, response, algorithm, cnonce, opaque, qop string
	nc                                                                    uint32
}

func parseChallenge(s string) (c challenge, err error) {
	err = fields(s, func(name, value string) error {
		switch name {
		case "realm":
			c.realm = value
		case "nonce":
			c.nonce = value
		case "opaque":
			c.opaque = value
		case "algorithm":
			c.algorithm = value
		case "qop":
			c.qop = value
		case "stale":
			c.stale = strings.EqualFold(value, "true")
		}
		return nil
	})
	return c, err
}

func parseCredentials(s string) (c credentials, err error) {
	err = fields(s, func(name, value string) error {
		switch name {
		case "username":
			c.username = value
		case "realm":
			c.realm = value
		case "nonce":
			c.nonce = value
		case "uri":
			c.uri = value
		case "response":
			c.response = value
		case "algorithm":
			c.algorithm = value
		case "cnonce":
			c.cnonce = value
		case "opaque":
			c.opaque = value
		case "qop":
			c.qop = value
		case "nc":
			n, err := strconv.ParseUint(value, 16, 31)
			if err != nil || len(value) > 8 {
				return errSyntax
			}
			c.nc = uint32(n)
		}
		return nil
	})
	return c, err
}

// known are the parameters that mean something to us, each allowed once: of two, two readers could believe one each.
var known = [...]string{"realm", "nonce", "opaque", "algorithm", "qop", "stale", "username", "uri", "response", "cnonce", "nc"}

// fields reads "Digest" and a comma-separated list of name=value, the value a token or a quoted string (RFC 3261 section 25.1, auth-param), and
// gives each known one to take, its name in lower case. Values are parts of s unless they hold a quoted pair.
func fields(s string, take func(name, value string) error) error {
	const scheme = "digest"
	if len(s) > maxValue || len(s) <= len(scheme) || !strings.EqualFold(s[:len(scheme)], scheme) || !space(s[len(scheme)]) {
		return errSyntax
	}
	var seen uint16
	for s = trimLeft(s[len(scheme):]); ; s = trimLeft(s[1:]) {
		n := 0
		for n < len(s) && tokenByte(s[n]) {
			n++
		}
		name := s[:n]
		if s = trimLeft(s[n:]); n == 0 || s == "" || s[0] != '=' {
			return errSyntax
		}
		value, rest, ok := fieldValue(trimLeft(s[1:]))
		if !ok {
			return errSyntax
		}
		for i, k := range known {
			if !strings.EqualFold(name, k) {
				continue
			}
			if seen&(1<<i) != 0 {
				return errSyntax
			}
			seen |= 1 << i
			if err := take(k, value); err != nil {
				return err
			}
		}
		if s = trimLeft(rest); s == "" {
			return nil
		}
		if s[0] != ',' {
			return errSyntax
		}
	}
}

// fieldValue cuts a token or a quoted string off s.
func fieldValue(s string) (value, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		n := 0
		for n < len(s) && tokenByte(s[n]) {
			n++
		}
		return s[:n], s[n:], n > 0
	}
	pairs := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && !pairs:
			return s[1:i], s[i+1:], true
		case c == '"':
			return unquote(s[1:i]), s[i+1:], true
		case c == '\\':
			pairs = true
			if i++; i == len(s) {
				return "", "", false
			}
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", "", false
		}
	}
	return "", "", false
}

func unquote(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

func space(c byte) bool { return c == ' ' || c == '\t' }

func trimLeft(s string) string { return strings.TrimLeft(s, " \t") }

// tokenByte is the token of RFC 3261 section 25.1.
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-.!%*_+`'~", c) >= 0
}

// String writes the challenge. Its values are ours: they hold neither quotes nor backslashes.
func (c *challenge) String() string {
	b := make([]byte, 0, 256)
	b = quoted(append(b, "Digest "...), "realm", c.realm)
	b = quoted(append(b, ", "...), "nonce", c.nonce)
	if c.stale {
		b = append(b, ", stale=true"...)
	}
	b = append(append(b, ", algorithm="...), c.algorithm...)
	return string(quoted(append(b, ", "...), "qop", c.qop))
}

// String writes the credentials. The response stands last, where some servers want it.
func (c *credentials) String() string {
	b := make([]byte, 0, 512)
	b = quoted(append(b, "Digest "...), "username", c.username)
	b = quoted(append(b, ", "...), "realm", c.realm)
	b = quoted(append(b, ", "...), "nonce", c.nonce)
	b = quoted(append(b, ", "...), "uri", c.uri)
	if c.algorithm != "" {
		b = append(append(b, ", algorithm="...), c.algorithm...)
	}
	if c.opaque != "" {
		b = quoted(append(b, ", "...), "opaque", c.opaque)
	}
	if c.qop != "" {
		b = quoted(append(b, ", "...), "cnonce", c.cnonce)
		b = append(append(append(b, ", qop="...), c.qop...), ", nc="...)
		b = appendCount(b, c.nc)
	}
	return string(quoted(append(b, ", "...), "response", c.response))
}

// quoted appends name="value" with quoted pairs where they are needed. Control characters were refused before.
func quoted(b []byte, name, value string) []byte {
	b = append(append(b, name...), `="`...)
	for i := range len(value) {
		if value[i] == '"' || value[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, value[i])
	}
	return append(b, '"')
}

// appendCount appends a nonce count: eight hexadecimal digits (RFC 7616 section 3.4).
func appendCount(b []byte, n uint32) []byte {
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}
