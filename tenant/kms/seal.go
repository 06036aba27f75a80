package kms

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// A sealed value is suite (1) ‖ KEK version (4, big endian, 0 = the root) ‖ salt (32) ‖ ciphertext and tag.
const sealOverhead = 1 + 4 + saltBytes + 16

// place is where a sealed value belongs. All of it is associated data.
type place struct {
	tenant  string
	purpose string
	version uint32
	aad     []byte
}

// bytes encodes p without ambiguity: every variable part carries its length.
func (p place) bytes() []byte {
	b := []byte("ringfence kms v1\x00")
	for _, s := range []string{p.tenant, p.purpose} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = binary.BigEndian.AppendUint32(b, p.version)
	return append(b, p.aad...)
}

func seal(key, plaintext []byte, p place) ([]byte, error) {
	if len(plaintext) > MaxSealed {
		return nil, fmt.Errorf("kms: %d bytes are too many to seal, at most %d", len(plaintext), MaxSealed)
	}
	out := make([]byte, 1+4+saltBytes, sealOverhead+len(plaintext))
	out[0] = suite1
	binary.BigEndian.PutUint32(out[1:], p.version)
	_, _ = rand.Read(out[5:]) // never fails
	aead, err := derive(key, out[5:])
	if err != nil {
		return nil, err
	}
	// The nonce may be fixed: the key is derived from a fresh 256-bit salt and used once.
	return aead.Seal(out, make([]byte, aead.NonceSize()), plaintext, p.bytes()), nil
}

// unseal returns nil and ErrUnwrap for whatever does not open; it does not tell why, so that it is no oracle.
func unseal(key, sealed []byte, p place) ([]byte, error) {
	if len(sealed) < sealOverhead || sealed[0] != suite1 || binary.BigEndian.Uint32(sealed[1:]) != p.version {
		return nil, ErrUnwrap
	}
	aead, err := derive(key, sealed[5:5+saltBytes])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[5+saltBytes:], p.bytes())
	if err != nil {
		return nil, ErrUnwrap
	}
	return plain, nil
}

func derive(key, salt []byte) (cipher.AEAD, error) {
	k, err := hkdf.Key(sha256.New, key, salt, "ringfence kms v1 seal", keyBytes)
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	defer clear(k)
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("kms: %w", err)
	}
	return cipher.NewGCM(block)
}
