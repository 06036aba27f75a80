package toll

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
)

// Class is a kind of destination. An operator's table may use classes of its own; the empty class is never allowed.
type Class string

// Classes of the built-in table.
const (
	Emergency  Class = "emergency"  // only from Config.Emergency, never from a table
	National   Class = "national"   // fixed lines of the home country
	Mobile     Class = "mobile"     // mobile numbers of the home country
	Freephone  Class = "freephone"  // free for the caller, of whatever country
	SharedCost Class = "shared"     // shared cost and mass calling
	Premium    Class = "premium"    // premium rate, of whatever country
	Zone1      Class = "zone1"      // near and cheap countries
	Zone2      Class = "zone2"      // other countries
	Zone3      Class = "zone3"      // far and expensive countries
	Satellite  Class = "satellite"  // satellites, ships, aircraft, international networks
	Suspicious Class = "suspicious" // destinations known for international revenue share fraud
)

// maxPrefix is the longest number of E.164, in digits.
const maxPrefix = 15

// ErrTable is returned for a table that cannot be read.
var ErrTable = errors.New("toll: table")

// Table knows the class of a number by its longest prefix. It does not change; safe for concurrent use.
type Table struct {
	lines map[string]line
}

type line struct {
	class   Class
	country bool // the class is a zone, which is National for the home country
}

// Destination is what a Table says of a number.
type Destination struct {
	Class  Class
	Prefix string // the line that decided, digits without +
}

//go:embed table.txt
var builtIn string

var parseBuiltIn = sync.OnceValues(func() (*Table, error) { return ParseTable(strings.NewReader(builtIn)) })

// BuiltIn returns the table that comes with this package.
func BuiltIn() (*Table, error) { return parseBuiltIn() }

// ParseTable reads lines "PREFIX CLASS" and "PREFIX country CLASS", where PREFIX is 1-15 digits without +. A country line gives the code of a
// country and the class of its numbers for callers elsewhere; for callers at home they are National. A line of class mobile is Mobile at home, and has the class of
// its country elsewhere. A # starts a comment. A prefix that is there twice is an error, as is whatever else cannot be understood: a table that was read in part
// would let numbers through that it was written to stop.
func ParseTable(r io.Reader) (*Table, error) {
	t := &Table{lines: make(map[string]line)}
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		text, _, _ := strings.Cut(sc.Text(), "#")
		f := strings.Fields(text)
		if len(f) == 0 {
			continue
		}
		l := line{class: Class(f[len(f)-1])}
		switch {
		case len(f) == 3 && f[1] == "country":
			l.country = true
		case len(f) != 2:
			return nil, fmt.Errorf("%w: line %d: want PREFIX CLASS or PREFIX country CLASS", ErrTable, n)
		}
		if !digits(f[0]) || len(f[0]) > maxPrefix {
			return nil, fmt.Errorf("%w: line %d: prefix", ErrTable, n)
		}
		if !word(string(l.class)) || l.class == Emergency || l.class == "country" || l.country && (l.class == National || l.class == Mobile) {
			return nil, fmt.Errorf("%w: line %d: class", ErrTable, n)
		}
		if _, twice := t.lines[f[0]]; twice {
			return nil, fmt.Errorf("%w: line %d: prefix %s for the second time", ErrTable, n, f[0])
		}
		t.lines[f[0]] = l
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrTable, err)
	}
	return t, nil
}

// With returns a table in which the lines of over, in the format of ParseTable, stand in place of those of t with the same prefix.
func (t *Table) With(over io.Reader) (*Table, error) {
	o, err := ParseTable(over)
	if err != nil {
		return nil, err
	}
	lines := maps.Clone(t.lines)
	maps.Copy(lines, o.lines)
	return &Table{lines}, nil
}

// Lookup returns where a number goes. The number is in E.164 form, + and 3-15 digits; home is the code of the country whose numbers are national. ok is false for
// a number that is no E.164 number or that no line knows.
func (t *Table) Lookup(number, home string) (d Destination, ok bool) {
	digs, plus := strings.CutPrefix(number, "+")
	if !plus || len(digs) < 3 || len(digs) > maxPrefix || !digits(digs) {
		return Destination{}, false
	}
	for n := len(digs); n > 0; n-- {
		l, found := t.lines[digs[:n]]
		if !found {
			continue
		}
		d = Destination{Class: l.class, Prefix: digs[:n]}
		if !l.country && l.class != Mobile {
			return d, true
		}
		// Countries share a first digit (+1): numbers are national when the longest country line is that of home, not when they begin like it.
		code, zone := t.country(digs[:n])
		switch {
		case code == home && l.country:
			d.Class = National
		case code == home:
		default:
			d.Class = zone
		}
		return d, d.Class != ""
	}
	return Destination{}, false
}

func (t *Table) country(prefix string) (code string, zone Class) {
	for n := len(prefix); n > 0; n-- {
		if l := t.lines[prefix[:n]]; l.country {
			return prefix[:n], l.class
		}
	}
	return "", ""
}

// knows reports whether code is the code of a country.
func (t *Table) knows(code string) bool { return t.lines[code].country }

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// word is what a class may be called: it comes from a file and goes to logs.
func word(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
