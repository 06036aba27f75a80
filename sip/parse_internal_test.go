package sip

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseDTMF(t *testing.T) {
	for _, c := range []struct {
		kind, body string
		want       byte
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'}, {"application/dtmf-relay", "Signal= #\nDuration= 100", '#'},
		{"application/dtmf-relay", "Duration=100\r\nsignal=*", '*'}, {"application/dtmf-relay", "Signal=10", '*'}, {"application/dtmf-relay", "Signal=11", '#'},
		{"application/dtmf", "7", '7'}, {"application/dtmf", "a\r\n", 'A'},
		{"application/dtmf-relay", "Signal=55", 0}, {"application/dtmf-relay", "", 0}, {"application/dtmf", "x", 0}, {"text/plain", "5", 0},
	} {
		got, ok := parseDTMF(c.kind, c.body)
		require.Equal(t, c.want, got, "%+v", c)
		require.Equal(t, c.want != 0, ok)
	}
}

func FuzzParseDTMF(f *testing.F) {
	f.Add("application/dtmf-relay", "Signal=5\r\nDuration=160")
	f.Fuzz(func(t *testing.T, kind, body string) {
		d, ok := parseDTMF(kind, body)
		if ok != strings.Contains("0123456789*#ABCD", string(d)) {
			t.Fatalf("%q is said to be a digit: %v", d, ok)
		}
	})
}

func TestSplitList(t *testing.T) {
	require.Equal(t, []string{"<sip:a;lr>", `"x, y" <sip:b,c>`, "<sip:d>"}, slices.Collect(listed(`<sip:a;lr>, "x, y" <sip:b,c> ,<sip:d>`)))
}

func FuzzSplitList(f *testing.F) {
	f.Add(`<sip:a;lr>, "x, y" <sip:b,c> ,<sip:d>`)
	f.Fuzz(func(t *testing.T, v string) {
		// Nothing but separators and white space may get lost.
		join := strings.Join(slices.Collect(listed(v)), "")
		strip := func(s string) string {
			return strings.Map(func(r rune) rune {
				if r == ',' || strings.ContainsRune(" \t\r\n\v\f\u0085\u00a0", r) {
					return -1
				}
				return r
			}, s)
		}
		if strings.ToValidUTF8(strip(join), "") != strings.ToValidUTF8(strip(v), "") && strings.ToValidUTF8(v, "") == v && !strings.ContainsFunc(v, func(r rune) bool { return r > 127 }) {
			t.Fatalf("%q became %q", v, slices.Collect(listed(v)))
		}
	})
}
