package recording

import (
	"errors"
	"fmt"
)

var (
	// ErrConfig is returned by New and For when a required part is missing.
	ErrConfig = errors.New("recording: incomplete configuration")
	// ErrClosed is returned by calls on a closed Vault, Track or Playback.
	ErrClosed = errors.New("recording: closed")
	// ErrNotFound is returned for a recording that does not exist, and by stores for what they do not hold.
	ErrNotFound = errors.New("recording: not found")
	// ErrExists is returned by Create for an ID that is taken, and by stores.
	ErrExists = errors.New("recording: exists")
	// ErrDestroyed is returned for a recording that was destroyed.
	ErrDestroyed = errors.New("recording: destroyed")
	// ErrOpen is returned by Destroy for a recording that is still being made.
	ErrOpen = errors.New("recording: still open")
	// ErrInvalid is returned by Create for a Meta outside its limits.
	ErrInvalid = errors.New("recording: invalid")
	// ErrKey is returned when the recording's key does not unwrap: another key hierarchy, or a row from another place.
	ErrKey = errors.New("recording: key does not open")
	// ErrTampered is wrapped by CorruptError: what is stored is not what was written.
	ErrTampered = errors.New("recording: altered")
	// ErrTruncated is wrapped by CorruptError when segments are missing at the end of a recording that once had them.
	ErrTruncated = errors.New("recording: truncated")
	// ErrSlow is what Config.Losing is told when frames were dropped because more waits for the disk than Config.MaxQueued.
	ErrSlow = errors.New("recording: disk is too slow")
	// ErrIncomplete is returned by Track.Close when the recording could be closed but a part of it could not be written.
	ErrIncomplete = errors.New("recording: incomplete")
	// ErrRecipient is returned for a key that is none, or not of the kind that belongs there.
	ErrRecipient = errors.New("recording: recipient's key")
	// ErrSunset is returned for a suite that writes nothing new any more.
	ErrSunset = errors.New("recording: suite past its sunset")
	// ErrConflict is returned by CatalogRewrapper for a row that changed in between.
	ErrConflict = errors.New("recording: changed meanwhile")
	// ErrReason is returned by verbs that let audio out when nobody said why: Access.Because.
	ErrReason = errors.New("recording: a reason is required")
	// ErrBulk is returned when an actor has read more in a while than Config.Bulk allows.
	ErrBulk = errors.New("recording: too many recordings read")
	// ErrCodec is returned for audio whose codec this program has no decoder for. Its text names the codec.
	ErrCodec = errors.New("recording: no decoder")
	// ErrUnsigned is returned by Access.Prove for a recording without a manifest, or of container version 1, which has no tree.
	ErrUnsigned = errors.New("recording: not signed")
	// ErrTooLong is returned by Export for a recording that does not fit a WAV file (4 GiB, 37 hours).
	ErrTooLong = errors.New("recording: too long for this format")
)

// CorruptError names the first bad segment of a recording.
type CorruptError struct {
	ID      string
	Segment int64  // from 0; -1 is the header
	Offset  int64  // bytes from the start of the blob
	Reason  string // for an operator; not for a stranger
	Err     error  // ErrTampered or ErrTruncated
}

// Error describes where and why.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%v: %s: segment %d at byte %d: %s", e.Err, e.ID, e.Segment, e.Offset, e.Reason)
}

// Unwrap returns ErrTampered or ErrTruncated.
func (e *CorruptError) Unwrap() error { return e.Err }
