package voicemail

import (
	"context"
	"time"
)

// Store keeps boxes and what is in them, apart from sound. Safe for concurrent use, by several processes too.
type Store interface {
	BoxStore
	ItemStore
}

// BoxStore keeps boxes.
type BoxStore interface {
	// CreateBox adds a box: ErrExists if the number is taken.
	CreateBox(ctx context.Context, b Box) error
	// Box returns a box: ErrNoBox if there is none.
	Box(ctx context.Context, number string) (Box, error)
	// Boxes returns all boxes by number.
	Boxes(ctx context.Context) ([]Box, error)
	// SetHash changes the PIN's hash and forgets the failed tries: ErrNoBox.
	SetHash(ctx context.Context, number, hash string) error
	// DeleteBox removes a box and its tries: ErrNoBox, or ErrConflict while there are items in it.
	DeleteBox(ctx context.Context, number string) error
	// Tries returns the failed tries in a row, from the box's own phone or from elsewhere: ErrNoBox.
	Tries(ctx context.Context, number string, own bool) (Tries, error)
	// SetTries changes them if they still are old, in one step: ErrConflict if they are not, ErrNoBox.
	SetTries(ctx context.Context, number string, own bool, old, tries Tries) error
}

// ItemStore keeps messages and greetings.
type ItemStore interface {
	// Add adds an item: ErrNoBox, ErrExists if the ID was used, and ErrFull if with it the messages of the box, pending ones included and those being deleted
	// not, were more than quota allows. The check and the adding are one step.
	Add(ctx context.Context, it Item, quota Quota) error
	// Item returns an item: ErrNotFound if there is none.
	Item(ctx context.Context, id string) (Item, error)
	// Items returns what is in a box, oldest first; nothing for a box there is not.
	Items(ctx context.Context, box string) ([]Item, error)
	// Unsettled returns what is pending or being deleted, in all boxes, oldest first.
	Unsettled(ctx context.Context) ([]Item, error)
	// Update sets State, Length and Incomplete of an item if its state still is from: ErrConflict if it is not, ErrNotFound.
	Update(ctx context.Context, it Item, from State) error
	// Activate makes a pending greeting the active one of its Schedule, with the length given; the one it replaces is StateDeleting from then on and
	// returned. All of it is one step. ErrConflict if it is not pending, ErrNotFound.
	Activate(ctx context.Context, id string, length time.Duration) (replaced []Item, err error)
	// Remove removes an item. Removing what is not there is no error.
	Remove(ctx context.Context, id string) error
	// Counts returns the messages of a box that are new and saved; zeros for a box there is not.
	Counts(ctx context.Context, box string) (Counts, error)
}

// Quota bounds the messages of one box. Zeros do not bound.
type Quota struct {
	Messages int
	Length   time.Duration // of all together
}

// Phone is the caller's side. Methods return an error that wraps ErrHangup once the caller is gone, and ctx's error when ctx ends first. ReadDigit is called
// while Play, PlayPCM or Record is; otherwise one at a time.
type Phone interface {
	// Play plays a named prompt to its end; see Prompts.
	Play(ctx context.Context, prompt string) error
	// PlayPCM plays 16-bit mono samples at 8000 Hz to their end. It does not keep pcm.
	PlayPCM(ctx context.Context, pcm []int16) error
	// ReadDigit returns the next key, one of 0-9 * # A-D, in the order pressed. A key that waits already is returned even if ctx has ended.
	ReadDigit(ctx context.Context) (byte, error)
	// Record hands what the caller says to sink, frame by frame from one goroutine, until ctx ends. When it returns no frame follows.
	Record(ctx context.Context, sink Sink) error
	// Mask keeps keys, as events and as tones, from recordings, monitors and logs until unmask is called. If it fails, no PIN is asked for.
	Mask(ctx context.Context) (unmask func(), err error)
}

// Sink takes coded audio: at is counted from the beginning of the recording, codec is its name in SDP, payload is valid during the call only.
type Sink interface {
	WriteFrame(at time.Duration, codec string, payload []byte)
}

// Holds says what may not be destroyed, such as evidence in a dispute.
type Holds interface {
	// Held reports whether a recording must be kept. An error counts as yes.
	Held(ctx context.Context, kind Kind, id string) (bool, error)
}

// Waiting is told when the messages of a box have changed, for a lamp on its owner's phone. It must return soon.
type Waiting interface {
	Changed(ctx context.Context, box string, c Counts)
}

// Notifier tells a box's owner, somewhere else, that there is a message. It gets neither who called nor what was said. It must return when ctx ends.
type Notifier interface {
	Notify(ctx context.Context, n Notice) error
}

// Notice is what a Notifier is told.
type Notice struct {
	Box    string
	Length time.Duration
	New    int // messages that are new now, this one included
}

// Event is something that happened to a message. It names a box, never a person.
type Event struct {
	Kind      EventKind
	Box       string
	Recording string // empty for EventRefused
	Call      string // as Caller.Call
}

// EventKind says what happened.
type EventKind string

// What can happen.
const (
	EventLeft      EventKind = "left"      // a message was left or forwarded into a box
	EventRetrieved EventKind = "retrieved" // a message was played to the box's owner
	EventDeleted   EventKind = "deleted"   // its recording was destroyed
	EventRefused   EventKind = "refused"   // a log-in failed; Box is what was asked for, empty if that is no box
)
