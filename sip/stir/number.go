package stir

import (
	"errors"
	"strings"
)

// ErrNumber is returned for what is no telephone number.
var ErrNumber = errors.New("stir: not a telephone number")

const maxDigits = 15 // E.164, and TelephoneNumber of RFC 8226 section 9

// Plan says how numbers without + are meant, which is local policy (RFC 8224 section 8.3). The zero value takes them as they are: with a country code.
type Plan struct {
	Country       string // the country code, digits
	International string // what is dialed before a country code, such as "00"
	Trunk         string // what is dialed before a national number, such as "0", or "1" in North America
	Bare          int    // how many digits a national number has that is written without Trunk, 10 in North America; 0: there are none
}

// Canonical returns a number as tokens have it: digits, # and * with country code and without + (RFC 8224 section 8.3). Visual separators are dropped. Letters and
// whatever else is in s are an error, and not dropped: two numbers that a phone shows differently must not become one.
func (p Plan) Canonical(s string) (string, error) {
	if len(s) > 64 {
		return "", ErrNumber
	}
	var b strings.Builder
	plus := false
	for i, c := range []byte(s) {
		switch {
		case c >= '0' && c <= '9' || c == '#' || c == '*':
			b.WriteByte(c)
		case c == '+' && i == 0:
			plus = true
		case strings.IndexByte("-.() ", c) >= 0:
		default:
			return "", ErrNumber
		}
	}
	n := b.String()
	if !plus {
		switch rest, intl := strings.CutPrefix(n, p.International); {
		case p.International != "" && intl:
			n = rest
		case p.Country == "":
		case p.Bare > 0 && len(n) == p.Bare:
			n = p.Country + n
		case p.Trunk != "" && strings.HasPrefix(n, p.Trunk):
			n = p.Country + n[len(p.Trunk):]
		}
	}
	if n == "" || len(n) > maxDigits {
		return "", ErrNumber
	}
	return n, nil
}
