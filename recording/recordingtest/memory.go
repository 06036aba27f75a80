package recordingtest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/recording"
)

// Blobs is a recording.Blobs in memory. The zero Blobs is empty. Safe for concurrent use.
type Blobs struct {
	mu   sync.Mutex
	m    map[string][]byte
	fail error
}

// Create makes an empty blob.
func (b *Blobs) Create(_ context.Context, name string) (recording.BlobWriter, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.m[name]; ok {
		return nil, recording.ErrExists
	}
	if b.m == nil {
		b.m = map[string][]byte{}
	}
	b.m[name] = []byte{}
	return &blobWriter{b: b, name: name}, nil
}

// Open returns a copy of the blob as it is now.
func (b *Blobs) Open(_ context.Context, name string) (recording.BlobReader, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data, ok := b.m[name]
	if !ok {
		return nil, recording.ErrNotFound
	}
	return blobReader(slices.Clone(data)), nil
}

// Remove deletes a blob.
func (b *Blobs) Remove(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.m, name)
	return nil
}

// Bytes returns a copy of a blob, nil if there is none.
func (b *Blobs) Bytes(name string) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.m[name])
}

// Replace puts a blob as an attacker would who can write to the store.
func (b *Blobs) Replace(name string, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.m == nil {
		b.m = map[string][]byte{}
	}
	b.m[name] = slices.Clone(data)
}

// Fail makes every Write fail with err from now on, as a full disk does, until it is called with nil.
func (b *Blobs) Fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

type blobWriter struct {
	b    *Blobs
	name string
}

func (w *blobWriter) Write(p []byte) (int, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	if w.b.fail != nil {
		return 0, w.b.fail
	}
	w.b.m[w.name] = append(w.b.m[w.name], p...)
	return len(p), nil
}

func (*blobWriter) Sync() error  { return nil }
func (*blobWriter) Close() error { return nil }

type blobReader []byte

func (r blobReader) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r)) {
		return 0, io.EOF
	}
	n := copy(p, r[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r blobReader) Size() int64 { return int64(len(r)) }
func (blobReader) Close() error  { return nil }

// Catalog is a recording.Catalog in memory. The zero Catalog is empty. Safe for concurrent use.
type Catalog struct {
	mu sync.Mutex
	m  map[string]recording.Entry
}

// Get returns a row.
func (c *Catalog) Get(_ context.Context, id string) (recording.Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[id]
	if !ok {
		return recording.Entry{}, recording.ErrNotFound
	}
	return clone(e), nil
}

// List yields matching rows, oldest first.
func (c *Catalog) List(_ context.Context, f recording.Filter) iter.Seq2[recording.Entry, error] {
	return func(yield func(recording.Entry, error) bool) {
		c.mu.Lock()
		var out []recording.Entry
		for _, e := range c.m {
			if e.Created.Before(f.From) || (!f.Before.IsZero() && !e.Created.Before(f.Before)) {
				continue
			}
			if (f.State == 0 && e.State == recording.StateDestroyed) || (f.State != 0 && e.State != f.State) {
				continue
			}
			out = append(out, clone(e))
		}
		c.mu.Unlock()
		slices.SortFunc(out, func(a, b recording.Entry) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
		for _, e := range out {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Insert adds a row.
func (c *Catalog) Insert(_ context.Context, e recording.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.m[e.ID]; ok {
		return recording.ErrExists
	}
	if c.m == nil {
		c.m = map[string]recording.Entry{}
	}
	c.m[e.ID] = clone(e)
	return nil
}

// Finish closes an open row.
func (c *Catalog) Finish(_ context.Context, e recording.Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.m[e.ID]
	if !ok || old.State != recording.StateOpen {
		return recording.ErrNotFound
	}
	e = clone(e)
	old.State, old.Closed, old.Segments, old.Samples, old.Manifest, old.Signature = e.State, e.Closed, e.Segments, e.Samples, e.Manifest, e.Signature
	c.m[e.ID] = old
	return nil
}

// Rewrap exchanges the wrapped key of a row.
func (c *Catalog) Rewrap(_ context.Context, id string, old, wrapped []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[id]
	if !ok {
		return recording.ErrNotFound
	}
	if e.State == recording.StateDestroyed || !bytes.Equal(e.WrappedKey, old) {
		return recording.ErrConflict
	}
	e.WrappedKey = slices.Clone(wrapped)
	c.m[id] = e
	return nil
}

// Shred deletes key and metadata of a row.
func (c *Catalog) Shred(_ context.Context, id string, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.m[id]
	if !ok {
		return recording.ErrNotFound
	}
	clear(e.WrappedKey)
	clear(e.Meta)
	e.WrappedKey, e.Meta, e.State = nil, nil, recording.StateDestroyed
	if e.Destroyed.IsZero() {
		e.Destroyed = at
	}
	c.m[id] = e
	return nil
}

// Replace puts a row as an attacker would who can write to the store.
func (c *Catalog) Replace(e recording.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[string]recording.Entry{}
	}
	c.m[e.ID] = clone(e)
}

func clone(e recording.Entry) recording.Entry {
	e.WrappedKey, e.Meta, e.Manifest, e.Signature = slices.Clone(e.WrappedKey), slices.Clone(e.Meta), slices.Clone(e.Manifest), slices.Clone(e.Signature)
	return e
}

// Keys is a recording.KeyWrapper, whose key has versions, and a recording.Signer, all of which follow from a number. Safe for concurrent use.
type Keys struct {
	seed    byte
	private ed25519.PrivateKey

	mu      sync.Mutex
	current byte
	keks    map[byte]cipher.AEAD
}

// ErrNoKey is what UnwrapKey returns when the version that is needed was destroyed.
var ErrNoKey = errors.New("recordingtest: key version was destroyed")

// NewKeys returns the Keys of a number: the same number, the same keys.
func NewKeys(n byte) *Keys {
	k := &Keys{seed: n, private: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, 32)), keks: map[byte]cipher.AEAD{}}
	k.Rotate()
	return k
}

// Rotate makes a new version, the one in use from now on, and returns its number, from 1.
func (k *Keys) Rotate() byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current++
	seed := bytes.Repeat([]byte{k.seed}, 32)
	seed[0] ^= k.current - 1
	block, err := aes.NewCipher(seed)
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	if k.keks[k.current], err = cipher.NewGCMWithRandomNonce(block); err != nil {
		panic(err)
	}
	return k.current
}

// DestroyVersion destroys one version: what it wrapped is gone.
func (k *Keys) DestroyVersion(version byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keks, version)
}

// WrapKey wraps a key under the version in use.
func (k *Keys) WrapKey(_ context.Context, dek, aad []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append(k.keks[k.current].Seal(nil, nil, dek, aad), k.current), nil
}

// UnwrapKey unwraps a key. What a Keys without versions wrapped opens too.
func (k *Keys) UnwrapKey(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	version := byte(1)
	if n := len(wrapped) - 1; n == 12+32+16 {
		version, wrapped = wrapped[n], wrapped[:n]
	}
	kek := k.keks[version]
	if kek == nil {
		return nil, ErrNoKey
	}
	return kek.Open(nil, nil, wrapped, aad)
}

// Sign signs a message.
func (k *Keys) Sign(_ context.Context, msg []byte) ([]byte, error) {
	return ed25519.Sign(k.private, msg), nil
}

// PublicKey returns the key that checks signatures.
func (k *Keys) PublicKey(context.Context) (ed25519.PublicKey, error) {
	return k.private.Public().(ed25519.PublicKey), nil
}

// ErrDenied is what Deny answers.
var ErrDenied = errors.New("recordingtest: denied")

// Allow is an Authorizer that allows the actions it names, or all if it names none.
type Allow []string

// Allow returns nil for an action that is allowed, ErrDenied otherwise.
func (a Allow) Allow(_ context.Context, action, _ string) error {
	if len(a) == 0 || slices.Contains(a, action) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDenied, action)
}

// Deny is an Authorizer that allows nothing.
type Deny struct{}

// Allow returns ErrDenied.
func (Deny) Allow(_ context.Context, action, _ string) error {
	return fmt.Errorf("%w: %s", ErrDenied, action)
}

// Audit is an Auditor that remembers. The zero Audit is empty. Safe for concurrent use.
type Audit struct {
	mu      sync.Mutex
	entries []string
	fail    error
}

// Audit remembers "action object".
func (a *Audit) Audit(_ context.Context, action, object string, _ ...slog.Attr) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return a.fail
	}
	a.entries = append(a.entries, action+" "+object)
	return nil
}

// Entries returns what was recorded.
func (a *Audit) Entries() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.entries)
}

// Fail makes every Audit fail with err from now on, until it is called with nil.
func (a *Audit) Fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = err
}
