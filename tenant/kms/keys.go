package kms

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Purposes keep a value sealed for one thing from opening as another.
const (
	purposeKEK     = "kek"
	purposeSigning = "signing"
	purposeWrap    = "wrap"
	purposeSeal    = "seal"
)

// Config describes the keys of one tenant. It is copied by Open.
type Config struct {
	// Root is the key above. It stays the caller's to close. Required.
	Root *Root
	// Store holds this tenant's key records and no others. Required.
	Store Store
	// Tenant is the tenant's name; it is bound into everything wrapped, so a store renamed or swapped does not open. Required.
	Tenant string
	// Now is the clock for the creation times of keys. If zero, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func (c Config) validate() error {
	if c.Root == nil || c.Store == nil || c.Tenant == "" {
		return fmt.Errorf("%w: Root, Store and Tenant are required", ErrConfig)
	}
	return nil
}

// Keys wraps, seals and signs for one tenant. Safe for concurrent use.
type Keys struct{ cfg Config }

// Open returns the tenant's keys, making the first KEK and the signing key when the store is new. It fails with ErrUnwrap when the store was
// made under another root, and with ErrDestroyed when the tenant was shredded.
func Open(ctx context.Context, cfg Config) (*Keys, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	k := &Keys{cfg: cfg}
	set, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	if len(set.keks) == 0 {
		if err := k.found(ctx); err != nil && !errors.Is(err, ErrExists) { // ErrExists: another process was first, its keys are as good
			return nil, err
		}
		if set, err = k.load(ctx); err != nil {
			return nil, err
		}
	}
	kek, err := k.kek(set, set.current)
	clear(kek)
	if err != nil {
		return nil, err // a wrong root is found out now, not at the first call
	}
	return k, nil
}

// WrapKey encrypts a data key under the current KEK, bound to aad. The result is opaque and not secret.
func (k *Keys) WrapKey(ctx context.Context, dek, aad []byte) ([]byte, error) {
	return k.sealCurrent(ctx, purposeWrap, dek, aad)
}

// UnwrapKey returns the data key that WrapKey wrapped with the same aad: ErrUnwrap for anything else, ErrDestroyed when its KEK is gone.
// The caller zeroes the result after use.
func (k *Keys) UnwrapKey(ctx context.Context, wrapped, aad []byte) ([]byte, error) {
	return k.unsealAny(ctx, purposeWrap, wrapped, aad)
}

// Seal encrypts a field of a record under the current KEK, bound to aad.
func (k *Keys) Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error) {
	return k.sealCurrent(ctx, purposeSeal, plaintext, aad)
}

// Unseal returns what Seal sealed with the same aad, with the errors of UnwrapKey.
func (k *Keys) Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error) {
	return k.unsealAny(ctx, purposeSeal, sealed, aad)
}

// Sign signs msg with the tenant's Ed25519 key. ErrDestroyed after the tenant was shredded.
func (k *Keys) Sign(ctx context.Context, msg []byte) ([]byte, error) {
	set, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	key, err := k.signingKey(set)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return ed25519.Sign(key, msg), nil
}

// PublicKey returns the key that checks what Sign signed. It works after the tenant was shredded, so that receipts outlive the data.
func (k *Keys) PublicKey(ctx context.Context) (ed25519.PublicKey, error) {
	set, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	if len(set.signing.Public) != ed25519.PublicKeySize {
		return nil, ErrUnwrap
	}
	if len(set.signing.Wrapped) == 0 {
		return set.signing.Public, nil
	}
	key, err := k.signingKey(set) // checked against the private half while that lives: a row alone could have been swapped
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return append(ed25519.PublicKey(nil), key[ed25519.SeedSize:]...), nil
}

// keyset is the store's content at one moment.
type keyset struct {
	keks    map[uint32]Record
	current uint32 // highest version
	signing Record
}

func (k *Keys) load(ctx context.Context) (keyset, error) {
	records, err := k.cfg.Store.Records(ctx)
	if err != nil {
		return keyset{}, fmt.Errorf("kms: %w", err)
	}
	set := keyset{keks: make(map[uint32]Record, len(records))}
	for _, r := range records {
		switch r.Kind {
		case purposeKEK:
			set.keks[r.Version] = r
			set.current = max(set.current, r.Version)
		case purposeSigning:
			if r.Version >= set.signing.Version {
				set.signing = r
			}
		}
	}
	return set, nil
}

// found makes the first KEK and the signing key, both or neither.
func (k *Keys) found(ctx context.Context) error {
	kek, rec, err := k.newKEK(1)
	if err != nil {
		return err
	}
	defer clear(kek)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("kms: %w", err)
	}
	defer clear(private)
	wrapped, err := seal(kek, private.Seed(), k.place(purposeSigning, 1, nil))
	if err != nil {
		return err
	}
	signing := Record{ID: "signing-1", Kind: purposeSigning, Version: 1, Created: rec.Created, Wrapped: wrapped, Public: public}
	return k.cfg.Store.Save(ctx, []Record{rec, signing}, nil)
}

func (k *Keys) newKEK(version uint32) ([]byte, Record, error) {
	kek := make([]byte, keyBytes)
	_, _ = rand.Read(kek) // never fails
	root, err := k.cfg.Root.ExportSecret()
	if err != nil {
		return nil, Record{}, err
	}
	defer clear(root)
	// The version sealed under the root is 0 (the root has none); the KEK's own goes into the associated data.
	wrapped, err := seal(root, kek, k.place(purposeKEK, 0, binary.BigEndian.AppendUint32(nil, version)))
	if err != nil {
		return nil, Record{}, err
	}
	return kek, Record{ID: fmt.Sprintf("kek-%d", version), Kind: purposeKEK, Version: version, Created: k.cfg.Now().UTC(), Wrapped: wrapped}, nil
}

func (k *Keys) place(purpose string, version uint32, aad []byte) place {
	return place{tenant: k.cfg.Tenant, purpose: purpose, version: version, aad: aad}
}

// kek returns the plain KEK of a version; the caller clears it.
func (k *Keys) kek(set keyset, version uint32) ([]byte, error) {
	r, ok := set.keks[version]
	if !ok {
		return nil, fmt.Errorf("%w: %d", ErrUnknownVersion, version)
	}
	if len(r.Wrapped) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrDestroyed, r.ID)
	}
	root, err := k.cfg.Root.ExportSecret()
	if err != nil {
		return nil, err
	}
	defer clear(root)
	return unseal(root, r.Wrapped, k.place(purposeKEK, 0, binary.BigEndian.AppendUint32(nil, version)))
}

func (k *Keys) sealCurrent(ctx context.Context, purpose string, plaintext, aad []byte) ([]byte, error) {
	set, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	kek, err := k.kek(set, set.current)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	return seal(kek, plaintext, k.place(purpose, set.current, aad))
}

func (k *Keys) unsealAny(ctx context.Context, purpose string, sealed, aad []byte) ([]byte, error) {
	if len(sealed) < sealOverhead {
		return nil, ErrUnwrap
	}
	set, err := k.load(ctx)
	if err != nil {
		return nil, err
	}
	version := binary.BigEndian.Uint32(sealed[1:])
	kek, err := k.kek(set, version)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	return unseal(kek, sealed, k.place(purpose, version, aad))
}

// signingKey returns the private key; the caller clears it.
func (k *Keys) signingKey(set keyset) (ed25519.PrivateKey, error) {
	r := set.signing
	if len(r.Wrapped) < sealOverhead {
		return nil, fmt.Errorf("%w: signing key", ErrDestroyed)
	}
	version := binary.BigEndian.Uint32(r.Wrapped[1:])
	kek, err := k.kek(set, version)
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	seed, err := unseal(kek, r.Wrapped, k.place(purposeSigning, version, nil))
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return nil, ErrUnwrap
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
