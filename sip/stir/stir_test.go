package stir_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/sip/stir"
)

func TestRoundTrip(t *testing.T) {
	r := newRig(t, provider, nil)
	for _, c := range []struct {
		orig  string
		known bool
		level stir.Level
	}{
		{caller, true, stir.Full}, {"+1 (215) 555-9999", true, stir.Partial}, {caller, false, stir.Gateway}, {"+12155559999", false, stir.Gateway},
	} {
		h, err := r.signer(t, nil).Sign(noon, stir.Call{Orig: c.orig, Dest: callee, Authenticated: c.known})
		require.NoError(t, err)
		res := r.Verify(context.Background(), noon.Add(time.Second), stir.Request{Identity: []string{h}, Orig: c.orig, Dest: "+1-215-555-1213", CallID: "c1"})
		require.NoError(t, res.Err)
		require.Equal(t, stir.Passed, res.Verstat)
		require.Equal(t, c.level, res.Level)
		require.Equal(t, "709J", res.SPC)
		require.Len(t, res.OrigID, 36)
		require.Zero(t, res.Code)
	}
}

func TestWhatIsWrittenIsCanonical(t *testing.T) {
	r := newRig(t, provider, nil)
	s := r.signer(t, func(c *stir.SignerConfig) {
		c.URL, c.OrigID = "https://cert.example.org/passport.cer", "123e4567-e89b-12d3-a456-426655440000"
	})
	h, err := s.Sign(time.Unix(1443208345, 0).Add(noon.Sub(time.Unix(1443208345, 0))), stir.Call{Orig: caller, Dest: "+12125551213", Authenticated: true})
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(h, ";info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken"), h)
	parts := strings.SplitN(strings.SplitN(h, ";", 2)[0], ".", 3)
	// The header of RFC 8588 section 3 to the byte; its payload but for the date, which the certificate of the test decides.
	require.Equal(t, "eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9", parts[0])
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"attest":"A","dest":{"tn":["12125551213"]},"iat":%d,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`, noon.Unix()), string(payload))
}

// Each character of a header that is another one makes it another header: nothing in it is decoration but the case of parameter names.
func TestEveryTampering(t *testing.T) {
	r := newRig(t, provider, nil)
	h := r.sign(t, noon)
	require.Equal(t, stir.Passed, r.check(noon, h).Verstat)
	for i := range len(h) {
		for _, c := range []byte{h[i] ^ 1, 'A', ';', ' ', '"'} {
			if c == h[i] || strings.EqualFold(string(c), string(h[i])) {
				continue
			}
			bad := h[:i] + string(c) + h[i+1:]
			if strings.ReplaceAll(strings.ReplaceAll(bad, " ", ""), ";;", ";") == strings.ReplaceAll(h, " ", "") {
				continue
			}
			res := r.check(noon, bad)
			if res.Verstat == stir.Passed && strings.SplitN(bad, ";", 2)[0] == strings.SplitN(h, ";", 2)[0] && strings.Contains(bad, ";info=<"+x5u+">") {
				continue // alg and parameters nobody knows are not signed; what counts of them is compared
			}
			require.NotEqual(t, stir.Passed, res.Verstat, bad)
			require.NotZero(t, res.Code)
			require.Error(t, res.Err)
			require.Empty(t, res.Level)
		}
		require.NotEqual(t, stir.Passed, r.check(noon, h[:i]).Verstat, "cut at %d", i)
	}
}

// forge signs any header and payload with the key of the leaf.
func (r *rig) forge(t *testing.T, header, payload string) string {
	in := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(in))
	x, y, err := ecdsa.Sign(rand.Reader, r.leaf.key, sum[:])
	require.NoError(t, err)
	sig := append(x.FillBytes(make([]byte, 32)), y.FillBytes(make([]byte, 32))...)
	return in + "." + base64.RawURLEncoding.EncodeToString(sig) + ";info=<" + x5u + ">;alg=ES256;ppt=shaken"
}

func TestWellSignedAndWrong(t *testing.T) {
	r := newRig(t, provider, nil)
	head := `{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"` + x5u + `"}`
	body := fmt.Sprintf(`{"attest":"A","dest":{"tn":["12155551213"]},"iat":%d,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`, noon.Unix())
	require.Equal(t, stir.Passed, r.check(noon, r.forge(t, head, body)).Verstat)
	require.Equal(t, stir.Passed, r.check(noon, r.forge(t, head, strings.Replace(body, `{"attest"`, `{"rcd":{"nam":"x"}, "attest"`, 1))).Verstat, "other claims may be there")
	for _, c := range []struct{ in, from, to string }{
		{"h", `"ES256"`, `"none"`}, {"h", `"ES256"`, `"HS256"`}, {"h", `"ES256"`, `"ES384"`}, {"h", `"alg":"ES256",`, ``}, {"h", `"shaken"`, `"div"`}, {"h", `"passport"`, `"JWT"`},
		{"h", `"x5u":"`, `"x5u":"https://cert.example.org/other","x5u":"`}, {"h", `cert.example.org`, `cert.example.com`}, {"h", `{"alg"`, `{"crit":["exp"],"alg"`}, {"h", `"alg"`, `"Alg"`},
		{"h", `}`, `} {}`}, {"h", `{`, `[{`}, {"h", `"x5u":"` + x5u + `"`, `"x5u":7`},
		{"p", `"A"`, `"D"`}, {"p", `"A"`, `"a"`}, {"p", `"attest":"A",`, ``}, {"p", `"attest":"A"`, `"attest":"C","attest":"A"`}, {"p", `12155551213`, `12155551214`},
		{"p", `["12155551213"]`, `"12155551213"`}, {"p", `["12155551213"]`, `[]`}, {"p", `["12155551213"]`, `["12155551213",{}]`}, {"p", `["12155551213"]`, `["+12155551213"]`},
		{"p", `"iat":`, `"iat":-`}, {"p", `"iat":`, `"iat":1e`}, {"p", `"iat":`, `"iat":1.0`}, {"p", `"tn":"12155551212"`, `"uri":"sip:12155551212@example.org"`},
		{"p", `"tn":"12155551212"`, `"tn":"12155551212","uri":"sip:x@y"`}, {"p", `"tn":"12155551212"`, `"tn":"12155551219"`}, {"p", `123e4567-`, `123e4567x`}, {"p", `123e4567-`, `123e456`},
		{"p", `"origid"`, `"other"`}, {"p", `"A"`, `"\ud800"`},
	} {
		header, payload := head, body
		if c.in == "h" {
			header = strings.Replace(head, c.from, c.to, 1)
		} else {
			payload = strings.Replace(body, c.from, c.to, 1)
		}
		require.True(t, header != head || payload != body, c.to)
		res := r.check(noon, r.forge(t, header, payload))
		require.Equal(t, stir.Failed, res.Verstat, c.to)
		require.Equal(t, stir.CodeInvalid, res.Code, c.to)
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		off  time.Duration
		code int
	}{
		{0, 0}, {60 * time.Second, 0}, {61 * time.Second, stir.CodeStale}, {-60 * time.Second, 0}, {-61 * time.Second, stir.CodeStale}, {-24 * time.Hour, stir.CodeStale},
	} {
		r := newRig(t, provider, func(c *x509.Certificate) { c.NotBefore = noon.Add(-48 * time.Hour) })
		require.Equal(t, c.code, r.check(noon.Add(c.off), r.sign(t, noon)).Code, c.off)
	}
	r := newRig(t, provider, nil)
	r.cfg.Window = 5 * time.Second
	r.open(t)
	require.Equal(t, stir.CodeStale, r.check(noon.Add(6*time.Second), r.sign(t, noon)).Code)
}

func TestReplay(t *testing.T) {
	ctx := context.Background()
	r := newRig(t, provider, nil)
	h := r.sign(t, noon)
	req := stir.Request{Identity: []string{h}, Orig: caller, Dest: callee, CallID: "c1"}
	require.Equal(t, stir.Passed, r.Verify(ctx, noon, req).Verstat)
	require.Equal(t, stir.Passed, r.Verify(ctx, noon, req).Verstat, "a copy of the same call that took another way")
	req.CallID = "c2"
	res := r.Verify(ctx, noon.Add(59*time.Second), req)
	require.ErrorIs(t, res.Err, stir.ErrReplay)
	require.Equal(t, stir.CodeInvalid, res.Code)
	req.CallID = ""
	require.ErrorIs(t, r.Verify(ctx, noon, req).Err, stir.ErrReplay)

	// Of one signature everybody can make a second that is good too: n - s.
	token, rest, _ := strings.Cut(h, ";")
	dot := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	require.NoError(t, err)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	req.Identity, req.CallID = []string{token[:dot+1] + base64.RawURLEncoding.EncodeToString(sig) + ";" + rest}, "c3"
	require.ErrorIs(t, r.Verify(ctx, noon, req).Err, stir.ErrReplay)
}

func TestReplayMemoryIsBoundedAndFailsClosed(t *testing.T) {
	r := newRig(t, provider, nil)
	r.cfg.MaxTokens = 2
	r.open(t)
	require.Equal(t, stir.Passed, r.check(noon, r.sign(t, noon)).Verstat)
	require.Equal(t, stir.Passed, r.check(noon, r.sign(t, noon)).Verstat)
	res := r.check(noon, r.sign(t, noon))
	require.Equal(t, stir.NotValidated, res.Verstat)
	require.ErrorIs(t, res.Err, stir.ErrFull)
	later := noon.Add(2*time.Minute + time.Second)
	require.Equal(t, stir.Passed, r.check(later, r.sign(t, later)).Verstat, "what is over makes room")
}

func TestWhoIsCalledAndWhoCalls(t *testing.T) {
	r := newRig(t, provider, nil)
	h := r.sign(t, noon)
	for _, c := range [][2]string{{caller, "+12155551299"}, {"+12155551299", callee}, {"", callee}, {caller, ""}, {"anonymous", callee}, {caller + "#", callee}} {
		res := r.Verify(context.Background(), noon, stir.Request{Identity: []string{h}, Orig: c[0], Dest: c[1]})
		require.Equal(t, stir.CodeInvalid, res.Code, c)
	}
}

func TestHeaders(t *testing.T) {
	r := newRig(t, provider, nil)
	h := r.sign(t, noon)
	token, _, _ := strings.Cut(h, ";")
	ok := "info=<" + x5u + ">"
	for _, c := range []struct {
		values []string
		code   int
	}{
		{[]string{token + " ; INFO = <" + x5u + "> ; Alg=ES256;ppt=\"shaken\""}, 0},
		{[]string{token + ";" + ok + ";ppt=shaken;other=1"}, 0},
		{[]string{token + ";" + ok + ";ppt=div", h}, 0},
		{nil, stir.CodeMissing},
		{[]string{token + ";" + ok + ";alg=ES256"}, stir.CodeMissing},
		{[]string{h, h}, stir.CodeInvalid},
		{[]string{""}, stir.CodeInvalid},
		{[]string{token + ";" + ok + ";ppt=shaken;ppt=shaken"}, stir.CodeInvalid},
		{[]string{token + ";" + ok + ";alg=ES384;ppt=shaken"}, stir.CodeInvalid},
		{[]string{token + ";ppt=shaken"}, stir.CodeInvalid},
		{[]string{token + ";info=" + x5u + ";ppt=shaken"}, stir.CodeInvalid},
		{[]string{token + ";info=<https://cert.example.org/other>;ppt=shaken"}, stir.CodeInvalid},
		{[]string{".." + token[strings.LastIndexByte(token, '.')+1:] + ";" + ok + ";ppt=shaken"}, stir.CodeInvalid},
		{[]string{token + ";" + ok + ";ppt=shaken\r\nX: y"}, stir.CodeInvalid},
		{[]string{strings.Repeat("A", 5000) + token + ";" + ok + ";ppt=shaken"}, stir.CodeInvalid},
		{make([]string, 17), stir.CodeInvalid},
	} {
		res := r.Verify(context.Background(), noon, stir.Request{Identity: c.values, Orig: caller, Dest: callee, CallID: "c1"})
		require.Equal(t, c.code, res.Code, "%v: %v", c.values, res.Err)
		require.Equal(t, map[int]stir.Verstat{0: stir.Passed, stir.CodeMissing: stir.NotValidated, stir.CodeInvalid: stir.Failed}[c.code], res.Verstat)
	}
}

func TestCertificates(t *testing.T) {
	numbers := func(start string, n uint64) stir.TNAuthList {
		return stir.TNAuthList{Ranges: []stir.Range{{Start: start, Count: n}}}
	}
	constraint := func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 27}, Value: []byte{0x30, 0}})
	}
	for _, c := range []struct {
		name   string
		list   stir.TNAuthList
		change func(*x509.Certificate)
		code   int
	}{
		{"first of a range", numbers("12155551212", 2), nil, 0},
		{"last of a range", numbers("12155551200", 13), nil, 0},
		{"after a range", numbers("12155551200", 12), nil, stir.CodeCredential},
		{"before a range", numbers("12155551213", 100), nil, stir.CodeCredential},
		{"a range of longer numbers", numbers("121555512120", 100), nil, stir.CodeCredential},
		{"the number", numbers("12155551212", 1), nil, 0},
		{"another number", numbers("12155551211", 1), nil, stir.CodeCredential},
		{"expired", provider, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Second) }, stir.CodeCredential},
		{"not yet valid", provider, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Second) }, stir.CodeCredential},
		{"of an authority", provider, func(c *x509.Certificate) { c.IsCA = true }, stir.CodeCredential},
		{"not for signatures", provider, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }, stir.CodeCredential},
		{"constraints on claims", provider, constraint, stir.CodeCredential},
		{"no list", provider, func(c *x509.Certificate) { c.ExtraExtensions = nil }, stir.CodeCredential},
		{"a list of nothing", provider, func(c *x509.Certificate) { c.ExtraExtensions[0].Value = []byte{0x30, 0} }, stir.CodeCredential},
		{"a critical list", provider, func(c *x509.Certificate) { c.ExtraExtensions[0].Critical = true }, 0},
		{"something critical that nobody knows", provider, func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
		}, stir.CodeCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, provider, nil)
			h := r.sign(t, noon)
			// The same key under the certificate of the case: a signer of ours would refuse some of them.
			spoiled := issue(t, r.ca, false, &c.list, c.change)
			r.leaf, r.web[x5u] = spoiled, spoiled.chain
			head := h[:strings.IndexByte(h, '.')]
			raw, err := base64.RawURLEncoding.DecodeString(head)
			require.NoError(t, err)
			body := fmt.Sprintf(`{"attest":"A","dest":{"tn":["12155551213"]},"iat":%d,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`, noon.Unix())
			res := r.check(noon, r.forge(t, string(raw), body))
			require.Equal(t, c.code, res.Code, "%v", res.Err)
		})
	}
	t.Run("another root", func(t *testing.T) {
		r, other := newRig(t, provider, nil), newRig(t, provider, nil)
		r.web[x5u] = other.leaf.chain
		require.Equal(t, stir.CodeCredential, r.check(noon, other.sign(t, noon)).Code)
	})
	t.Run("another key", func(t *testing.T) {
		r := newRig(t, provider, nil)
		h := r.sign(t, noon)
		r.web[x5u] = issue(t, r.ca, false, &provider, nil).chain
		require.Equal(t, stir.CodeInvalid, r.check(noon, h).Code)
	})
	t.Run("cannot be fetched", func(t *testing.T) {
		r := newRig(t, provider, nil)
		h := r.sign(t, noon)
		delete(r.web, x5u)
		require.Equal(t, stir.CodeInfo, r.check(noon, h).Code)
		r.web[x5u] = []byte("<html>")
		require.Equal(t, stir.CodeCredential, r.check(noon, h).Code)
	})
	t.Run("host that is not allowed is not asked", func(t *testing.T) {
		r := newRig(t, provider, nil)
		h := r.sign(t, noon)
		r.cfg.Hosts, r.cfg.Certificates = []string{"example.org", "org"}, fetchFails{t}
		r.open(t)
		require.Equal(t, stir.CodeInfo, r.check(noon, h).Code)
		r.cfg.AnyHost, r.cfg.Certificates = true, r.web
		r.open(t)
		require.Zero(t, r.check(noon, h).Code)
	})
	t.Run("what is remembered of a chain ends with it", func(t *testing.T) {
		r := newRig(t, provider, func(c *x509.Certificate) { c.NotAfter = noon.Add(time.Second) })
		require.Zero(t, r.check(noon, r.sign(t, noon)).Code)
		h := r.sign(t, noon)
		require.Equal(t, stir.CodeCredential, r.check(noon.Add(2*time.Second), h).Code)
	})
	t.Run("provider without the number", func(t *testing.T) {
		r := newRig(t, provider, nil)
		r.cfg.SPC = func(code, number string) bool { return code != "709J" || number != caller[1:] }
		r.open(t)
		require.Equal(t, stir.CodeCredential, r.check(noon, r.sign(t, noon)).Code)
	})
}

type fetchFails struct{ t *testing.T }

func (f fetchFails) Fetch(context.Context, string) ([]byte, error) {
	f.t.Error("a host that is not allowed was asked")
	return nil, errors.New("no")
}

// A stranger whose token cannot be good causes no fetch.
func TestStrangersCauseNoFetch(t *testing.T) {
	r := newRig(t, provider, nil)
	h := r.sign(t, noon)
	r.cfg.Certificates = fetchFails{t}
	r.open(t)
	r.check(noon.Add(time.Hour), h)
	r.check(noon, "x"+h)
	r.Verify(context.Background(), noon, stir.Request{Identity: []string{h}, Orig: caller, Dest: "+1999"})
}

func TestDelegates(t *testing.T) {
	for _, c := range []struct {
		name        string
		above, leaf stir.TNAuthList
		code        int
	}{
		{"within", stir.TNAuthList{Ranges: []stir.Range{{"12155551200", 100}}}, stir.TNAuthList{Ranges: []stir.Range{{"12155551210", 10}}}, 0},
		{"beyond", stir.TNAuthList{Ranges: []stir.Range{{"12155551200", 15}}}, stir.TNAuthList{Ranges: []stir.Range{{"12155551210", 10}}}, stir.CodeCredential},
		{"one number", stir.TNAuthList{Ranges: []stir.Range{{"12155551212", 1}}}, stir.TNAuthList{Ranges: []stir.Range{{"12155551212", 1}}}, 0},
		{"under a provider", provider, stir.TNAuthList{Ranges: []stir.Range{{"12155551210", 10}}}, 0},
		{"a code of another", provider, stir.TNAuthList{SPC: []string{"1234"}}, stir.CodeCredential},
		{"a code out of numbers", stir.TNAuthList{Ranges: []stir.Range{{"12155551200", 100}}}, provider, stir.CodeCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, provider, nil)
			ca := issue(t, r.root, true, &c.above, nil)
			r.leaf = issue(t, ca, false, &c.leaf, nil)
			r.web[x5u] = r.leaf.chain
			res := r.check(noon, r.sign(t, noon))
			require.Equal(t, c.code, res.Code, "%v", res.Err)
		})
	}
}

func TestSignerRefuses(t *testing.T) {
	r := newRig(t, stir.TNAuthList{Ranges: []stir.Range{{"12155551212", 2}}}, nil)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, change := range map[string]func(*stir.SignerConfig){
		"no key":     func(c *stir.SignerConfig) { c.Key = nil },
		"another":    func(c *stir.SignerConfig) { c.Key = newKey(t) },
		"P-384":      func(c *stir.SignerConfig) { c.Key = p384 },
		"RSA":        func(c *stir.SignerConfig) { c.Key = rsaKey },
		"no chain":   func(c *stir.SignerConfig) { c.Chain = nil },
		"root":       func(c *stir.SignerConfig) { c.Chain, c.Key = r.root.chain, r.root.key },
		"http":       func(c *stir.SignerConfig) { c.URL = "http://cert.example.org/x" },
		"injection":  func(c *stir.SignerConfig) { c.URL = "https://cert.example.org/x>;ppt=x" },
		"not a UUID": func(c *stir.SignerConfig) { c.OrigID = "1" },
	} {
		cfg := stir.SignerConfig{Key: r.leaf.key, Chain: r.leaf.chain, URL: x5u}
		change(&cfg)
		_, err := stir.NewSigner(cfg)
		require.Error(t, err, name)
	}
	s := r.signer(t, nil)
	_, err = s.Sign(noon, stir.Call{Orig: "+12155551299", Dest: callee, Authenticated: true})
	require.ErrorIs(t, err, stir.ErrCertificate)
	_, err = s.Sign(noon.Add(48*time.Hour), stir.Call{Orig: caller, Dest: callee})
	require.ErrorIs(t, err, stir.ErrCertificate)
	_, err = s.Sign(noon, stir.Call{Orig: "alice", Dest: callee})
	require.ErrorIs(t, err, stir.ErrNumber)
	_, err = s.Sign(noon, stir.Call{Orig: caller, Dest: ""})
	require.ErrorIs(t, err, stir.ErrNumber)
}

func TestVerifierConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*stir.Config){
		"no roots": func(c *stir.Config) { c.Roots = nil }, "no port": func(c *stir.Config) { c.Certificates = nil }, "no hosts": func(c *stir.Config) { c.Hosts = nil },
		"window": func(c *stir.Config) { c.Window = time.Hour }, "tokens": func(c *stir.Config) { c.MaxTokens = -1 },
	} {
		cfg := newRig(t, provider, nil).cfg
		change(&cfg)
		_, err := stir.NewVerifier(cfg)
		require.Error(t, err, name)
	}
}

func TestCanonicalNumbers(t *testing.T) {
	germany, america := stir.Plan{Country: "49", International: "00", Trunk: "0"}, stir.Plan{Country: "1", International: "011", Trunk: "1", Bare: 10}
	for _, c := range []struct {
		plan     stir.Plan
		in, want string
	}{
		{stir.Plan{}, "+1 (215) 555-1212", "12155551212"}, {stir.Plan{}, "12155551212", "12155551212"}, {stir.Plan{}, "1.215.555.1212", "12155551212"},
		{germany, "+493012345", "493012345"}, {germany, "03012345", "493012345"}, {germany, "00493012345", "493012345"}, {germany, "0012155551212", "12155551212"},
		{america, "2155551212", "12155551212"}, {america, "12155551212", "12155551212"}, {america, "011493012345", "493012345"}, {america, "+493012345", "493012345"},
		{stir.Plan{}, "*67", "*67"},
		{germany, "", ""}, {germany, "+", ""}, {germany, "alice", ""}, {germany, "1+2", ""}, {germany, "+1234567890123456", ""}, {germany, "+49\r\n", ""}, {germany, "+49;ext=1", ""},
		{germany, "+４９30", ""}, {germany, strings.Repeat("-", 65) + "1", ""},
	} {
		got, err := c.plan.Canonical(c.in)
		require.Equal(t, c.want, got, c.in)
		require.Equal(t, c.want == "", err != nil, c.in)
	}
}

func TestPolicy(t *testing.T) {
	pass := func(l stir.Level) stir.Result { return stir.Result{Verstat: stir.Passed, Level: l} }
	missing := stir.Result{Verstat: stir.NotValidated, Code: stir.CodeMissing}
	failed := stir.Result{Verstat: stir.Failed, Code: stir.CodeInvalid}
	lenient := stir.Rule{Require: stir.Partial, Below: stir.Mark, Missing: stir.Mark, Failed: stir.Reject, Status: 607}
	p := stir.Policies{Realms: map[string]stir.Rule{"acme": lenient}}
	for _, c := range []struct {
		realm  string
		result stir.Result
		want   stir.Verdict
	}{
		{"other", pass(stir.Full), stir.Verdict{Action: stir.Accept}},
		{"other", pass(stir.Partial), stir.Verdict{stir.Reject, 403, "Forbidden"}},
		{"other", missing, stir.Verdict{stir.Reject, 428, "Use Identity Header"}},
		{"other", failed, stir.Verdict{stir.Reject, 438, "Invalid Identity Header"}},
		{"other", stir.Result{}, stir.Verdict{stir.Reject, 403, "Forbidden"}},
		{"other", stir.Result{Verstat: stir.Passed}, stir.Verdict{stir.Reject, 403, "Forbidden"}},
		{"other", stir.Result{Verstat: stir.Failed, Code: stir.CodeStale}, stir.Verdict{stir.Reject, 403, "Stale Date"}},
		{"other", stir.Result{Verstat: stir.Failed, Code: stir.CodeInfo}, stir.Verdict{stir.Reject, 436, "Bad Identity Info"}},
		{"other", stir.Result{Verstat: stir.Failed, Code: stir.CodeCredential}, stir.Verdict{stir.Reject, 437, "Unsupported Credential"}},
		{"acme", pass(stir.Full), stir.Verdict{Action: stir.Accept}},
		{"acme", pass(stir.Partial), stir.Verdict{Action: stir.Accept}},
		{"acme", pass(stir.Gateway), stir.Verdict{Action: stir.Mark}},
		{"acme", missing, stir.Verdict{Action: stir.Mark}},
		{"acme", failed, stir.Verdict{stir.Reject, 607, "Rejected"}},
	} {
		require.Equal(t, c.want, p.Decide(c.realm, c.result), "%s %+v", c.realm, c.result)
	}
	require.Equal(t, stir.Reject, stir.Rule{Require: "Z"}.Decide(pass(stir.Partial)).Action)
	require.Equal(t, []string{"reject", "mark", "accept"}, []string{stir.Reject.String(), stir.Mark.String(), stir.Accept.String()})
}
