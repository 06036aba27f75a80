package recording

import (
	"context"
	"crypto/ed25519"
	"io"
	"iter"
	"log/slog"
	"time"
)

// KeyWrapper protects the keys of recordings under a key of its own. Safe for concurrent use.
type KeyWrapper interface {
	// WrapKey encrypts a key, bound to aad. The result is kept in the catalog.
	WrapKey(ctx context.Context, dek, aad []byte) ([]byte, error)
	// UnwrapKey returns the key that was wrapped with the same aad, and nothing but an error for anything else.
	UnwrapKey(ctx context.Context, wrapped, aad []byte) ([]byte, error)
}

// Authorizer decides whether the actor it stands for may do action to object. nil allows. It must return when ctx ends.
type Authorizer interface {
	Allow(ctx context.Context, action, object string) error
}

// Auditor records that the actor it stands for does action to object. If it fails, the action does not happen.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}

// Signer signs manifests. Safe for concurrent use.
type Signer interface {
	Sign(ctx context.Context, msg []byte) ([]byte, error)
	PublicKey(ctx context.Context) (ed25519.PublicKey, error)
}

// Blobs keeps the encrypted containers. Safe for concurrent use. Names are recording IDs: letters, digits, dot, hyphen and underscore.
type Blobs interface {
	// Create makes an empty blob: ErrExists if the name is taken.
	Create(ctx context.Context, name string) (BlobWriter, error)
	// Open returns what is written so far: ErrNotFound if there is none.
	Open(ctx context.Context, name string) (BlobReader, error)
	// Remove deletes a blob. Removing what is not there is no error.
	Remove(ctx context.Context, name string) error
}

// BlobWriter appends to one blob. It is used by one goroutine at a time.
type BlobWriter interface {
	// Write appends all of p, or nothing and returns an error: after a failure the same bytes are written again.
	// What it accepted is visible to Open at once and survives the end of this process.
	io.Writer
	// Sync returns when what was written survives a power cut.
	Sync() error
	io.Closer
}

// BlobReader reads one blob. ReadAt may be called concurrently.
type BlobReader interface {
	io.ReaderAt
	// Size returns the length in bytes when it was opened.
	Size() int64
	io.Closer
}

// ReasonedAuthorizer is an Authorizer that decides by the reason too. An Authorizer that has this method is asked by it instead of Allow.
type ReasonedAuthorizer interface {
	// AllowBecause is Allow for an actor who says why. reason is empty if nobody said.
	AllowBecause(ctx context.Context, action, object, reason string) error
}

// Named is an Authorizer that says for whom it stands, so that Config.Bulk counts for each actor. Actors without a name are counted together.
type Named interface {
	Name() string
}

// Alarmer is told of reads that were stopped. It must return when ctx ends; its error stops nothing and is recorded.
type Alarmer interface {
	Alarm(ctx context.Context, a Alarm) error
}

// Catalog keeps one row per recording. Safe for concurrent use, by several processes too. Its parts are small so that each can be faked alone.
type Catalog interface {
	CatalogReader
	CatalogWriter
	CatalogRewrapper
	CatalogShredder
}

// CatalogReader finds rows.
type CatalogReader interface {
	// Get returns ErrNotFound if there is no row.
	Get(ctx context.Context, id string) (Entry, error)
	// List yields the rows that match f by creation time, oldest first.
	List(ctx context.Context, f Filter) iter.Seq2[Entry, error]
}

// CatalogWriter adds rows and closes them.
type CatalogWriter interface {
	// Insert returns ErrExists if the ID is taken, by a destroyed recording too.
	Insert(ctx context.Context, e Entry) error
	// Finish sets State, Closed, Segments, Samples, Manifest and Signature of a row that is open; ErrNotFound if there is no open row.
	Finish(ctx context.Context, e Entry) error
}

// CatalogRewrapper exchanges wrapped keys.
type CatalogRewrapper interface {
	// Rewrap sets WrappedKey of a row to wrapped if it still is old, in one step and touching nothing else. ErrConflict if it is not, or if the row was
	// destroyed; ErrNotFound if there is no row.
	Rewrap(ctx context.Context, id string, old, wrapped []byte) error
}

// CatalogShredder destroys rows.
type CatalogShredder interface {
	// Shred deletes WrappedKey and Meta from the store's files, not only from its answers, and sets State to StateDestroyed and Destroyed to at.
	// The rest of the row stays as the proof that it existed. Shredding again does what may have been left undone. ErrNotFound if there is no row.
	Shred(ctx context.Context, id string, at time.Time) error
}

// Entry is a row of the catalog.
type Entry struct {
	ID         string
	Class      string    // data class, for retention
	State      State     // where it is in its life
	Created    time.Time // UTC
	Closed     time.Time // UTC; zero while open
	Destroyed  time.Time // UTC; zero while it lives
	KeyID      string    // names the key in receipts; random, says nothing about it
	WrappedKey []byte    // the envelope of FORMAT.md, or what a KeyWrapper returned for container version 1; nil when destroyed
	Meta       []byte    // encrypted under the recording's key; nil when destroyed
	Segments   int64     // finished segments; meaningless while open
	Samples    int64     // length in samples; meaningless while open
	Manifest   []byte    // what was signed at the end; nil without a Signer
	Signature  []byte
}

// Filter chooses rows. The zero Filter chooses all that are not destroyed.
type Filter struct {
	From   time.Time // created at or after. If zero, no bound
	Before time.Time // created before. If zero, no bound
	State  State     // If zero, all but destroyed
}

// State is where a recording is in its life.
type State int

// The states. The zero State is none.
const (
	StateInvalid    State = iota
	StateOpen             // being made, or left behind by a process that died and not yet recovered
	StateComplete         // closed; its final segment was written
	StateIncomplete       // its process died, or its end could not be written: readable up to the last finished segment
	StateDestroyed        // its key is gone
)

// String returns the state's name.
func (s State) String() string {
	switch s {
	case StateOpen:
		return "open"
	case StateComplete:
		return "complete"
	case StateIncomplete:
		return "incomplete"
	case StateDestroyed:
		return "destroyed"
	}
	return "invalid"
}
