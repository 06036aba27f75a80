package kms

import (
	"context"
	"log/slog"
	"time"
)

// Store keeps the key records of one tenant. It is handed in already scoped: it holds no other tenant's records.
// It must be safe for concurrent use, by several processes too.
type Store interface {
	// Records returns all records, in any order.
	Records(ctx context.Context) ([]Record, error)
	// Save inserts and replaces records, all or none. An insert whose ID is taken is ErrExists and nothing happens.
	Save(ctx context.Context, insert, replace []Record) error
	// Shred deletes Wrapped of the records from the store's files, not only from its answers, and sets Destroyed to at.
	Shred(ctx context.Context, at time.Time, ids ...string) error
}

// Record is one stored key. Nothing in it is secret without the root.
type Record struct {
	ID        string    // "kek-1", "signing-1": unique in the store
	Kind      string    // "kek" or "signing"
	Version   uint32    // from 1
	Created   time.Time // UTC
	Destroyed time.Time // zero while the key lives
	Wrapped   []byte    // the key, wrapped; nil when destroyed
	Public    []byte    // Ed25519 public key of a signing key; kept when destroyed, so that old signatures can still be checked
}

// Authorizer decides whether the actor it stands for may do action to object. nil allows. It must return when ctx ends.
type Authorizer interface {
	Allow(ctx context.Context, action, object string) error
}

// Auditor records that action happens to object. If it fails, the action does not happen.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}
