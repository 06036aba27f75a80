// Package kms holds the key hierarchy of one tenant: a root key in a file, key encryption keys (KEKs) in the tenant's store, and what those wrap.
//
//	root (a file, 0600, never in a store)
//	  └─ KEK 1, KEK 2, ...   one current, older ones kept to unwrap; wrapped by the root
//	       ├─ data keys      of recordings and other containers, through WrapKey; kept by whoever asked
//	       ├─ sealed fields  such as SIP credentials, through Seal; kept by whoever asked
//	       └─ signing key    Ed25519, for manifests and receipts
//
// # Security
//
// Everything in the store is ciphertext under the root: a stolen copy of the store, backups included, is useless without the root file, and
// opening it with another root is [ErrUnwrap] and never a byte of plaintext. Each wrapping is AES-256-GCM under a key derived for that one
// wrapping (HKDF-SHA256 over a 32-byte random salt), so the number of wrappings under one KEK has no practical limit; the associated data binds
// tenant, purpose, KEK version and the caller's own context, so nothing unwraps in another place than it was wrapped for.
//
// KEKs are not cached: each call reads the store, so a KEK that another process destroyed is gone here too from the next call on.
// [Custodian.Destroy] deletes every KEK: all data of the tenant is shredded in every copy that does not also hold the deleted rows. A copy of the
// store made before, together with the root, still opens; destroy such copies or the root as well.
//
// # Goroutines
//
// None. All types are safe for concurrent use, also by several processes on one store.
//
// # Importing alone
//
// Standard library only. The store is a port, see package sqlstore beside it.
package kms
