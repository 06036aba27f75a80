package digest

import (
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func verify(t *testing.T, s *Server, fs []Field, algorithm string) (string, error) {
	t.Helper()
	require.Len(t, fs, 1)
	return s.Verify(Request{Method: "INVITE", URI: "sip:x@y", Headers: []string{fs[0].Value}, Realm: "r", Source: "s", Algorithms: []string{algorithm}}, now,
		func(user, algorithm string) ([]byte, error) { return HA1(algorithm, user, "r", "secret") })
}

func TestClientReusesItsNonce(t *testing.T) {
	s := NewServer(time.Minute)
	c := NewClient("u", "secret")
	require.Empty(t, c.Authorize("INVITE", "sip:x@y"), "nobody has asked")
	require.NoError(t, c.Challenged(s.Challenge("r", "s", []string{MD5, SHA256}, false, now), false, nil))
	var first string
	for i := range 5 { // the server refuses a count that it has seen
		fs := c.Authorize("INVITE", "sip:x@y")
		user, err := verify(t, s, fs, SHA256)
		require.NoError(t, err)
		require.Equal(t, "u", user)
		cred, err := parseCredentials(fs[0].Value)
		require.NoError(t, err)
		require.Equal(t, i+1, int(cred.nc))
		require.Equal(t, SHA256, cred.algorithm, "stronger than what the server put first")
		require.NotEqual(t, first, cred.cnonce)
		first = cred.cnonce
	}
}

func TestClientStrength(t *testing.T) {
	challenge := func(algorithm string) string {
		return fmt.Sprintf(`Digest realm="r", nonce="n", algorithm=%s, qop="auth-int, auth", opaque="o"`, algorithm)
	}
	c := NewClient("u", "p")
	require.NoError(t, c.Challenged([]string{challenge("MD5"), challenge("sha-512-256"), challenge("SHA-256")}, true, nil))
	f := c.Authorize("INVITE", "sip:x@y")[0]
	require.Equal(t, "Proxy-Authorization", f.Name)
	cred, err := parseCredentials(f.Value)
	require.NoError(t, err)
	h := func(s string) string { b := sha512.Sum512_256([]byte(s)); return hex.EncodeToString(b[:]) }
	require.Equal(t, h(h("u:r:p")+":n:00000001:"+cred.cnonce+":auth:"+h("INVITE:sip:x@y")), cred.response)
	require.Equal(t, "o", cred.opaque)

	strict := NewClient("u", "p", SHA256)
	require.ErrorIs(t, strict.Challenged([]string{challenge("MD5")}, false, nil), ErrNoChallenge)
	require.ErrorIs(t, strict.Challenged([]string{`Digest realm="r", nonce="n"`}, false, nil), ErrNoChallenge, "no algorithm is MD5")
	for _, bad := range []string{"", "Basic x", `Digest realm="r"`, `Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth-int"`, `Digest realm="r", nonce="n", algorithm=SHA-256-sess, qop=auth`, `Digest realm="` + strings.Repeat("x", 4000) + `", nonce="n", algorithm=SHA-256`} {
		require.ErrorIs(t, strict.Challenged([]string{bad}, false, nil), ErrNoChallenge, bad)
	}
}

func TestClientWithoutQOP(t *testing.T) {
	c := NewClient("u", "p")
	require.NoError(t, c.Challenged([]string{`Digest realm="r", nonce="n"`}, false, nil))
	f := c.Authorize("REGISTER", "sip:y")[0]
	require.NotContains(t, f.Value, "nc=")
	ha1, err := HA1(MD5, "u", "r", "p")
	require.NoError(t, err)
	cred, err := parseCredentials(f.Value)
	require.NoError(t, err)
	require.Equal(t, legacyResponse(MD5, hex.EncodeToString(ha1), &cred, "REGISTER"), cred.response)
}

func TestClientDoesNotAskTwice(t *testing.T) {
	s := NewServer(time.Minute)
	c := NewClient("u", "wrong")
	ask := func(stale bool) []string { return s.Challenge("r", "s", []string{SHA256}, stale, now) }
	require.NoError(t, c.Challenged(ask(false), false, nil))
	sent := c.Authorize("INVITE", "sip:x@y")
	require.NoError(t, c.Challenged(ask(true), false, sent), "a stale nonce is no refusal")
	sent = c.Authorize("INVITE", "sip:x@y")
	require.ErrorIs(t, c.Challenged(ask(false), false, sent), ErrRefused)
	require.Empty(t, c.Authorize("INVITE", "sip:x@y"), "nothing is kept of a refusal")

	require.NoError(t, c.Challenged(ask(false), false, nil))
	c.Authorize("INVITE", "sip:x@y")
	sent = c.Authorize("INVITE", "sip:x@y") // a nonce that was kept
	require.NoError(t, c.Challenged(ask(false), false, sent), "it may have run out, even if the server does not say so")
}

func TestClientHasBounds(t *testing.T) {
	c := NewClient("u", "p")
	for i := range 100 {
		require.NoError(t, c.Challenged([]string{fmt.Sprintf(`Digest realm="r%d", nonce="n", algorithm=SHA-256, qop="auth"`, i)}, i%2 == 0, nil))
	}
	require.Len(t, c.Authorize("INVITE", "sip:x@y"), maxRealms)
	for _, s := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s", c, c, c)} {
		require.NotContains(t, s, `"p"`)
		require.Contains(t, s, "redacted")
	}
}

// TestClientCounts: whatever challenges come in between, no count of a nonce is used twice.
func TestClientCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := NewClient("u", "p")
		seen, latest := map[string]bool{}, map[int]int{}
		for i := range 30 {
			if rapid.Bool().Draw(t, "challenge") {
				realm := rapid.IntRange(0, 2).Draw(t, "realm")
				if latest[realm] == 0 || rapid.Bool().Draw(t, "fresh") { // the nonce of a challenge is new, or the one that is in use
					latest[realm] = i + 1
				}
				v := fmt.Sprintf(`Digest realm="r%d", nonce="n%d", algorithm=SHA-256, qop="auth"`, realm, latest[realm])
				if err := c.Challenged([]string{v}, false, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, f := range c.Authorize("INVITE", "sip:x@y") {
				cred, err := parseCredentials(f.Value)
				if err != nil {
					t.Fatal(err)
				}
				key := fmt.Sprint(cred.realm, " ", cred.nonce, " ", int(cred.nc))
				if seen[key] {
					t.Fatal("used twice: " + key)
				}
				seen[key] = true
			}
		}
	})
}

func FuzzClient(f *testing.F) {
	f.Add(`Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth"`)
	f.Add("Digest realm=\"a\r\nX: y\", nonce=\"n\"")
	f.Add(`Digest realm="r\"", nonce="n", opaque="o"`)
	f.Fuzz(func(t *testing.T, v string) {
		c := NewClient("u", "p")
		if c.Challenged([]string{v}, false, nil) != nil {
			return
		}
		for _, fd := range c.Authorize("INVITE", "sip:x@y") {
			if strings.ContainsAny(fd.Value, "\r\n\x00") {
				t.Fatalf("%q makes %q", v, fd.Value)
			}
			if cred, err := parseCredentials(fd.Value); err != nil || cred.username != "u" || cred.uri != "sip:x@y" {
				t.Fatalf("%q makes %q", v, fd.Value)
			}
		}
	})
}
