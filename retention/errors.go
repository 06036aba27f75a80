package retention

import "errors"

var (
	// ErrConfig is returned by New and For when a required part is missing or a class has no period.
	ErrConfig = errors.New("retention: incomplete configuration")
	// ErrPeriod is returned by Period.Validate: a period that is zero or has a negative part.
	ErrPeriod = errors.New("retention: invalid period")
	// ErrClass is returned for a data class that the Sweeper does not know.
	ErrClass = errors.New("retention: unknown class")
	// ErrNotFound is returned by Lookup and Release, and by stores, for what there is not.
	ErrNotFound = errors.New("retention: not found")
	// ErrExists is returned by a store for a hold whose ID is taken.
	ErrExists = errors.New("retention: exists")
	// ErrHold is returned by Place for a hold without ground, approver, future review date or items.
	ErrHold = errors.New("retention: invalid hold")
	// ErrReleased is returned by Release for a hold that was released before.
	ErrReleased = errors.New("retention: hold is released")
	// ErrHeld is returned by Journal.Begin for an item that a hold names.
	ErrHeld = errors.New("retention: held")
	// ErrErasing is returned by Place when the erasure of one of the items has already begun: the hold comes too late and is not placed.
	ErrErasing = errors.New("retention: erasure has begun")
	// ErrConflict is returned by ReceiptStore.SaveReceipt when another receipt came first; the Sweeper makes a new one.
	ErrConflict = errors.New("retention: another receipt came first")
	// ErrReceipt is returned by VerifyReceipt and VerifyChain for what is not a receipt signed by this key, whole and in its place.
	ErrReceipt = errors.New("retention: receipt does not verify")
	// ErrErase is wrapped in the error of Run when items could not be erased. The receipt lists them; the next Run tries again.
	ErrErase = errors.New("retention: could not erase")
)
