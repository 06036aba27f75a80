package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// gcmSealer protects RTP packets under the GCM suites straight on the standard library: the common case of every call, where the general
// transform's bookkeeping costs a fifth of the time. Receiving and RTCP go through the general transform, so each checks the other.
type gcmSealer struct {
	aead cipher.AEAD
	salt [12]byte
	iv   [12]byte // here and not on the stack, where the AEAD interface would make it escape for every packet
	mki  []byte
}

// newGCMSealer derives the session key and salt of RFC 7714 section 11 with a key derivation rate of zero.
func newGCMSealer(key, salt, mki []byte) (*gcmSealer, error) {
	master, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	session := make([]byte, len(key))
	defer clear(session)
	g := &gcmSealer{mki: mki}
	deriveSession(master, salt, 0, session) // label 0: RTP encryption key
	deriveSession(master, salt, 2, g.salt[:])
	block, err := aes.NewCipher(session)
	if err != nil {
		return nil, err
	}
	g.aead, err = cipher.NewGCM(block)
	return g, err
}

// deriveSession is the key derivation of RFC 3711 section 4.3.3: AES in counter mode over the salt, the label mixed in at its place. A 96-bit salt counts
// as padded with zeros on the right to 112 bits.
func deriveSession(master cipher.Block, salt []byte, label byte, out []byte) {
	var x [aes.BlockSize]byte
	copy(x[:], salt)
	x[7] ^= label
	cipher.NewCTR(master, x[:]).XORKeyStream(out, out)
}

// seal appends nothing to state: index is the sender's and rises. The nonce is 00 00 | SSRC | ROC | SEQ, mixed with the salt (section 8.1).
func (g *gcmSealer) seal(dst, pkt []byte, index uint64) ([]byte, error) {
	head, ok := headerLen(pkt)
	if !ok {
		return nil, ErrPacket
	}
	size := len(pkt) + 16 + len(g.mki)
	if cap(dst) < size {
		dst = make([]byte, size)
	}
	dst = dst[:size]
	copy(dst, pkt[:head])
	clear(g.iv[:2])
	copy(g.iv[2:6], pkt[8:12])
	binary.BigEndian.PutUint32(g.iv[6:], uint32(index>>16))
	binary.BigEndian.PutUint16(g.iv[10:], uint16(index))
	for i, b := range g.salt {
		g.iv[i] ^= b
	}
	g.aead.Seal(dst[head:head], g.iv[:], pkt[head:], dst[:head])
	copy(dst[len(pkt)+16:], g.mki)
	return dst, nil
}

// headerLen is the length of the RTP header with its sources and extension (RFC 3550 section 5.1).
func headerLen(pkt []byte) (int, bool) {
	n := 12 + 4*int(pkt[0]&0x0f)
	if pkt[0]&0x10 != 0 {
		if len(pkt) < n+4 {
			return 0, false
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(pkt[n+2:]))
	}
	return n, n <= len(pkt)
}
