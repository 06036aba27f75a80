package stir

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The key of RFC 8225 appendix A.2, and an example that was signed with it in the drafts of that RFC. Its date is a string, which the RFC then changed.
const (
	rfcKey = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8HNbQd/TmvCKwPKHkMF9fScavGeH
78YTU8qLS8I5HLHSSmlATLcslQMhNC/OhlWBYC626nIlo7XeebYS7Sb37g==
-----END PUBLIC KEY-----`
	rfcToken = "eyJhbGciOiJFUzI1NiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0cHM6Ly9jZXJ0LmV4YW1wbGUub3JnL3Bhc3Nwb3J0LmNlciJ9." +
		"eyJkZXN0Ijp7InVyaSI6WyJzaXA6YWxpY2VAZXhhbXBsZS5jb20iXX0sImlhdCI6IjE0NDMyMDgzNDUiLCJvcmlnIjp7InRuIjoiMTIxNTU1NTEyMTIifX0." +
		"rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w"
)

func TestSignatureOfTheDraftsOfRFC8225(t *testing.T) {
	block, _ := pem.Decode([]byte(rfcKey))
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(t, err)
	dot := strings.LastIndexByte(rfcToken, '.')
	sig, err := b64.DecodeString(rfcToken[dot+1:])
	require.NoError(t, err)
	require.True(t, verify(pub.(*ecdsa.PublicKey), rfcToken[:dot], sig))
	sig[63] ^= 1
	require.False(t, verify(pub.(*ecdsa.PublicKey), rfcToken[:dot], sig))
	_, err = parseToken(rfcToken)
	require.ErrorIs(t, err, ErrToken, "a token that is no SHAKEN")
}

func TestTNAuthListBytes(t *testing.T) {
	for in, want := range map[string]TNAuthList{
		"3008a006160437303 94a":                               {SPC: []string{"709J"}}, // as the authorities of SHAKEN write it
		"300fa20d160b3132313535353531323132":                  {Ranges: []Range{{"12155551212", 1}}},
		"3014a1123010160b31323135353535313230300201 64":       {Ranges: []Range{{"12155551200", 100}}},
		"3017a006160437303 94aa20d160b3132313535353531323132": {SPC: []string{"709J"}, Ranges: []Range{{"12155551212", 1}}},
		"3000":                    {},
		"":                        {},
		"3008a006160437303 94a00": {}, // something after it
		"3008a006130437303 94a":   {}, // PrintableString
		"3008800616043730394a":    {}, // implicit tag
		"3008a306160437303 94a":   {}, // no such choice
		"3014a1123010160b31323135353535313230300201 01":                  {}, // a range of one
		"3014a1123010160b31323135353535313230300201 ff":                  {}, // less than nothing
		"3014a1123010160b31323135353535312a30300201 64":                  {}, // a range of codes
		"300fa20d160b31323135353535312031 32":                            {}, // a space
		"3012a210160e313231353535353132313231323334 35":                  {},
		"3008a006160437300a4a":                                           {}, // a control character
		"308008a006160437303 94a0000":                                    {}, // not DER
		"301ca11a3018160b3132313535353531323030020900ffffffffffffffffff": {},
	} {
		der, err := hex.DecodeString(strings.ReplaceAll(in, " ", ""))
		require.NoError(t, err, in)
		got, err := ParseTNAuthList(der)
		require.Equal(t, want, got, in)
		require.Equal(t, len(want.SPC)+len(want.Ranges) == 0, err != nil, in)
		if err == nil {
			e, err := got.Extension()
			require.NoError(t, err)
			require.Equal(t, der, e.Value)
		}
	}
	_, err := TNAuthList{}.Extension()
	require.ErrorIs(t, err, ErrTNAuthList)
	_, err = TNAuthList{SPC: []string{"é"}}.Extension()
	require.ErrorIs(t, err, ErrTNAuthList)
}

// What is read is written as it was read.
func FuzzTNAuthList(f *testing.F) {
	for _, s := range []string{"3008a00616043730394a", "3014a1123010160b3132313535353531323030020164", "3017a00616043730394aa20d160b3132313535353531323132"} {
		b, _ := hex.DecodeString(s)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		list, err := ParseTNAuthList(der)
		if err != nil {
			return
		}
		e, err := list.Extension()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseTNAuthList(e.Value)
		if err != nil || len(again.SPC) != len(list.SPC) || len(again.Ranges) != len(list.Ranges) || len(e.Value) != len(der) {
			t.Fatalf("%+v became %+v: %v", list, again, err)
		}
		for _, r := range list.Ranges {
			if r.Count == 0 || !list.Covers(r.Start) || !list.encloses(list) {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// A header that is read says the same when it is written and read again, and is one line.
func FuzzIdentity(f *testing.F) {
	f.Add("a.b.c;info=<https://x/y>;alg=ES256;ppt=shaken")
	f.Add(`a.b.c ; info = <https://x/y;z> ; ppt="shaken";x=1`)
	f.Add(rfcToken + ";info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := parseIdentity(s)
		if err != nil {
			if id != (identity{}) {
				t.Fatal("something with an error")
			}
			return
		}
		if strings.ContainsAny(id.token+id.info+id.alg+id.ppt, "\r\n\x00<>") {
			t.Fatalf("%q", id)
		}
		if id.alg != "" && id.ppt != "" && isToken(id.alg) && isToken(id.ppt) {
			if again, err := parseIdentity(id.String()); err != nil || again != id {
				t.Fatalf("%q became %q: %v", id, again, err)
			}
		}
		if tok, err := parseToken(id.token); err == nil {
			in, err := signingInput(tok.x5u, tok.claims)
			if err != nil {
				t.Fatal(err)
			}
			again, err := parseToken(in + "." + b64.EncodeToString(tok.sig))
			if err != nil || again.claims.Orig != tok.claims.Orig || again.x5u != tok.x5u || again.claims.Attest != tok.claims.Attest {
				t.Fatalf("%+v became %+v: %v", tok, again, err)
			}
		}
	})
}

// Payloads by themselves: base64 keeps a fuzzer from them.
func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseClaims(b)
		if err != nil {
			return
		}
		in, err := signingInput("https://x/y", c)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b64.DecodeString(in[strings.IndexByte(in, '.')+1:])
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseClaims(raw)
		if err != nil || !again.IAT.Equal(c.IAT) || again.Orig != c.Orig || len(again.Dest) != len(c.Dest) || bytes.ContainsAny(raw, "\r\n ") {
			t.Fatalf("%+v became %+v: %v", c, again, err)
		}
	})
}

func TestPublicAddresses(t *testing.T) {
	for in, want := range map[string]bool{
		"8.8.8.8": true, "2001:4860:4860::8888": true, "127.0.0.1": false, "10.1.2.3": false, "172.31.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "255.255.255.255": false, "224.0.0.1": false, "198.18.0.1": false, "192.0.2.1": false, "240.0.0.1": false, "::1": false, "::": false,
		"fe80::1": false, "fc00::1": false, "ff02::1": false, "2001:db8::1": false, "2002:7f00:1::": false, "64:ff9b::7f00:1": false, "2001:0:1::": false, "::ffff:127.0.0.1": false,
		"::127.0.0.1": false, "3fff::1": false, "fec0::1": false, "64:ff9b:1::1": false,
	} {
		require.Equal(t, want, public(netip.MustParseAddr(in).Unmap()), in)
	}
}
