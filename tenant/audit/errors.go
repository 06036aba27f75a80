package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrBroken is returned by Open and Audit when the end of the file holds no valid entry, or no longer the entry this process saw last: the file was
	// altered. Nothing is appended to a broken log. Verify tells where it broke.
	ErrBroken = errors.New("audit: log is broken")
	// ErrClosed is returned by Audit after Close.
	ErrClosed = errors.New("audit: log is closed")
	// ErrTooLarge is returned by Audit for an entry over MaxEntry bytes.
	ErrTooLarge = errors.New("audit: entry too large")
	// ErrInvalid is returned by Audit for an entry without actor, action or object, or with two attributes of one name.
	ErrInvalid = errors.New("audit: invalid entry")
	// ErrUnsupported is returned by Open where the operating system has no file locks we know.
	ErrUnsupported = errors.New("audit: file locks are not supported here")
	// ErrHead is wrapped by VerifyError when the chain is sound but does not contain the given Head: entries were cut off, or the whole file was rewritten.
	ErrHead = errors.New("audit: known head is not in the log")
)

// VerifyError names the first bad entry.
type VerifyError struct {
	Seq    uint64 // the number the bad entry should have; entries before it are sound
	Offset int64  // bytes from the start of the file to the bad entry
	Reason string // for an operator; not for a stranger
	Err    error  // ErrBroken or ErrHead
}

// Error describes where and why.
func (e *VerifyError) Error() string {
	return fmt.Sprintf("%v: entry %d at byte %d: %s", e.Err, e.Seq, e.Offset, e.Reason)
}

// Unwrap returns ErrBroken or ErrHead.
func (e *VerifyError) Unwrap() error { return e.Err }
