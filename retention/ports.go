package retention

import (
	"context"
	"crypto/ed25519"
	"iter"
	"log/slog"
	"time"
)

// Catalog finds items of one class.
type Catalog interface {
	// Due yields the items that were created before t and still exist, in any order. It may yield more; the Sweeper judges each. It must not hold a
	// transaction open while it yields, because the caller erases meanwhile.
	Due(ctx context.Context, before time.Time) iter.Seq2[Item, error]
}

// Eraser erases items of one class.
type Eraser interface {
	// Erase destroys an item and returns the names of the keys destroyed with it. Erasing what is gone already is no error, and returns the same
	// names where they are still known. It may be called concurrently.
	Erase(ctx context.Context, id, reason string) (keyIDs []string, err error)
}

// Signer signs receipts. Safe for concurrent use.
type Signer interface {
	Sign(ctx context.Context, msg []byte) ([]byte, error)
	PublicKey(ctx context.Context) (ed25519.PublicKey, error)
}

// Authorizer decides whether the actor it stands for may do action to object. nil allows. It must return when ctx ends.
type Authorizer interface {
	Allow(ctx context.Context, action, object string) error
}

// Auditor records that the actor it stands for does action to object. If it fails, the action does not happen.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}

// Store keeps holds, begun erasures and receipts. Safe for concurrent use, by several processes too. It is one thing because a hold and an erasure of
// the same item must exclude each other. Its parts are small so that each can be faked alone.
type Store interface {
	HoldStore
	Journal
	ReceiptStore
}

// HoldStore keeps holds.
type HoldStore interface {
	// PlaceHold stores a hold: ErrExists if its ID is taken, ErrErasing if one of its items is in the journal.
	PlaceHold(ctx context.Context, h Hold) error
	// ReleaseHold sets Released of a hold and returns it: ErrNotFound, ErrReleased.
	ReleaseHold(ctx context.Context, id string, at time.Time) (Hold, error)
	// ListHolds yields all holds, released ones too, oldest first.
	ListHolds(ctx context.Context) iter.Seq2[Hold, error]
}

// Journal keeps erasures from before they begin until they are in a receipt.
type Journal interface {
	// Begin stores an erasure that is about to begin: ErrHeld if a hold that is not released names the item. Beginning again is no error and
	// changes nothing.
	Begin(ctx context.Context, d Deletion) error
	// Done stores Erased and KeyIDs of an erasure that ended. One that is no longer in the journal is no error: another process finished it.
	Done(ctx context.Context, d Deletion) error
	// Pending returns all erasures in the journal, in the order they began.
	Pending(ctx context.Context) ([]Deletion, error)
}

// ReceiptStore keeps receipts.
type ReceiptStore interface {
	// LastReceipt returns the newest receipt and its number, from 1: zero and nil if there is none.
	LastReceipt(ctx context.Context) (seq uint64, receipt []byte, err error)
	// SaveReceipt stores a receipt and takes the erasures it lists out of the journal, both or neither. ErrConflict if seq is not one more than the last
	// number, or one of the erasures is not in the journal.
	SaveReceipt(ctx context.Context, seq uint64, receipt []byte, listed []Ref) error
	// ListReceipts yields all receipts in order.
	ListReceipts(ctx context.Context) iter.Seq2[[]byte, error]
}

// Ref names an item.
type Ref struct {
	Class string `json:"class"`
	ID    string `json:"id"`
}

// String returns class/id.
func (r Ref) String() string { return r.Class + "/" + r.ID }

// Item is something that is kept for a time.
type Item struct {
	Class   string    // If empty, the class whose Catalog yielded it
	ID      string    // unique in its class
	Created time.Time // the period counts from here
}

// Ref returns the item's name.
func (i Item) Ref() Ref { return Ref{Class: i.Class, ID: i.ID} }
