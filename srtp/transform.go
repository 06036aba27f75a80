package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1" // the MAC of the counter-mode suites
	"crypto/subtle"
	"encoding/binary"
	"hash"
)

// The labels of RFC 3711 section 4.3.2, with which one master key derives to the keys of RTP; those of RTCP are three higher.
const (
	labelEncryption = 0
	labelAuth       = 1
	labelSalt       = 2
	labelRTCP       = 3
)

// The header of an RTCP packet that stays readable, and the word of encryption bit and index (RFC 3711 section 3.4).
const (
	headRTCP  = 8
	indexRTCP = 4
	bitE      = 1 << 31
)

// crypter protects or opens packets of one kind, RTP or RTCP, under the session keys of one master key. It is the standard library's AES and
// HMAC with the packet formats of RFC 3711 and RFC 7714 around it, so that the tag of a stranger's packet is checked before anything
// is allocated or remembered. The tests hold it against the vectors of the RFCs and against two other implementations.
type crypter struct {
	aead   cipher.AEAD  // nil for counter mode
	block  cipher.Block // counter mode
	mac    hash.Hash    // counter mode
	saltAt [4]byte      // session salt before the packet's own numbers
	saltHi uint64       // mixed with SSRC and upper index
	saltLo uint16       // mixed with the sequence number
	tag    int
}

// scratch is the working memory of one Sender or Receiver. It is not on the stack because calls through an interface would move it
// to the heap for every packet.
type scratch struct {
	iv     [aes.BlockSize]byte
	sum    [sha1.Size]byte
	aad    [headRTCP + indexRTCP]byte
	stream [10 * aes.BlockSize]byte // 20 ms of G.711
}

// newCrypter derives the session keys of RFC 3711 section 4.3 with a key derivation rate of zero. label is 0 for RTP, labelRTCP for RTCP.
func newCrypter(in suiteInfo, keySalt []byte, label byte, tag int) (crypter, error) {
	c := crypter{tag: tag}
	master, err := aes.NewCipher(keySalt[:in.key])
	if err != nil {
		return c, err
	}
	var session [32]byte
	defer clear(session[:])
	derive(master, keySalt[in.key:], label+labelEncryption, session[:in.key])
	block, err := aes.NewCipher(session[:in.key])
	if err != nil {
		return c, err
	}
	var salt [14]byte
	derive(master, keySalt[in.key:], label+labelSalt, salt[:in.salt])
	// Both nonces put SSRC and 48-bit index side by side, after two bytes under GCM (RFC 7714 section 8.1) and after four in
	// counter mode (RFC 3711 section 4.1.1), and mix all with the salt.
	at := c.offset(in.gcm)
	copy(c.saltAt[:], salt[:at])
	c.saltHi = binary.BigEndian.Uint64(salt[at:])
	c.saltLo = binary.BigEndian.Uint16(salt[at+8:])
	if in.gcm {
		c.aead, err = cipher.NewGCM(block)
		return c, err
	}
	var auth [sha1.Size]byte
	defer clear(auth[:])
	derive(master, keySalt[in.key:], label+labelAuth, auth[:])
	c.block, c.mac = block, hmac.New(sha1.New, auth[:])
	c.mac.Reset() // the first Reset keeps the keyed state and allocates for it
	return c, nil
}

func (*crypter) offset(gcm bool) int {
	if gcm {
		return 2
	}
	return 4
}

// derive is the key derivation of RFC 3711 section 4.3.3 and RFC 6188 section 3: AES in counter mode over the salt, the label mixed in at its
// place. A 96-bit salt counts as padded with zeros on the right to 112 bits (RFC 7714 section 11).
func derive(master cipher.Block, salt []byte, label byte, out []byte) {
	var x [aes.BlockSize]byte
	copy(x[:], salt)
	x[7] ^= label
	clear(out)
	cipher.NewCTR(master, x[:]).XORKeyStream(out, out)
}

// wipe overwrites what of the session keys is in reach and drops the rest.
func (c *crypter) wipe() { *c = crypter{} }

// setIV makes the nonce of a packet.
func (c *crypter) setIV(s *scratch, ssrc uint32, index uint64) {
	at := c.offset(c.aead != nil)
	copy(s.iv[:at], c.saltAt[:at])
	binary.BigEndian.PutUint64(s.iv[at:], c.saltHi^(uint64(ssrc)<<32|uint64(uint32(index>>16))))
	binary.BigEndian.PutUint16(s.iv[at+8:], c.saltLo^uint16(index))
}

// mix encrypts or decrypts in counter mode. The lowest two bytes of the counter begin at zero; a packet has far fewer than 2^16 blocks.
func (c *crypter) mix(s *scratch, dst, src []byte) {
	s.iv[14], s.iv[15] = 0, 0
	n := uint16(0)
	for len(src) > 0 {
		have := 0
		for have < len(s.stream) && have < len(src) {
			binary.BigEndian.PutUint16(s.iv[14:], n)
			c.block.Encrypt(s.stream[have:have+aes.BlockSize], s.iv[:])
			have += aes.BlockSize
			n++
		}
		done := subtle.XORBytes(dst, src, s.stream[:have])
		dst, src = dst[done:], src[done:]
	}
}

// macOf computes the tag over msg and, for RTP, the rollover counter (RFC 3711 section 4.2).
func (c *crypter) macOf(s *scratch, msg []byte, roc uint32, withROC bool) []byte {
	c.mac.Reset()
	c.mac.Write(msg)
	if withROC {
		binary.BigEndian.PutUint32(s.aad[:], roc)
		c.mac.Write(s.aad[:4])
	}
	return c.mac.Sum(s.sum[:0])[:c.tag]
}

// sized returns n bytes of dst's memory, or new memory.
func sized(dst []byte, n int) []byte {
	if cap(dst) < n {
		return make([]byte, n)
	}
	return dst[:n]
}

// sealRTP protects pkt, whose header is head bytes long.
func (c *crypter) sealRTP(s *scratch, dst, pkt []byte, head int, ssrc uint32, index uint64, mki []byte) []byte {
	n := len(pkt)
	dst = sized(dst, n+c.tag+len(mki))
	copy(dst, pkt[:head])
	c.setIV(s, ssrc, index)
	if c.aead != nil {
		c.aead.Seal(dst[head:head], s.iv[:12], pkt[head:], dst[:head])
		copy(dst[n+c.tag:], mki)
		return dst
	}
	c.mix(s, dst[head:n], pkt[head:])
	tag := c.macOf(s, dst[:n], uint32(index>>16), true)
	copy(dst[n:], mki)
	copy(dst[n+len(mki):], tag)
	return dst
}

// openRTP verifies and decrypts pkt. It reports false and writes no plaintext if the tag is wrong; under GCM, dst is overwritten with zeros then.
func (c *crypter) openRTP(s *scratch, dst, pkt []byte, head int, ssrc uint32, index uint64, mki int) ([]byte, bool) {
	n := len(pkt) - c.tag - mki
	if c.aead != nil {
		dst = sized(dst, n)
		c.setIV(s, ssrc, index)
		if _, err := c.aead.Open(dst[head:head], s.iv[:12], pkt[head:n+c.tag], pkt[:head]); err != nil {
			return nil, false
		}
		copy(dst, pkt[:head])
		return dst, true
	}
	if subtle.ConstantTimeCompare(c.macOf(s, pkt[:n], uint32(index>>16), true), pkt[n+mki:]) != 1 {
		return nil, false
	}
	dst = sized(dst, n)
	copy(dst, pkt[:head])
	c.setIV(s, ssrc, index)
	c.mix(s, dst[head:], pkt[head:n])
	return dst, true
}

// sealRTCP protects pkt under a 31-bit index. GCM puts its tag before the index, counter mode after the MKI (RFC 7714 section 9.4).
func (c *crypter) sealRTCP(s *scratch, dst, pkt []byte, ssrc, index uint32, mki []byte) []byte {
	n := len(pkt)
	dst = sized(dst, n+c.tag+indexRTCP+len(mki))
	copy(dst, pkt[:headRTCP])
	c.setIV(s, ssrc, uint64(index))
	if c.aead != nil {
		copy(s.aad[:], pkt[:headRTCP])
		binary.BigEndian.PutUint32(s.aad[headRTCP:], bitE|index)
		c.aead.Seal(dst[headRTCP:headRTCP], s.iv[:12], pkt[headRTCP:], s.aad[:])
		n += c.tag
		copy(dst[n:], s.aad[headRTCP:])
		copy(dst[n+indexRTCP:], mki)
		return dst
	}
	c.mix(s, dst[headRTCP:n], pkt[headRTCP:])
	binary.BigEndian.PutUint32(dst[n:], bitE|index)
	n += indexRTCP
	tag := c.macOf(s, dst[:n], 0, false)
	copy(dst[n:], mki)
	copy(dst[n+len(mki):], tag)
	return dst
}

// openRTCP verifies and decrypts pkt, whose word of encryption bit and index is at the given place; see openRTP.
func (c *crypter) openRTCP(s *scratch, dst, pkt []byte, at int, ssrc, index uint32) ([]byte, bool) {
	if c.aead != nil {
		dst = sized(dst, at-c.tag)
		c.setIV(s, ssrc, uint64(index))
		copy(s.aad[:], pkt[:headRTCP])
		copy(s.aad[headRTCP:], pkt[at:at+indexRTCP])
		if _, err := c.aead.Open(dst[headRTCP:headRTCP], s.iv[:12], pkt[headRTCP:at], s.aad[:]); err != nil {
			return nil, false
		}
		copy(dst, pkt[:headRTCP])
		return dst, true
	}
	if subtle.ConstantTimeCompare(c.macOf(s, pkt[:at+indexRTCP], 0, false), pkt[len(pkt)-c.tag:]) != 1 {
		return nil, false
	}
	dst = sized(dst, at)
	copy(dst, pkt[:headRTCP])
	c.setIV(s, ssrc, uint64(index))
	c.mix(s, dst[headRTCP:], pkt[headRTCP:at])
	return dst, true
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
