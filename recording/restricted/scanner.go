package restricted

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Category is a kind of data that needs a written approval.
type Category string

// The categories.
const (
	Identity Category = "identity" // numbers and images of identity documents, issued by a government
	Health   Category = "health"   // health data, and the numbers that it is filed under
	Account  Category = "account"  // cards and bank accounts
)

// Categories lists them.
func Categories() []Category { return []Category{Identity, Health, Account} }

// ErrFound is wrapped by the errors of Scanner.Check.
var ErrFound = errors.New("recording/restricted: holds what must not be stored")

// Number is a format that a Scanner knows.
type Number struct {
	Name     string // such as "iban"
	Category Category
	Source   string // where the format and its check digits are defined

	pattern *regexp.Regexp // finds one
	whole   *regexp.Regexp // is one
	min     int            // letters and digits in it
	max     int
	valid   func(s string) bool // of the letters and digits alone, in capitals
}

// Finding is one number in a text.
type Finding struct {
	Name     string
	Category Category
	From, To int // bytes of the text
}

// Scanner finds restricted numbers in text. The zero Scanner finds all that Numbers lists.
type Scanner struct {
	// Allow are categories that are not looked for, such as with an Approval. If nil, all are.
	Allow []Category
}

// Scan returns what text holds, in order and without overlaps. It takes time in proportion to the text.
func (s Scanner) Scan(text string) []Finding {
	var all []Finding
	upper := capitals(text)
	for _, n := range numbers {
		if slices.Contains(s.Allow, n.Category) {
			continue
		}
		for from := 0; from < len(upper); {
			at := n.pattern.FindStringIndex(upper[from:])
			if at == nil {
				break
			}
			a, b := from+at[0], from+at[1]
			if b = n.longest(upper, a, b); b == 0 {
				from = a + 1 // another may begin inside
				continue
			}
			all = append(all, Finding{Name: n.Name, Category: n.Category, From: a, To: b})
			from = b
		}
	}
	slices.SortFunc(all, func(a, b Finding) int {
		if a.From != b.From {
			return a.From - b.From
		}
		return b.To - a.To // the longer one first
	})
	out := all[:0]
	for _, f := range all {
		if len(out) == 0 || f.From >= out[len(out)-1].To {
			out = append(out, f)
		}
	}
	return out
}

// Mask returns text with each number replaced by its name in brackets, and what was found.
func (s Scanner) Mask(text string) (string, []Finding) {
	found := s.Scan(text)
	if len(found) == 0 {
		return text, nil
	}
	var b strings.Builder
	last := 0
	for _, f := range found {
		b.WriteString(text[last:f.From])
		b.WriteString("[" + f.Name + "]")
		last = f.To
	}
	b.WriteString(text[last:])
	return b.String(), found
}

// Check returns an error that wraps ErrFound if value, of the field that is named, holds a restricted number. The error does not repeat it.
func (s Scanner) Check(field, value string) error {
	if found := s.Scan(value); len(found) > 0 {
		return fmt.Errorf("%w: %s has the form of %s (%s)", ErrFound, field, found[0].Name, found[0].Category)
	}
	return nil
}

// longest returns the end of the longest number that begins at a and ends at b or before; 0 if there is none. Before, because a pattern that allows several
// lengths takes what stands behind a number for a part of it, such as the date on a card.
func (n Number) longest(s string, a, b int) int {
	if !standsAlone(s, a) {
		return 0
	}
	count := 0
	for i := a; i < b; i++ {
		if counts(s[i]) {
			count++
		}
	}
	for ; b > a && count >= n.min; b-- {
		if count <= n.max && endsThere(s, b) && n.whole.MatchString(s[a:b]) && n.valid(compact(s[a:b])) {
			return b
		}
		if counts(s[b-1]) {
			count--
		}
	}
	return 0
}

// capitals changes letters of ASCII only, so that every byte stays in its place.
func capitals(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// standsAlone reports that what begins at a is not the rest of a word, of a number or of a phone number.
func standsAlone(s string, a int) bool {
	if a > 0 && alnum(s[a-1]) {
		return false
	}
	// Behind "+49 " comes the rest of a phone number.
	for i := a - 1; i >= 0 && a-i < 20; i-- {
		switch c := s[i]; {
		case c == '+':
			return false
		case c != ' ' && c != '-' && c != '(' && c != ')' && c != '/' && (c < '0' || c > '9'):
			return true
		}
	}
	return true
}

func endsThere(s string, b int) bool { return b == len(s) || !alnum(s[b]) }

func alnum(c byte) bool { return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' }

// counts reports that a byte is part of a number and not what stands between its groups.
func counts(c byte) bool { return alnum(c) || c == '<' }

// compact leaves what counts.
func compact(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 128 && counts(byte(r)) {
			return r
		}
		return -1
	}, s)
}

// Numbers lists the formats that are known.
func Numbers() []Number { return slices.Clone(numbers) }
