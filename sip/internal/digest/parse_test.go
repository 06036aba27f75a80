package digest

import (
	"strings"
	"testing"
	"unicode/utf8"

	wire "github.com/icholy/digest"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestParseCredentials(t *testing.T) {
	c, err := parseCredentials("digest\tUSERNAME = \"a \\\"b\\\\\" ,realm=\"r,s\", nonce=abc.~ , nc=0000001f,x=y,qop=auth, uri=\"sip:x;y=z\"")
	require.NoError(t, err)
	require.Equal(t, credentials{username: `a "b\`, realm: "r,s", nonce: "abc.~", nc: 31, qop: "auth", uri: "sip:x;y=z"}, c)
	for _, bad := range []string{
		"", "Digest", "Digest ", "Digestrealm=x", "Basic realm=x", "Digest realm", "Digest realm=", "Digest =x", "Digest realm=x,", "Digest ,realm=x", "Digest realm=x nonce=y",
		`Digest realm="x`, `Digest realm="x\`, `Digest realm="x"y`, "Digest realm=\"x\ry\"", "Digest realm=\"x\x00\"", "Digest realm=x\r\n", "Digest realm=x, REALM=y", "Digest nc=x", "Digest nc=-1",
		"Digest nc=80000000", "Digest nc=000000001", "Digest realm=" + strings.Repeat("x", maxValue),
	} {
		_, err := parseCredentials(bad)
		require.Error(t, err, bad)
	}
}

// The same by another implementation: what both accept they read alike.
func FuzzParse(f *testing.F) {
	f.Add(`Digest username="a", realm="r", nonce="n", uri="sip:x", response="00", algorithm=SHA-256, cnonce="c", qop=auth, nc=00000001, opaque="o"`)
	f.Add(`Digest realm="r\"\\", nonce="n", stale=TRUE, qop="auth,auth-int", algorithm=MD5`)
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) { // the other one replaces what is no text
			return
		}
		if c, err := parseCredentials(s); err == nil {
			if w, err := wire.ParseCredentials(s); err == nil {
				for _, p := range [][2]string{
					{c.username, w.Username}, {c.realm, w.Realm}, {c.nonce, w.Nonce}, {c.uri, w.URI}, {c.response, w.Response}, {c.algorithm, w.Algorithm},
					{c.cnonce, w.Cnonce}, {c.opaque, w.Opaque}, {c.qop, w.QOP},
				} {
					if p[0] != p[1] && p[1] != "" { // the other one overlooks names in capitals
						t.Fatalf("%q: %q and %q", s, p[0], p[1])
					}
				}
				if int(c.nc) != w.Nc && w.Nc != 0 {
					t.Fatalf("%q: %d and %d", s, c.nc, w.Nc)
				}
			}
		}
		if c, err := parseChallenge(s); err == nil {
			if w, err := wire.ParseChallenge(s); err == nil {
				if c.realm != w.Realm && w.Realm != "" || c.nonce != w.Nonce && w.Nonce != "" || c.opaque != w.Opaque && w.Opaque != "" ||
					c.algorithm != w.Algorithm && w.Algorithm != "" || !c.stale && w.Stale || c.qop != strings.Join(w.QOP, ",") && len(w.QOP) > 0 {
					t.Fatalf("%q: %+v and %+v", s, c, w)
				}
			}
		}
	})
}

// What we write, we and the other implementation read as it was meant.
func TestWrittenCredentials(t *testing.T) {
	text := rapid.StringMatching(`[ -~]{0,20}`)
	rapid.Check(t, func(t *rapid.T) {
		c := credentials{
			username: text.Draw(t, "username"), realm: text.Draw(t, "realm"), nonce: text.Draw(t, "nonce"), uri: text.Draw(t, "uri"), response: text.Draw(t, "response"),
			algorithm: SHA256, cnonce: text.Draw(t, "cnonce"), opaque: text.Draw(t, "opaque"), qop: "auth", nc: rapid.Uint32Max(1<<31-1).Draw(t, "nc"),
		}
		own, err := parseCredentials(c.String())
		if err != nil || own != c {
			t.Fatalf("%v %+v", err, own)
		}
		w, err := wire.ParseCredentials(c.String())
		if err != nil || w.Username != c.username || w.Realm != c.realm || w.Nonce != c.nonce || w.URI != c.uri || w.Response != c.response || w.Cnonce != c.cnonce || w.Opaque != c.opaque ||
			uint32(w.Nc) != c.nc || w.QOP != "auth" || w.Algorithm != SHA256 {
			t.Fatalf("%v %+v", err, w)
		}
		ch := challenge{realm: c.realm, nonce: c.nonce, algorithm: MD5, qop: "auth", stale: true}
		if read, err := parseChallenge(ch.String()); err != nil || read != ch {
			t.Fatalf("%v %+v", err, read)
		}
		if w, err := wire.ParseChallenge(ch.String()); err != nil || w.Realm != c.realm || w.Nonce != c.nonce || !w.Stale || w.Algorithm != MD5 || !w.SupportsQOP("auth") {
			t.Fatalf("%v %+v", err, w)
		}
	})
}
