package provision

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

var (
	// ErrNotFound is returned by Store.Load for a device that is not there, and by Revoke.
	ErrNotFound = errors.New("provision: no such device")
	// ErrConflict is returned by Store.Save when another Save was first.
	ErrConflict = errors.New("provision: changed meanwhile")
)

// Store keeps enrolments. See provisiontest.Run for what it must promise. All methods may be called concurrently.
type Store interface {
	// Load returns the record of a device, or ErrNotFound.
	Load(ctx context.Context, id string) (Record, error)
	// Save writes r if the record that is there has r.Version, or if none is there and r.Version is 0; what is written has one more. Else it returns
	// ErrConflict and writes nothing. That a ticket is good once rests on this.
	Save(ctx context.Context, r Record) error
}

// Record is what is kept of a device. There is no secret in it, only hashes. A device that was revoked keeps its ID and its Version and nothing else, so that a fetch
// which began before cannot bring it back.
type Record struct {
	Device      Device
	Version     uint64
	Ticket      []byte    // SHA-256 of the enrolment secret; empty if revoked
	Expires     time.Time // of the ticket
	Used        time.Time // when the ticket was used; zero if it was not
	Certificate []byte    // SHA-256 of the client certificate that used it; empty if there was none
	Token       []byte    // SHA-256 of the token for refreshes; empty before the ticket was used
}

// Auditor writes down what is issued and handed out. If it fails, it does not happen.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}

// Actions told to the Auditor. The object is the ID of the device.
const (
	ActionEnroll  = "provision.enroll"
	ActionFetch   = "provision.fetch"   // a ticket was used
	ActionRefresh = "provision.refresh" // a token was used
	ActionRevoke  = "provision.revoke"
	ActionLock    = "provision.lock" // a source was locked; once for each lock
)
