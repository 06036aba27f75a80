package trunk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Plan says how numbers are written where they come from, so that they can be brought into one form: E.164 with a plus sign. The zero value knows
// numbers with a plus sign only.
type Plan struct {
	// Country is the country code, "49". If empty, national numbers are refused.
	Country string
	// International is the prefix of numbers with a country code, "00" or "011". If empty, there is none.
	International string
	// National is the trunk prefix of numbers with an area code, "0". If empty, every other number is taken as a national one, as in NANP.
	National string
	// Bare says that numbers come without any prefix, country code first, as many carriers write them. If false, they are national ones.
	Bare bool
	// Short are numbers that are left as they are, such as "112" or "116117". If empty, there are none.
	Short []string
}

func (p Plan) validate() error {
	for _, s := range append([]string{p.Country, p.International, p.National}, p.Short...) {
		if !digits(s) {
			return fmt.Errorf("%w: plan with %q", ErrNumber, s)
		}
	}
	if strings.HasPrefix(p.Country, "0") || len(p.Country) > 3 {
		return fmt.Errorf("%w: country code %q", ErrNumber, p.Country)
	}
	if p.Bare && p.National != "" {
		return errors.New("trunk: a plan is either Bare or has a National prefix")
	}
	return nil
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// Normalize brings a number into E.164 with a plus sign, or returns a short one as it is. s is a number, a tel URI (RFC 3966) or a sip URI with a
// number as its user. It returns ErrNumber for everything that is not clearly one number.
func (p Plan) Normalize(s string) (string, error) {
	t, err := ParseTel(s)
	if err != nil {
		return "", err
	}
	n := t.Number
	if t.Context != "" && !strings.HasPrefix(n, "+") {
		if !strings.HasPrefix(t.Context, "+") { // RFC 3966 section 5.1.5: a domain names a plan that we do not know
			return "", fmt.Errorf("%w: local to %q", ErrNumber, t.Context)
		}
		if p.National != "" && t.Context == "+"+p.Country {
			n = strings.TrimPrefix(n, p.National)
		}
		n = t.Context + n
	}
	switch {
	case strings.HasPrefix(n, "+"):
	case !digits(n): // * and # are for switches, not for the telephone network
		return "", fmt.Errorf("%w: %q", ErrNumber, s)
	case slices.Contains(p.Short, n):
		return n, nil
	case p.International != "" && strings.HasPrefix(n, p.International):
		n = "+" + n[len(p.International):]
	case p.Bare:
		n = "+" + n
	case p.Country == "" || !strings.HasPrefix(n, p.National):
		return "", fmt.Errorf("%w: %q has no country", ErrNumber, s)
	default:
		n = "+" + p.Country + n[len(p.National):]
	}
	if err := checkE164(n); err != nil {
		return "", err
	}
	return n, nil
}

// checkE164 is ITU-T E.164: a plus sign, up to 15 digits, no country code begins with 0.
func checkE164(n string) error {
	if len(n) < 5 || len(n) > 16 || n[0] != '+' || n[1] == '0' || !digits(n[1:]) {
		return fmt.Errorf("%w: %q", ErrNumber, n)
	}
	return nil
}

// Tel is a telephone number as RFC 3966 writes it.
type Tel struct {
	Number     string // digits, * and #, with a plus sign if it is global; no visual separators
	Context    string // ;phone-context of a local number: a prefix with a plus sign, or a domain in lower case
	Extension  string // ;ext, digits
	Subaddress string // ;isub
}

// ParseTel reads a tel URI (RFC 3966), the user part of a sip URI with a number (RFC 3261 section 19.1.6), or a bare number. Visual separators,
// and spaces as people write them, are dropped.
func ParseTel(s string) (Tel, error) {
	bad := func() (Tel, error) { return Tel{}, fmt.Errorf("%w: %q", ErrNumber, s) }
	if len(s) > 256 {
		return Tel{}, fmt.Errorf("%w: too long", ErrNumber)
	}
	rest := s
	if scheme, after, ok := strings.Cut(rest, ":"); ok {
		switch strings.ToLower(scheme) {
		case "tel":
			rest = after
		case "sip", "sips":
			user, _, ok := strings.Cut(after, "@")
			if !ok {
				return bad()
			}
			rest = user
		default:
			return bad()
		}
	}
	parts := strings.Split(rest, ";")
	number, ok := strip(parts[0])
	if !ok {
		return bad()
	}
	t := Tel{Number: number}
	seen := map[string]bool{}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		name = strings.ToLower(name)
		if name == "" || seen[name] { // RFC 3966 section 3: each at most once
			return bad()
		}
		seen[name] = true
		switch name {
		case "phone-context":
			if t.Context, ok = context3966(value); !ok || strings.HasPrefix(t.Number, "+") {
				return bad()
			}
		case "ext":
			if t.Extension, ok = strip(value); !ok || !digits(t.Extension) {
				return bad()
			}
		case "isub":
			if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"<>@`, r) }) {
				return bad()
			}
			t.Subaddress = value
		}
	}
	return t, nil
}

// strip drops visual separators and returns the digits; ok is false if something else is there, or nothing.
func strip(s string) (string, bool) {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c == '*', c == '#', c == '+' && b.Len() == 0:
			b.WriteByte(c)
		case strings.IndexByte("-.() ", c) >= 0:
		default:
			return "", false
		}
	}
	n := b.String()
	if n == "" || n == "+" || n[0] == '+' && !digits(n[1:]) {
		return "", false
	}
	return n, true
}

func context3966(s string) (string, bool) {
	if strings.HasPrefix(s, "+") {
		n, ok := strip(s)
		return n, ok && digits(n[1:])
	}
	s = strings.ToLower(s)
	return s, s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// Format is how numbers are written to a carrier.
type Format int

const (
	// Plus is E.164 with a plus sign, +4930123456.
	Plus Format = iota
	// Digits is E.164 without it, 4930123456.
	Digits
	// DoubleZero has the international prefix of most of the world, 004930123456.
	DoubleZero
)

func (f Format) validate() error {
	if f < Plus || f > DoubleZero {
		return errors.New("trunk: unknown Format")
	}
	return nil
}

// write turns E.164 into what the carrier takes. Short numbers stay as they are.
func (f Format) write(n string) string {
	rest, global := strings.CutPrefix(n, "+")
	switch {
	case !global || f == Plus:
		return n
	case f == Digits:
		return rest
	}
	return "00" + rest
}
