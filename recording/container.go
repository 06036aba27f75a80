package recording

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The container, as FORMAT.md has it: a header, then segments of head ‖ AES-256-GCM ciphertext, the final one with a trailer.
const (
	magic        = "RFRC"
	version1     = 1 // read only
	version2     = 2
	saltBytes    = 32
	keyBytes     = 32
	commitBytes  = 32
	headerBytes1 = 8 + saltBytes
	headerBytes  = 8 + saltBytes + commitBytes
	prefixBytes  = 7
	headBytes    = 4
	tagBytes     = 16
	trailerBytes = 8
	finalBit     = 1 << 31

	maxPlaintext1 = 131_072 // of a segment of version 1
	maxPlaintext  = 262_144
	segmentBits   = 20
	maxSegments   = 1 << segmentBits
	maxSegments1  = 1<<32 - 1
)

// dek is the key of one recording. It cannot be printed and is zeroed after the ciphers were made of it.
type dek struct {
	_   [0]func()
	key [keyBytes]byte
}

func newDEK() *dek {
	k := new(dek)
	_, _ = rand.Read(k.key[:]) // never fails
	return k
}

func (k *dek) close() { clear(k.key[:]) }

// Format writes REDACTED whatever the verb.
func (*dek) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "REDACTED") }

// box encrypts and decrypts the segments of one recording. Not safe for concurrent use.
type box struct {
	version byte
	aead    cipher.AEAD
	nonce   [12]byte // prefix (7) ‖ counter (4) ‖ final (1): the STREAM construction
	aad     []byte   // header ‖ binding ‖ counter (4) ‖ head (4)
}

var (
	errHeader = errors.New("not a recording of a version and suite that this program reads")
	errCommit = errors.New("the header was made for another key or another place")
)

// headerSize returns how long the header is that begins like this, and its version.
func headerSize(b []byte) (n int, version byte, err error) {
	switch {
	case len(b) < 8 || string(b[:4]) != magic || b[5] != byte(SuiteAES256GCM) || b[6] != 0 || b[7] != 0:
		return 0, 0, errHeader
	case b[4] == version1:
		return headerBytes1, version1, nil
	case b[4] == version2:
		return headerBytes, version2, nil
	}
	return 0, 0, errHeader
}

// secret is what the keys of one blob follow from: less than the recording's key, because it opens this blob and no metadata.
type secret [keyBytes]byte

// Format writes REDACTED whatever the verb.
func (secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "REDACTED") }

// streamSecret derives the secret of a blob of version 2.
func streamSecret(k *dek, salt []byte, b binding) (s secret, err error) {
	raw, err := hkdf.Key(sha256.New, k.key[:], salt, string(b.bytes("stream")), keyBytes)
	if err != nil {
		return s, fmt.Errorf("recording: %w", err)
	}
	copy(s[:], raw)
	clear(raw)
	return s, nil
}

// expand derives key, nonce prefix and commitment.
func (s *secret) expand() ([]byte, error) {
	okm, err := hkdf.Expand(sha256.New, s[:], "ringfence recording v2 segments", keyBytes+prefixBytes+commitBytes)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	return okm, nil
}

// newHeader makes the header of a new recording and the box that writes it.
func newHeader(k *dek, b binding) ([]byte, *box, error) {
	h := make([]byte, headerBytes)
	copy(h, magic)
	h[4], h[5] = version2, byte(SuiteAES256GCM)
	_, _ = rand.Read(h[8 : 8+saltBytes]) // never fails
	s, err := streamSecret(k, h[8:8+saltBytes], b)
	if err != nil {
		return nil, nil, err
	}
	defer clear(s[:])
	okm, err := s.expand()
	if err != nil {
		return nil, nil, err
	}
	defer clear(okm)
	copy(h[8+saltBytes:], okm[keyBytes+prefixBytes:])
	box, err := boxOf(version2, okm, h, b)
	return h, box, err
}

// newBox derives the keys for a header. The header is input to them and associated data of each segment, so none of its bytes can change; its commitment
// says before a segment is read whether key and place are the right ones, and that no other key ever opens the blob to something else.
func newBox(k *dek, header []byte, b binding) (*box, secret, error) {
	n, version, err := headerSize(header)
	if err != nil || n != len(header) || version != b.version {
		return nil, secret{}, errHeader
	}
	if version == version1 {
		okm, err := hkdf.Key(sha256.New, k.key[:], header[8:], string(b.bytes("stream")), keyBytes+prefixBytes)
		if err != nil {
			return nil, secret{}, wrap(err)
		}
		defer clear(okm)
		box, err := boxOf(version1, okm, header, b)
		return box, secret{}, err
	}
	s, err := streamSecret(k, header[8:8+saltBytes], b)
	if err != nil {
		return nil, secret{}, err
	}
	box, err := s.box(header, b)
	if err != nil {
		clear(s[:])
	}
	return box, s, err
}

// box makes the box of a blob of version 2 whose secret is known.
func (s *secret) box(header []byte, b binding) (*box, error) {
	okm, err := s.expand()
	if err != nil {
		return nil, err
	}
	defer clear(okm)
	if subtle.ConstantTimeCompare(header[8+saltBytes:], okm[keyBytes+prefixBytes:]) != 1 {
		return nil, errCommit
	}
	return boxOf(version2, okm, header, b)
}

func boxOf(version byte, okm, header []byte, b binding) (*box, error) {
	block, err := aes.NewCipher(okm[:keyBytes])
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	out := &box{version: version}
	if out.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	copy(out.nonce[:], okm[keyBytes:keyBytes+prefixBytes])
	bound := b.bytes("stream")
	out.aad = make([]byte, 0, len(header)+len(bound)+8)
	out.aad = append(append(append(out.aad, header...), bound...), make([]byte, 8)...)
	return out, nil
}

func (b *box) maxPlaintext() int64 {
	if b.version == version1 {
		return maxPlaintext1
	}
	return maxPlaintext
}

// set prepares nonce and associated data for one position.
func (b *box) set(counter, head uint32) {
	binary.BigEndian.PutUint32(b.nonce[prefixBytes:], counter)
	b.nonce[11] = byte(head >> 31)
	at := b.aad[len(b.aad)-8:]
	binary.BigEndian.PutUint32(at, counter)
	binary.BigEndian.PutUint32(at[4:], head)
}

// seal makes a segment of one whose plaintext begins after headBytes of room, in place: the ciphertext takes the plaintext's memory. A position is sealed
// once: the caller never seals two plaintexts under one counter.
func (b *box) seal(segment []byte, counter uint32, final bool) []byte {
	head := uint32(len(segment) - headBytes + tagBytes)
	if final {
		head |= finalBit
	}
	b.set(counter, head)
	binary.BigEndian.PutUint32(segment, head)
	return b.aead.Seal(segment[:headBytes], b.nonce[:], segment[headBytes:], b.aad)
}

// open decrypts the segment at one position into dst, or returns an error and no plaintext.
func (b *box) open(dst, ciphertext []byte, counter, head uint32) ([]byte, error) {
	b.set(counter, head)
	return b.aead.Open(dst, b.nonce[:], ciphertext, b.aad)
}

// sealMeta encrypts metadata under the recording's key: salt ‖ ciphertext, each under a derived key of its own.
func sealMeta(k *dek, plaintext []byte, b binding) ([]byte, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	aead, aad, err := metaAEAD(k, salt, b)
	if err != nil {
		return nil, err
	}
	return aead.Seal(salt, make([]byte, 12), plaintext, aad), nil // fixed nonce: the key is used once
}

func openMeta(k *dek, sealed []byte, b binding) ([]byte, error) {
	if len(sealed) < saltBytes+tagBytes {
		return nil, ErrKey
	}
	aead, aad, err := metaAEAD(k, sealed[:saltBytes], b)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, 12), sealed[saltBytes:], aad)
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

func metaAEAD(k *dek, salt []byte, b binding) (cipher.AEAD, []byte, error) {
	bound := b.bytes("meta")
	key, err := hkdf.Key(sha256.New, k.key[:], salt, string(bound), keyBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("recording: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("recording: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return aead, bound, err
}
