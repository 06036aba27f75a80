package digest

import (
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// RFC 7616 section 3.9.1: the same request by MD5 and by SHA-256.
func TestRFC7616Vectors(t *testing.T) {
	cred := &credentials{
		username: "Mufasa", realm: "http-auth@example.org", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", uri: "/dir/index.html",
		nc: 1, cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop: "auth",
	}
	for algorithm, want := range map[string]string{
		MD5: "8ca523f5e9506fed4657c9700eebdbec", SHA256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		ha1, err := HA1(algorithm, cred.username, cred.realm, "Circle of Life")
		require.NoError(t, err)
		require.Equal(t, want, response(algorithm, hex.EncodeToString(ha1), cred, "GET"), algorithm)
	}
	_, err := HA1("MD4", "a", "b", "c")
	require.Error(t, err)
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestNonceCounts(t *testing.T) {
	s := NewServer(time.Minute)
	for _, c := range []struct {
		nc uint64
		ok bool
	}{{1, true}, {1, false}, {3, true}, {2, true}, {2, false}, {3, false}, {100, true}, {37, true}, {36, false}, {37, false}, {101, true}} {
		require.Equal(t, c.ok, s.count("n", c.nc, now), "nc %d", c.nc)
	}
	require.True(t, s.count("other", 1, now), "each nonce has a window of its own")
	s.count("later", 1, now.Add(2*time.Minute))
	require.Len(t, s.used, 1, "nonces that are over leave nothing behind")
}

func TestNonceIsBoundToTimeRealmAndSource(t *testing.T) {
	s := NewServer(time.Minute)
	n := s.nonce("acme", "192.0.2.1", now)
	require.NoError(t, s.check(n, "acme", "192.0.2.1", now.Add(time.Minute)))
	require.ErrorIs(t, s.check(n, "acme", "192.0.2.1", now.Add(time.Minute+1)), ErrStale)
	require.ErrorIs(t, s.check(n, "acme", "192.0.2.1", now.Add(-1)), ErrStale)
	require.ErrorIs(t, s.check(n, "globex", "192.0.2.1", now), ErrStale)
	require.ErrorIs(t, s.check(n, "acme", "192.0.2.2", now), ErrStale)
	require.ErrorIs(t, NewServer(time.Minute).check(n, "acme", "192.0.2.1", now), ErrStale, "another process")
	require.Empty(t, s.used, "strangers cost nothing")
}

func FuzzVerify(f *testing.F) {
	f.Add(`Digest username="a", realm="r", nonce="n", uri="sip:x", response="00", algorithm=SHA-256, cnonce="c", qop=auth, nc=00000001`)
	f.Add(`Digest username="", realm="r"`)
	f.Add("Digest \x00\"")
	s := NewServer(time.Minute)
	ha1, err := HA1(SHA256, "a", "r", "secret")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		user, err := s.Verify(Request{Method: "REGISTER", URI: "sip:x", Headers: []string{header}, Realm: "r", Source: "s", Algorithms: []string{SHA256}}, now,
			func(string, string) ([]byte, error) { return ha1, nil })
		// Nobody without the password gets in, and an error never comes with a user.
		if err == nil || user != "" {
			t.Fatalf("%q authenticated as %q", header, user)
		}
		if !errors.Is(err, ErrMissing) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrStale) {
			t.Fatalf("unexpected error %v", err)
		}
	})
}
