package sip

import (
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// mendParams puts parameters together again that the library has cut: it cuts at every semicolon and at the last equals sign, those in quotes included, so
// that +sip.instance="x;expires=0" would say something else to it than to whoever wrote it. ok is false for what cannot be told any more,
// such as a quote that is not closed, and for a parameter without a proper name.
func mendParams(cut msg.HeaderParams) (ps msg.HeaderParams, ok bool) {
	var b strings.Builder
	for i, kv := range cut {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(kv.K)
		if kv.V != "" {
			b.WriteString("=" + kv.V)
		}
	}
	for rest := b.String(); rest != ""; {
		part := rest
		rest = ""
		if i := unquoted(part, ';'); i >= 0 {
			part, rest = part[:i], part[i+1:]
		} else if i == unclosed {
			return nil, false
		}
		name, v, _ := strings.Cut(part, "=")
		name, v = strings.TrimSpace(name), strings.TrimSpace(v)
		if !tokenText(name) {
			return nil, false
		}
		if _, twice := param(ps, name); twice { // RFC 3261 section 7.3.1
			return nil, false
		}
		ps = append(ps, msg.HeaderKV{K: name, V: v})
	}
	return ps, true
}

const unclosed = -2

// unquoted returns the place of the first c outside quoted strings, -1 if there is none, unclosed if a quoted string has no end.
func unquoted(s string, c byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quoted:
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == c && !quoted:
			return i
		}
	}
	if quoted {
		return unclosed
	}
	return -1
}
