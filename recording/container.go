package recording

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The container, as FORMAT.md has it: a header, then segments of head ‖ AES-256-GCM ciphertext.
const (
	magic        = "RFRC"
	version1     = 1
	suite1       = 1 // HKDF-SHA256, AES-256-GCM
	headerBytes  = 40
	saltBytes    = 32
	keyBytes     = 32
	prefixBytes  = 7
	headBytes    = 4
	tagBytes     = 16
	finalBit     = 1 << 31
	maxPlaintext = MaxParties*partBytes + 64<<10 // parts and marks
	maxSegments  = 1<<32 - 1
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

// bindTo encodes label, id and purpose without ambiguity.
func bindTo(label, id, purpose string) []byte {
	b := append([]byte(label), 0)
	for _, s := range []string{id, purpose} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// box encrypts and decrypts the segments of one recording. Not safe for concurrent use.
type box struct {
	aead  cipher.AEAD
	nonce [12]byte // prefix (7) ‖ counter (4) ‖ final (1): the STREAM construction
	aad   []byte   // header ‖ context ‖ counter (4) ‖ head (4)
}

func newHeader() []byte {
	h := make([]byte, headerBytes)
	copy(h, magic)
	h[4], h[5] = version1, suite1
	_, _ = rand.Read(h[8:]) // never fails
	return h
}

var errHeader = errors.New("not a recording of a version and suite that this program reads")

// newBox derives the stream key. The header is input to it and associated data of each segment, so none of its bytes can change.
func newBox(k *dek, header []byte, id, purpose string) (*box, error) {
	if len(header) != headerBytes || string(header[:4]) != magic || header[4] != version1 || header[5] != suite1 || header[6] != 0 || header[7] != 0 {
		return nil, errHeader
	}
	ctx := bindTo("ringfence recording v1 stream", id, purpose)
	okm, err := hkdf.Key(sha256.New, k.key[:], header[8:], string(ctx), keyBytes+prefixBytes)
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	defer clear(okm)
	block, err := aes.NewCipher(okm[:keyBytes])
	if err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	b := &box{}
	if b.aead, err = cipher.NewGCM(block); err != nil {
		return nil, fmt.Errorf("recording: %w", err)
	}
	copy(b.nonce[:], okm[keyBytes:])
	b.aad = append(append(append([]byte(nil), header...), ctx...), make([]byte, 8)...)
	return b, nil
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
func sealMeta(k *dek, plaintext []byte, id, purpose string) ([]byte, error) {
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails
	aead, ctx, err := metaAEAD(k, salt, id, purpose)
	if err != nil {
		return nil, err
	}
	return aead.Seal(salt, make([]byte, 12), plaintext, ctx), nil // fixed nonce: the key is used once
}

func openMeta(k *dek, sealed []byte, id, purpose string) ([]byte, error) {
	if len(sealed) < saltBytes+tagBytes {
		return nil, ErrKey
	}
	aead, ctx, err := metaAEAD(k, sealed[:saltBytes], id, purpose)
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, 12), sealed[saltBytes:], ctx)
	if err != nil {
		return nil, ErrKey
	}
	return plain, nil
}

func metaAEAD(k *dek, salt []byte, id, purpose string) (cipher.AEAD, []byte, error) {
	ctx := bindTo("ringfence recording v1 meta", id, purpose)
	key, err := hkdf.Key(sha256.New, k.key[:], salt, string(ctx), keyBytes)
	if err != nil {
		return nil, nil, fmt.Errorf("recording: %w", err)
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("recording: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return aead, ctx, err
}
