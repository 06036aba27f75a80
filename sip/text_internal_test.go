package sip

import (
	"testing"

	msg "github.com/emiago/sipgo/sip"
)

// A digest covers the URI as it stands in the request line, which the library writes.
func FuzzURIText(f *testing.F) {
	for _, s := range []string{
		"sip:1001@acme.test", "sips:a:b@acme.test:5061;transport=tls;lr", "sip:[2001:db8::1]:5060", "sip:x@127.0.0.1?Subject=a", "tel:+49301;x=y", "sip:u@h;p=\"a b\"", "urn:service:sos",
		"sip:h;;a", "*", "sip://u@h",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var u msg.Uri
		if msg.ParseUri(s, &u) != nil {
			return
		}
		if got, want := uriText(&u), u.String(); got != want {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
	})
}
