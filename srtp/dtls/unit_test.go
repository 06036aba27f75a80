package dtls_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/srtp"
	"github.com/ringfence/ringfence/srtp/dtls"
)

func TestClassify(t *testing.T) {
	want := func(b int) dtls.Kind {
		for _, r := range []struct {
			from, to int
			kind     dtls.Kind
		}{{0, 3, dtls.KindSTUN}, {16, 19, dtls.KindZRTP}, {20, 63, dtls.KindDTLS}, {64, 79, dtls.KindTURN}, {128, 191, dtls.KindRTP}} {
			if b >= r.from && b <= r.to {
				return r.kind
			}
		}
		return dtls.KindUnknown
	}
	for b := range 256 {
		assert.Equal(t, want(b), dtls.Classify(byte(b)), "byte %d", b)
		assert.Equal(t, want(b) == dtls.KindDTLS, dtls.IsDTLS([]byte{byte(b)}))
	}
	assert.False(t, dtls.IsDTLS(nil))
}

func TestSetup(t *testing.T) {
	const u, a, p, ap, h = dtls.SetupUnset, dtls.SetupActive, dtls.SetupPassive, dtls.SetupActpass, dtls.SetupHoldconn
	for _, v := range []struct{ offer, prefer, want dtls.Setup }{
		{ap, u, a}, {ap, a, a}, {ap, p, p}, {ap, ap, a}, {u, a, p}, {a, a, p}, {p, p, a}, {h, a, h},
	} {
		got, err := dtls.AnswerSetup(v.offer, v.prefer)
		require.NoError(t, err)
		assert.Equal(t, v.want, got, "%s, preferring %s", v.offer, v.prefer)
	}
	_, err := dtls.AnswerSetup(99, a)
	require.ErrorIs(t, err, dtls.ErrSetup)
	// Every pair of offer and answer: the offerer's role, or 9 for ErrSetup and 8 for ErrHeld.
	roles := map[dtls.Setup]map[dtls.Setup]dtls.Setup{
		u:  {u: a, a: 9, p: a, ap: 9, h: 8},
		a:  {u: a, a: 9, p: a, ap: 9, h: 8},
		p:  {u: 9, a: p, p: 9, ap: 9, h: 8},
		ap: {u: a, a: p, p: a, ap: 9, h: 8},
		h:  {u: 8, a: 8, p: 8, ap: 8, h: 8},
		77: {u: 9, a: 9, p: 9, ap: 9, h: 8},
	}
	for offer, answers := range roles {
		for answer, want := range answers {
			got, err := dtls.LocalRole(offer, answer)
			switch want {
			case 9:
				require.ErrorIs(t, err, dtls.ErrSetup, "%s %s", offer, answer)
			case 8:
				require.ErrorIs(t, err, dtls.ErrHeld, "%s %s", offer, answer)
			default:
				require.NoError(t, err, "%s %s", offer, answer)
				assert.Equal(t, want, got, "%s %s", offer, answer)
				if answer != u { // the two ends never have one role
					assert.NotEqual(t, answer, got)
				}
			}
		}
	}
	for _, s := range []dtls.Setup{a, p, ap, h} {
		got, err := dtls.ParseSetup(" " + strings.ToUpper(s.String()))
		require.NoError(t, err)
		assert.Equal(t, s, got)
	}
	for _, bad := range []string{"", "unset", "invalid", "active passive", "client"} {
		_, err := dtls.ParseSetup(bad)
		require.ErrorIs(t, err, dtls.ErrSetup, bad)
	}
}

func TestFingerprints(t *testing.T) {
	der := []byte("any bytes")
	for h := dtls.HashMD5; h <= dtls.HashSHA512; h++ {
		f := dtls.FingerprintOf(h, der)
		for _, text := range []string{f.String(), strings.ToUpper(f.String()), strings.ToLower(f.String()), strings.ReplaceAll(f.String(), ":", ""), "  " + f.String() + "\r\n"} {
			got, err := dtls.ParseFingerprint(text)
			require.NoError(t, err, text)
			assert.Equal(t, f, got)
			assert.True(t, got.Matches(der))
			assert.False(t, got.Matches([]byte("other bytes")))
			assert.False(t, got.Matches(nil))
		}
		assert.Equal(t, h >= dtls.HashSHA256, h.Trusted())
		short := f.String()[:len(f.String())-3]
		_, err := dtls.ParseFingerprint(short)
		require.ErrorIs(t, err, dtls.ErrFingerprintSyntax)
	}
	md2, err := dtls.ParseFingerprint("md2 " + strings.Repeat("00", 16))
	require.NoError(t, err, "recognised")
	assert.False(t, md2.Matches(der), "and good for nothing")
	assert.False(t, dtls.Fingerprint{}.Matches(der))
	assert.Equal(t, "none", dtls.HashNone.String())
	for _, bad := range []string{"", "sha-256", "sha-256 ", "sha-3 AB", "sha-256 AB:CD", "sha-256 " + strings.Repeat("ZZ", 32), "sha-256 " + strings.Repeat("A:BC", 16),
		"sha-256 " + strings.Repeat("AB ", 32), "sha-256 " + strings.Repeat("AB", 33), strings.Repeat("x", 1000)} {
		_, err := dtls.ParseFingerprint(bad)
		require.ErrorIs(t, err, dtls.ErrFingerprintSyntax, bad)
	}
}

// FuzzParseFingerprint: what parses, writes and parses to the same.
func FuzzParseFingerprint(f *testing.F) {
	f.Add("sha-256 " + strings.Repeat("AB:", 31) + "AB")
	f.Add("SHA-1 " + strings.Repeat("00", 20))
	f.Fuzz(func(t *testing.T, in string) {
		got, err := dtls.ParseFingerprint(in)
		if err != nil {
			require.Equal(t, dtls.Fingerprint{}, got)
			return
		}
		again, err := dtls.ParseFingerprint(got.String())
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

func TestIdentityRules(t *testing.T) {
	id := identity(t)
	parsed, err := dtls.ParseFingerprint(id.Fingerprint().String())
	require.NoError(t, err)
	assert.Equal(t, id.Fingerprint(), parsed)
	other := identity(t)
	assert.NotEqual(t, id.Fingerprint(), other.Fingerprint())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		assert.Equal(t, id.Fingerprint().String(), fmt.Sprintf(verb, id))
	}
	j, err := json.Marshal(id)
	require.NoError(t, err)
	assert.JSONEq(t, `"`+id.Fingerprint().String()+`"`, string(j))
	assert.Equal(t, "no identity", (*dtls.Identity)(nil).String())

	good := certificate(t, elliptic.P256())
	_, err = dtls.IdentityFrom(good)
	require.NoError(t, err)
	wrong, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for name, c := range map[string]tls.Certificate{
		"empty": {}, "no key": {Certificate: good.Certificate}, "not DER": {Certificate: [][]byte{{1}}, PrivateKey: good.PrivateKey},
		"other key": {Certificate: good.Certificate, PrivateKey: wrong}, "kind": {Certificate: good.Certificate, PrivateKey: ed},
		"curve": certificate(t, elliptic.P224()),
	} {
		_, err := dtls.IdentityFrom(c)
		require.ErrorIs(t, err, dtls.ErrIdentity, name)
	}
}

func TestConfigIsChecked(t *testing.T) {
	id := identity(t)
	good := dtls.Config{Identity: id, Role: dtls.SetupActive, Fingerprints: []dtls.Fingerprint{id.Fingerprint()}, Send: func([]byte) error { return nil }}
	sha1 := dtls.FingerprintOf(dtls.HashSHA1, []byte("x"))
	for name, v := range map[string]struct {
		change func(*dtls.Config)
		want   error
	}{
		"identity":       {func(c *dtls.Config) { c.Identity = nil }, dtls.ErrConfig},
		"empty identity": {func(c *dtls.Config) { c.Identity = &dtls.Identity{} }, dtls.ErrConfig},
		"role":           {func(c *dtls.Config) { c.Role = dtls.SetupActpass }, dtls.ErrConfig},
		"no role":        {func(c *dtls.Config) { c.Role = 0 }, dtls.ErrConfig},
		"send":           {func(c *dtls.Config) { c.Send = nil }, dtls.ErrConfig},
		"retransmit":     {func(c *dtls.Config) { c.Retransmit = time.Hour }, dtls.ErrConfig},
		"mtu":            {func(c *dtls.Config) { c.MTU = 10 }, dtls.ErrConfig},
		"no fingerprint": {func(c *dtls.Config) { c.Fingerprints = nil }, dtls.ErrNoFingerprint},
		"sha-1 alone":    {func(c *dtls.Config) { c.Fingerprints = []dtls.Fingerprint{sha1} }, dtls.ErrWeakFingerprint},
		"zero value":     {func(c *dtls.Config) { c.Fingerprints = []dtls.Fingerprint{{}} }, dtls.ErrWeakFingerprint},
		"policy":         {func(c *dtls.Config) { c.Policy.Suites = []srtp.Suite{99} }, srtp.ErrBadPolicy},
		"sunset": {func(c *dtls.Config) {
			c.Policy = srtp.Policy{Suites: []srtp.Suite{srtp.AEADAES128GCM}, Now: func() time.Time { return time.Unix(1<<33, 0) }}
		}, srtp.ErrSunset},
		"not in DTLS": {func(c *dtls.Config) { c.Policy.Suites = []srtp.Suite{srtp.AES256CMHMACSHA1Tag80} }, dtls.ErrProfile},
	} {
		c := good
		v.change(&c)
		_, err := dtls.New(c)
		require.ErrorIs(t, err, v.want, name)
	}
	a, err := dtls.New(good)
	require.NoError(t, err)
	a.Close()
	a.Close()
	_, err = a.Handshake(t.Context())
	require.Error(t, err)
	_, err = a.Handshake(t.Context())
	require.True(t, errors.Is(err, dtls.ErrState))
}
