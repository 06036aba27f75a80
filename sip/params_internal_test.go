package sip

import (
	"strings"
	"testing"

	msg "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

func readContact(value string) (string, bool) {
	c, ok := contactHeader(header("Contact", value))
	var out []string
	for _, p := range c.Params {
		out = append(out, p.K+"="+p.V)
	}
	return strings.Join(out, "|"), ok
}

func TestContactParamsInQuotes(t *testing.T) {
	for value, want := range map[string]string{
		`<sip:a@b>;expires=3;q=0.5`:                                `expires=3|q=0.5`,
		`<sip:a@b;x=y>;+sip.instance="<urn:x;expires=0>";audio`:    `+sip.instance="<urn:x;expires=0>"|audio=`,
		`<sip:a@b>;methods="INVITE, BYE"`:                          `methods="INVITE, BYE"`,
		`<sip:a@b>;pub-gruu="sip:a@b;gr=u";temp-gruu="sip:t@b;gr"`: `pub-gruu="sip:a@b;gr=u"|temp-gruu="sip:t@b;gr"`,
		`<sip:a@b>;x="a\";q=1"`:                                    `x="a\";q=1"`,
		`<sip:a@b>`:                                                ``,
	} {
		got, ok := readContact(value)
		require.True(t, ok, value)
		require.Equal(t, want, got)
	}
	for _, value := range []string{`<sip:a@b>;x="y`, `<sip:a@b>;expires=1;Expires=2`, `<sip:a@b>;x="y;q=1";q=0.5`, `<sip:a@b>;"x"=y`} {
		_, ok := readContact(value)
		require.False(t, ok, value)
	}
}

// Whatever a Contact holds, its parameters are tokens with values whose quotes are closed, and reading them again gives the same.
func FuzzContactParams(f *testing.F) {
	f.Add(`<sip:a@b;x=y>;+sip.instance="<urn:x;expires=0>";audio`)
	f.Add(`sip:a@b;q=0.5`)
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := contactHeader(header("Contact", value))
		if !ok {
			return
		}
		again, ok := mendParams(append(msg.HeaderParams(nil), c.Params...))
		if !ok || len(again) != len(c.Params) {
			t.Fatalf("%q: %v, then %v", value, c.Params, again)
		}
		for _, p := range c.Params {
			if !tokenText(p.K) || unquoted(p.V, ';') != -1 {
				t.Fatalf("%q: %q=%q", value, p.K, p.V)
			}
		}
	})
}
