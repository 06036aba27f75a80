package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/control"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// RFC 3711 appendix B.3 and RFC 6188 section 7.2: what a master key derives to, block by block.
func TestRFCKeyDerivation(t *testing.T) {
	control.Proves(t, "ENC-09")
	for _, v := range []struct{ name, key, salt, enc, sessionSalt, auth string }{
		{"RFC 3711 B.3", "E1F97A0D3E018BE0D64FA32C06DE4139", "0EC675AD498AFEEBB6960B3AABE6",
			"C61E7A93744F39EE10734AFE3FF7A087", "30CBBC08863D8C85D49DB34A9AE1", // the auth key to all of its 94 bytes
			`CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE E049646C43D9327AD175578EF7227098
			 6371C10C9A369AC2F94A8C5FBCDDDC25 6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2`},
		{"RFC 6188 7.2", "f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6", "3b04803de51ee7c96423ab5b78d2",
			"5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4", "fa31791685ca444a9e07c6c64e93",
			"fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"},
	} {
		t.Run(v.name, func(t *testing.T) {
			master, err := aes.NewCipher(unhex(t, v.key))
			require.NoError(t, err)
			for label, want := range map[byte]string{labelEncryption: v.enc, labelSalt: v.sessionSalt, labelAuth: v.auth} {
				b := unhex(t, want)
				got := make([]byte, len(b))
				derive(master, unhex(t, v.salt), label, got)
				assert.Equal(t, b, got, "label %d", label)
			}
		})
	}
}

// RFC 3711 appendix B.2 and RFC 6188 section 7.1: the key stream of SSRC 0 and index 0, at its start and where the block counter wraps a byte.
func TestRFCKeyStream(t *testing.T) {
	control.Proves(t, "ENC-09")
	for _, v := range []struct{ name, key, first, late string }{
		{"RFC 3711 B.2", "2B7E151628AED2A6ABF7158809CF4F3C",
			"E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0",
			"EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44"},
		{"RFC 6188 7.1", "57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98",
			"92bdd28a93c3f52511c677d08b5515a4 9da71b2378a854f67050756ded165bac 63c4868b7096d88421b563b8c94c9a31", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			block, err := aes.NewCipher(unhex(t, v.key))
			require.NoError(t, err)
			c := crypter{block: block, saltAt: [4]byte(unhex(t, "F0F1F2F3")), saltHi: 0xF4F5F6F7F8F9FAFB, saltLo: 0xFCFD}
			var s scratch
			stream := make([]byte, 0xff02*16)
			c.setIV(&s, 0, 0)
			c.mix(&s, stream, stream)
			want := unhex(t, v.first)
			assert.Equal(t, want, stream[:len(want)])
			late := unhex(t, v.late)
			assert.Equal(t, late, stream[0xfeff*16:][:len(late)])
		})
	}
}

// RFC 7714 sections 16 and 17: whole SRTP and SRTCP packets of both suites under given session keys.
func TestRFC7714Packets(t *testing.T) {
	control.Proves(t, "ENC-09")
	rtp := unhex(t, `8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465 73207472 6573`)
	rtcp := unhex(t, `81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef deadbeef deadbeef deadbeef deadbeef`)
	salt := unhex(t, "517569642070726f2071756f")
	for _, v := range []struct{ name, key, rtp, rtcp string }{
		{"128", "000102030405060708090a0b0c0d0e0f", `8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
			0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`,
			`81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1 730d6fda 4ce09b46 86303ded
			0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4`},
		{"256", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", `8040f17b 8041f8d3 5501a0b2 32b1de78
			a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`,
			`81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1 110555be 8415f658 c61de047
			6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4`},
	} {
		t.Run(v.name, func(t *testing.T) {
			block, err := aes.NewCipher(unhex(t, v.key))
			require.NoError(t, err)
			gcm, err := cipher.NewGCM(block)
			require.NoError(t, err)
			c := crypter{aead: gcm, tag: 16, saltHi: binary.BigEndian.Uint64(salt[2:]), saltLo: binary.BigEndian.Uint16(salt[10:])}
			copy(c.saltAt[:], salt[:2])
			var s scratch
			got := c.sealRTP(&s, nil, rtp, 12, 0x5501a0b2, 0xf17b, nil)
			assert.Equal(t, unhex(t, v.rtp), got)
			back, ok := c.openRTP(&s, nil, got, 12, 0x5501a0b2, 0xf17b, 0)
			assert.True(t, ok)
			assert.Equal(t, rtp, back)
			got = c.sealRTCP(&s, nil, rtcp, 0x4d617273, 0x5d4, nil)
			assert.Equal(t, unhex(t, v.rtcp), got)
			back, ok = c.openRTCP(&s, nil, got, len(got)-4, 0x4d617273, 0x5d4)
			assert.True(t, ok)
			assert.Equal(t, rtcp, back)
		})
	}
}

// The replay list against a plain set: nothing twice, nothing older than the window, everything else.
func TestWindow(t *testing.T) {
	for _, size := range []int{64, 100, 128} {
		w, seen, top := newWindow(size), map[uint64]bool{}, uint64(0)
		x := uint64(1)
		for i := range 20000 {
			x = x*6364136223846793005 + 1442695040888963407
			at := uint64(i)*uint64(i%7)/3 + x>>57
			want := !seen[at] && (len(seen) == 0 || at+uint64(size) > top)
			require.Equal(t, want, w.fresh(at), "size %d index %d top %d", size, at, top)
			if want {
				w.accept(at)
				seen[at], top = true, max(top, at)
			}
		}
	}
}

// RFC 3711 section 3.3.1: the rollover counter that a sequence number most likely belongs to.
func TestGuess(t *testing.T) {
	for _, v := range []struct {
		top  uint64
		seq  uint16
		want uint32
	}{
		{5, 6, 0}, {5, 65535, 0}, {5, 40000, 0}, {65535, 0, 1}, {65535, 65000, 0}, {40000, 100, 1}, {32768, 0, 0}, {32769, 0, 1},
		{3<<16 | 5, 65530, 2}, {3<<16 | 5, 32773, 3}, {3<<16 | 5, 32774, 2}, {3<<16 | 60000, 10, 4}, {1<<48 - 1, 3, 1<<32 - 1},
	} {
		w := window{top: v.top, any: true}
		assert.Equal(t, v.want, w.guess(v.seq), "%+v", v)
	}
}
