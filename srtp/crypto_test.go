package srtp_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
)

// b64 returns base64 that spells n bytes of zeros with a first byte of one.
func b64(n int) string {
	s := "AQ" + strings.Repeat("A", (n*8+5)/6-2)
	for len(s)%4 != 0 {
		s += "="
	}
	return s
}

func TestLegalAttributes(t *testing.T) {
	k30, k28, k44, k46 := b64(30), b64(28), b64(44), b64(46)
	for _, v := range []struct{ in, out string }{
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30, ""},
		{"999999999 AES_CM_128_HMAC_SHA1_32 inline:" + k30, ""},
		{"1 AEAD_AES_128_GCM inline:" + k28, ""},
		{"1 AEAD_AES_256_GCM inline:" + k44, ""},
		{"1 AES_256_CM_HMAC_SHA1_80 inline:" + k46, ""},
		{"1 AES_CM_256_HMAC_SHA1_80 inline:" + k46, "1 AES_256_CM_HMAC_SHA1_80 inline:" + k46}, // alias in the wild
		{"1 aes_cm_256_hmac_sha1_32 INLINE:" + k46, "1 AES_256_CM_HMAC_SHA1_32 inline:" + k46},
		{"1 AEAD_AES_256_GCM inline:" + strings.TrimRight(k44, "="), "1 AEAD_AES_256_GCM inline:" + k44}, // padding left away
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1048576", "1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20"},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^20|1:4", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|1:32", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^48", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|7|66051:3", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " WSH=64", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + " -whatever=1", ""},
		{"0 AES_CM_128_HMAC_SHA1_80 inline:" + k30, ""},
		// RFC 4568 sections 4.1, 6.1 and 9: its examples, apart from F8.
		{"1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR|2^20|1:32", ""},
		{"1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32", ""},
		{"2 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^31|1:1", ""},                                                         // trunks that insist on both
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^031|1:004", "1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|2^31|1:4"}, // 1*DIGIT
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|340282366920938463463374607431768211455:16", ""},
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|18446744073709551616:9", ""}, // one over 64 bits
		{"1 AES_CM_128_HMAC_SHA1_80 inline:" + k30 + "|" + longestMKI() + ":128", ""},
		{"1\tAES_CM_128_HMAC_SHA1_80  inline:" + k30, "1 AES_CM_128_HMAC_SHA1_80 inline:" + k30},
	} {
		c, err := srtp.ParseCrypto(v.in)
		require.NoError(t, err, v.in)
		want := v.out
		if want == "" {
			want = v.in
		}
		assert.Equal(t, want, c.ExportSecret())
		_, err = srtp.NewSender(c, srtp.SenderConfig{})
		assert.NoError(t, err, v.in)
	}
}

func TestIllegalAttributes(t *testing.T) {
	k := "inline:" + b64(30)
	const s = "AES_CM_128_HMAC_SHA1_80 "
	for name, v := range map[string]struct {
		in   string
		want error
	}{
		"empty":              {"", srtp.ErrMalformed},
		"no key":             {"1 AES_CM_128_HMAC_SHA1_80", srtp.ErrMalformed},
		"tag two zeros":      {"00 " + s + k, srtp.ErrMalformed},
		"tag leading zero":   {"01 " + s + k, srtp.ErrMalformed},
		"tag too long":       {"1234567890 " + s + k, srtp.ErrMalformed},
		"tag text":           {"x " + s + k, srtp.ErrMalformed},
		"suite":              {"1 F8_128_HMAC_SHA1_80 " + k, srtp.ErrUnknownSuite},
		"null suite":         {"1 NULL_HMAC_SHA1_80 " + k, srtp.ErrUnknownSuite},
		"method":             {"1 " + s + "uri:" + b64(30), srtp.ErrMalformed},
		"short key":          {"1 " + s + "inline:" + b64(29), srtp.ErrMalformed},
		"long key":           {"1 " + s + "inline:" + b64(46), srtp.ErrMalformed},
		"not base64":         {"1 " + s + "inline:" + strings.Repeat("!", 40), srtp.ErrMalformed},
		"loose last bits":    {"1 AEAD_AES_128_GCM inline:" + strings.Repeat("A", 37) + "B==", srtp.ErrMalformed},
		"padding":            {"1 " + s + k + "===", srtp.ErrMalformed},
		"lifetime zero":      {"1 " + s + k + "|0", srtp.ErrMalformed},
		"lifetime 2^0":       {"1 " + s + k + "|2^0", srtp.ErrMalformed},
		"lifetime 2^49":      {"1 " + s + k + "|2^49", srtp.ErrMalformed},
		"lifetime too big":   {"1 " + s + k + "|281474976710657", srtp.ErrMalformed},
		"lifetime sign":      {"1 " + s + k + "|+5", srtp.ErrMalformed},
		"lifetime empty":     {"1 " + s + k + "|", srtp.ErrMalformed},
		"mki zero length":    {"1 " + s + k + "|1:0", srtp.ErrMalformed},
		"mki too long":       {"1 " + s + k + "|1:129", srtp.ErrMalformed},
		"mki does not fit":   {"1 " + s + k + "|256:1", srtp.ErrMalformed},
		"mki first":          {"1 " + s + k + "|1:4|2^20", srtp.ErrMalformed},
		"mki text":           {"1 " + s + k + "|a:4", srtp.ErrMalformed},
		"three parameters":   {"1 " + s + k + "|2^20|1:4|x", srtp.ErrMalformed},
		"two keys no mki":    {"1 " + s + k + ";" + k, srtp.ErrMalformed},
		"two keys one mki":   {"1 " + s + k + "|1:4;" + k + "|1:4", srtp.ErrMalformed},
		"two lengths":        {"1 " + s + k + "|1:4;" + k + "|2:5", srtp.ErrMalformed},
		"key twice":          {"1 " + s + k + "|1:4;" + k + "|2:4", srtp.ErrMalformed},
		"five keys":          {"1 " + s + strings.Repeat(k+";", 4) + k, srtp.ErrMalformed},
		"unencrypted srtp":   {"1 " + s + k + " UNENCRYPTED_SRTP", srtp.ErrSessionParameter},
		"unencrypted srtcp":  {"1 " + s + k + " unencrypted_srtcp", srtp.ErrSessionParameter},
		"unauthenticated":    {"1 " + s + k + " UNAUTHENTICATED_SRTP", srtp.ErrSessionParameter},
		"key derivation":     {"1 " + s + k + " KDR=1", srtp.ErrSessionParameter},
		"fec order":          {"1 " + s + k + " FEC_ORDER=FEC_SRTP", srtp.ErrSessionParameter},
		"fec key":            {"1 " + s + k + " FEC_KEY=" + k, srtp.ErrSessionParameter},
		"small window":       {"1 " + s + k + " WSH=63", srtp.ErrSessionParameter},
		"mki over 128 bytes": {"1 " + s + k + "|1" + longestMKI() + ":128", srtp.ErrMalformed},
		"mki 9 in 8 bytes":   {"1 " + s + k + "|18446744073709551616:8", srtp.ErrMalformed},
		"mki negative":       {"1 " + s + k + "|-1:8", srtp.ErrMalformed},
		"two lifetimes":      {"1 " + s + k + "|2^20|2^21", srtp.ErrMalformed},
		"key empty":          {"1 " + s + "inline:", srtp.ErrMalformed},
		"empty second key":   {"1 " + s + k + "|1:4;", srtp.ErrMalformed},
		"control character":  {"1 " + s + k + " -x\x01", srtp.ErrMalformed},
		"not ASCII":          {"1 " + s + k + " -é", srtp.ErrMalformed},
		"kdr zero":           {"1 " + s + k + " KDR=0", srtp.ErrSessionParameter},
		"kdr 25":             {"1 " + s + k + " KDR=25", srtp.ErrSessionParameter},
		"kdr leading zero":   {"1 " + s + k + " KDR=01", srtp.ErrSessionParameter},
		"fec order unknown":  {"1 " + s + k + " FEC_ORDER=BOTH", srtp.ErrSessionParameter},
		"parameter twice":    {"1 " + s + k + " WSH=64 WSH=65", srtp.ErrSessionParameter},
		"value on a flag":    {"1 " + s + k + " UNENCRYPTED_SRTCP=no", srtp.ErrSessionParameter},
		"window no number":   {"1 " + s + k + " WSH=", srtp.ErrSessionParameter},
		"one bad of two":     {"1 " + s + k + " WSH=64 UNENCRYPTED_SRTCP", srtp.ErrSessionParameter},
		"unknown parameter":  {"1 " + s + k + " FUTURE=1", srtp.ErrSessionParameter},
		"longer than a line": {"1 " + s + k + strings.Repeat(" -x", 1000), srtp.ErrMalformed},
	} {
		c, err := srtp.ParseCrypto(v.in)
		assert.ErrorIs(t, err, v.want, name)
		assert.Equal(t, srtp.SuiteInvalid, c.Suite, name)
		if err != nil {
			assert.NotContains(t, err.Error(), "AQAA", "%s: the reason quotes the key", name)
		}
	}
}

// longestMKI is the greatest value that 128 bytes hold.
func longestMKI() string {
	v := new(big.Int).Lsh(big.NewInt(1), 1024)
	return v.Sub(v, big.NewInt(1)).String()
}

func lines(cs []srtp.Crypto) []string {
	var out []string
	for _, c := range cs {
		out = append(out, c.ExportSecret())
	}
	return out
}

func TestNegotiation(t *testing.T) {
	offer, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	require.Len(t, offer, 4)
	ours, theirs, err := srtp.Policy{}.Answer(lines(offer))
	require.NoError(t, err)
	assert.Equal(t, srtp.AEADAES256GCM, ours.Suite)
	assert.True(t, theirs.Equal(offer[0]))
	local, remote, err := srtp.Policy{}.Accept(offer, []string{ours.ExportSecret()})
	require.NoError(t, err)
	assert.True(t, local.Equal(offer[0]))
	assert.True(t, remote.Equal(ours))
	assert.False(t, local.Keys[0].Key.Equal(remote.Keys[0].Key), "each direction has a key of its own")

	// The strongest of ours wins although the peer prefers the weakest, and unusable lines are passed over.
	weakFirst := []string{lines(offer)[3], "7 UNKNOWN inline:x", lines(offer)[1] + " KDR=3", lines(offer)[2]}
	ours, _, err = srtp.Policy{}.Answer(weakFirst)
	require.NoError(t, err)
	assert.Equal(t, srtp.AES256CMHMACSHA1Tag80, ours.Suite)
	assert.Equal(t, 3, ours.Tag)

	_, _, err = srtp.Policy{}.Answer(nil)
	require.ErrorIs(t, err, srtp.ErrNoCrypto)
	_, _, err = srtp.Policy{Suites: []srtp.Suite{srtp.AEADAES256GCM}}.Answer(weakFirst)
	require.ErrorIs(t, err, srtp.ErrNoCommonSuite)
	require.ErrorIs(t, err, srtp.ErrSessionParameter, "the reasons are there")
	short := "1 AES_CM_128_HMAC_SHA1_32 inline:" + b64(30)
	_, _, err = srtp.Policy{}.Answer([]string{short})
	require.ErrorIs(t, err, srtp.ErrNoCommonSuite, "a short tag must be listed")
	_, _, err = only(srtp.AESCM128HMACSHA1Tag32).Answer([]string{short})
	require.NoError(t, err)

	for name, answer := range map[string][]string{
		"unknown tag":  {strings.Replace(ours.ExportSecret(), "3 ", "9 ", 1)},
		"other suite":  {strings.Replace(ours.ExportSecret(), "3 ", "1 ", 1)},
		"two of them":  {ours.ExportSecret(), ours.ExportSecret()},
		"key mirrored": {lines(offer)[2]},
	} {
		_, _, err := srtp.Policy{}.Accept(offer, answer)
		require.Error(t, err, name)
	}
	_, _, err = srtp.Policy{}.Accept(offer, nil)
	require.ErrorIs(t, err, srtp.ErrNoCrypto)
	for _, p := range []srtp.Policy{{Suites: []srtp.Suite{0}}, {Suites: []srtp.Suite{srtp.AEADAES256GCM, srtp.AEADAES256GCM}}} {
		_, err := p.Offer()
		require.ErrorIs(t, err, srtp.ErrBadPolicy)
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	control.Proves(t, "ENC-10")
	offer, err := srtp.Policy{}.Offer()
	require.NoError(t, err)
	secret := offer[0].Keys[0].Key.ExportSecret()
	require.Len(t, secret, 60)
	s, err := srtp.NewSender(offer[0], srtp.SenderConfig{})
	require.NoError(t, err)
	hidden := struct {
		c srtp.Crypto
		k srtp.Key
	}{offer[0], offer[0].Keys[0].Key}
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	text := slog.New(slog.NewTextHandler(&out, nil))
	for _, v := range []any{offer, offer[0], &offer[0], offer[0].Keys, offer[0].Keys[0], offer[0].Keys[0].Key, hidden, &hidden} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, _ := json.Marshal(v)
		out.Write(j)
		log.Info("x", "v", v)
		text.Info("x", "v", v)
	}
	_ = s
	raw := offer[0].Keys[0].Key
	assert.NotContains(t, out.String(), secret[:12])
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", []byte(secret))[:16])
	decimal := strings.Trim(fmt.Sprint(mustDecode(t, secret)[:4]), "[]")
	assert.NotContains(t, out.String(), decimal, "bytes in decimal")
	assert.Contains(t, out.String(), "REDACTED")
	offer[0].Zero()
	assert.True(t, raw.IsZero())
	_, err = s.ProtectRTP(nil, rtpPacket(s.SSRC(), 1))
	require.NoError(t, err, "a sender has its own copy")
}

func mustDecode(t testing.TB, s string) []byte {
	t.Helper()
	var b []byte
	require.NoError(t, json.Unmarshal([]byte(`"`+s+`"`), &b))
	return b
}

func TestWrittenAttributesReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		suite := rapid.SampledFrom(suites()).Draw(rt, "suite")
		offer, err := only(suite).Offer()
		require.NoError(t, err)
		c := offer[0]
		c.Tag = rapid.IntRange(1, 999999999).Draw(rt, "tag")
		c.Keys[0].Lifetime = rapid.Uint64Range(0, 1<<48).Draw(rt, "life")
		if n := rapid.IntRange(0, 128).Draw(rt, "mki"); n > 0 {
			c.Keys[0].MKI = rapid.SliceOfN(rapid.Byte(), n, n).Draw(rt, "value")
		}
		if rapid.Bool().Draw(rt, "wsh") {
			c.Params.WSH = rapid.IntRange(64, 1<<20).Draw(rt, "window")
		}
		back, err := srtp.ParseCrypto(c.ExportSecret())
		require.NoError(t, err)
		require.True(t, back.Equal(c))
		require.Equal(t, c.ExportSecret(), back.ExportSecret())
	})
}

// FuzzParseCrypto: what parses, writes and parses to the same; an error comes with no value and without key material. What weakens protection is read
// by InspectCrypto only, and makes neither Sender nor Receiver.
func FuzzParseCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + b64(30) + " KDR=3 FEC_ORDER=SRTP_FEC FEC_KEY=inline:" + b64(30) + "|2^9|7:3 UNENCRYPTED_SRTCP -a b")
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + b64(30) + "|" + longestMKI() + ":128")
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + b64(30) + "|2^20|1:4 WSH=64")
	f.Add("2 AEAD_AES_256_GCM inline:" + b64(44))
	f.Fuzz(func(t *testing.T, in string) {
		seen, err := srtp.InspectCrypto(in)
		if err == nil {
			again, err := srtp.InspectCrypto(seen.ExportSecret())
			require.NoError(t, err)
			require.Equal(t, seen.ExportSecret(), again.ExportSecret())
		}
		c, err := srtp.ParseCrypto(in)
		if err != nil {
			require.Empty(t, c.Keys)
			if len(seen.Keys) > 0 && seen.Params.FECOrder == "" && (!seen.Params.HasKDR || seen.Params.KDR != 0) {
				_, err = srtp.NewSender(seen, srtp.SenderConfig{})
				require.ErrorIs(t, err, srtp.ErrSessionParameter)
			}
			return
		}
		back, err := srtp.ParseCrypto(c.ExportSecret())
		require.NoError(t, err)
		require.True(t, back.Equal(c))
		_, err = srtp.NewReceiver(c, srtp.ReceiverConfig{})
		require.NoError(t, err)
	})
}

// FuzzUnprotect: nothing a stranger sends is accepted, panics or leaves state.
func FuzzUnprotect(f *testing.F) {
	f.Add([]byte{0x90, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0, 0, 0, 0}, uint8(0))
	f.Add(make([]byte, 60), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, which uint8) {
		_, r := keyed(t, suites()[int(which)%6], srtp.ReceiverConfig{})
		for range 20 { // far enough to try recovery
			_, err := r.UnprotectRTP(nil, bytes.Clone(in))
			require.Error(t, err)
			_, err = r.UnprotectRTCP(nil, bytes.Clone(in))
			require.Error(t, err)
		}
		require.Zero(t, r.Stats().Sources)
	})
}
