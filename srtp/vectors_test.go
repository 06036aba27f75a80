package srtp_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the suites' MAC
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
	"github.com/ringfence/ringfence/srtp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// cryptoOf makes a Crypto of a known key the only way there is: through the attribute.
func cryptoOf(t testing.TB, suite srtp.Suite, keySalt []byte) srtp.Crypto {
	t.Helper()
	c, err := srtp.ParseCrypto(fmt.Sprintf("1 %s inline:%s", suite, base64.StdEncoding.EncodeToString(keySalt)))
	require.NoError(t, err)
	return c
}

// RFC 3711 appendix B.3 gives a master key and the session keys it derives to. The test computes the packet those session keys make
// with the standard library alone and expects the Sender to make the same.
func TestRFC3711KeyDerivation(t *testing.T) {
	control.Proves(t, "ENC-09")
	master := unhex(t, "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6")
	encKey := unhex(t, "C61E7A93744F39EE10734AFE3FF7A087")
	salt := unhex(t, "30CBBC08863D8C85D49DB34A9AE1")
	authKey := unhex(t, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
	pkt := unhex(t, "800f1234decafbadcafebabe"+strings.Repeat("ab", 16))

	s, err := srtp.NewSender(cryptoOf(t, srtp.AESCM128HMACSHA1Tag80, master), srtp.SenderConfig{SSRC: 0xcafebabe})
	require.NoError(t, err)
	got, err := s.ProtectRTP(nil, pkt)
	require.NoError(t, err)

	// RFC 3711 section 4.1.1: IV = salt*2^16 XOR SSRC*2^64 XOR index*2^16.
	iv := make([]byte, 16)
	copy(iv, salt)
	for i, b := range unhex(t, "00000000cafebabe000000001234") {
		iv[i] ^= b
	}
	want := append([]byte(nil), pkt...)
	block, err := aes.NewCipher(encKey)
	require.NoError(t, err)
	cipher.NewCTR(block, iv).XORKeyStream(want[12:], pkt[12:])
	mac := hmac.New(sha1.New, authKey)
	mac.Write(want)
	mac.Write([]byte{0, 0, 0, 0}) // ROC
	want = append(want, mac.Sum(nil)[:10]...)
	assert.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got))
}

// Reference packets of libsrtp's self-test, which derive session keys as RFC 3711, RFC 6188 and RFC 7714 say.
func TestReferencePackets(t *testing.T) {
	control.Proves(t, "ENC-09")
	gcm := "000102030405060708090a0b0c0d0e0f"
	for _, v := range []struct {
		suite srtp.Suite
		key   string
		want  string
	}{
		{srtp.AESCM128HMACSHA1Tag80, "e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6",
			"4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"},
		{srtp.AES256CMHMACSHA1Tag80, "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6 3b04803de51ee7c96423ab5b78d2",
			"f1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b"},
		{srtp.AEADAES128GCM, gcm + "a0a1a2a3a4a5a6a7a8a9aaab",
			"c5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392"},
		{srtp.AEADAES256GCM, gcm + "101112131415161718191a1b1c1d1e1f a0a1a2a3a4a5a6a7a8a9aaab", ""},
	} {
		t.Run(v.suite.String(), func(t *testing.T) {
			c := cryptoOf(t, v.suite, unhex(t, v.key))
			pkt := unhex(t, "800f1234decafbadcafebabe"+strings.Repeat("ab", 16))
			s, err := srtp.NewSender(c, srtp.SenderConfig{SSRC: 0xcafebabe})
			require.NoError(t, err)
			got, err := s.ProtectRTP(nil, pkt)
			require.NoError(t, err)
			if v.want != "" {
				assert.Equal(t, "800f1234decafbadcafebabe"+v.want, hex.EncodeToString(got))
			}
			assert.Len(t, got, len(pkt)+v.suite.Overhead())
			r, err := srtp.NewReceiver(c, srtp.ReceiverConfig{})
			require.NoError(t, err)
			back, err := r.UnprotectRTP(nil, got)
			require.NoError(t, err)
			assert.Equal(t, pkt, back)
		})
	}
}

// RFC 7714 sections 8.1 and 9.1 with session keys derived here from AES alone: the nonce, the associated data and the place of the tag and index.
func TestRFC7714Construction(t *testing.T) {
	for _, suite := range []srtp.Suite{srtp.AEADAES128GCM, srtp.AEADAES256GCM} {
		key := make([]byte, suite.KeyLen())
		for i := range key {
			key[i] = byte(7 * i)
		}
		c := cryptoOf(t, suite, key)
		s, err := srtp.NewSender(c, srtp.SenderConfig{SSRC: 0xdeadbeef})
		require.NoError(t, err)
		n := suite.KeyLen() - 12
		derive := func(label byte, size int) []byte {
			// RFC 3711 section 4.3.3 with the 96-bit salt padded on the right to 112 bits (RFC 7714 section 11).
			x := make([]byte, 16)
			copy(x, key[n:])
			x[7] ^= label
			b, _ := aes.NewCipher(key[:n])
			out := make([]byte, size)
			cipher.NewCTR(b, x).XORKeyStream(out, out)
			return out
		}
		seal := func(keyLabel, saltLabel byte, iv, plain, aad []byte) []byte {
			b, _ := aes.NewCipher(derive(keyLabel, n))
			g, _ := cipher.NewGCM(b)
			for i, x := range derive(saltLabel, 12) {
				iv[i] ^= x
			}
			return g.Seal(nil, iv, plain, aad)
		}
		rtp := unhex(t, "80001234 00000001 deadbeef 0102030405060708")
		got, err := s.ProtectRTP(nil, rtp)
		require.NoError(t, err)
		iv := unhex(t, "0000 deadbeef 00000000 1234")
		assert.Equal(t, append(rtp[:12:12], seal(0, 2, iv, rtp[12:], rtp[:12])...), got, "RTP %s", suite)

		rtcp := unhex(t, "80c90001 deadbeef")
		gotC, err := s.ProtectRTCP(nil, rtcp)
		require.NoError(t, err)
		index := binary.BigEndian.AppendUint32(nil, 1<<31|1)
		ivC := unhex(t, "0000 deadbeef 0000 00000001")
		want := append(rtcp[:8:8], seal(3, 5, ivC, nil, append(rtcp[:8:8], index...))...)
		assert.Equal(t, append(want, index...), gotC, "RTCP %s", suite)
		assert.Len(t, gotC, len(rtcp)+suite.OverheadRTCP())
	}
}
