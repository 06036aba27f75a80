package kms

// Suite of every wrapping made today: HKDF-SHA256 and AES-256-GCM. The first byte of a wrapped key names it, so that another can follow.
const suite1 = 1

const (
	keyBytes  = 32 // AES-256
	saltBytes = 32
	// MaxSealed is the longest plaintext that WrapKey or Seal accept, in bytes. They are for keys and fields, not for files.
	MaxSealed = 64 * 1024
)
