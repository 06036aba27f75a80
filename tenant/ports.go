package tenant

import (
	"context"
	"iter"
	"log/slog"
)

// Stores holds one Store per tenant. There is no call that crosses from one to another. A Stores that is also an io.Closer
// is closed by Directory.Close. Safe for concurrent use.
type Stores interface {
	// Names lists the tenants, sorted.
	Names(ctx context.Context) ([]string, error)
	// Create makes the store of a new tenant: ErrExists if it is there.
	Create(ctx context.Context, name string) (Store, error)
	// Open returns the store of a tenant: ErrUnknownTenant if there is none. It stays the Stores' to close.
	Open(ctx context.Context, name string) (Store, error)
}

// Store keeps one tenant. Safe for concurrent use, by several processes too. Its parts are small so that each can be faked alone.
type Store interface {
	ProfileStore
	UserReader
	UserWriter
}

// ProfileStore keeps the tenant's own settings.
type ProfileStore interface {
	// Profile returns ErrUnknownTenant before the first SaveProfile.
	Profile(ctx context.Context) (Profile, error)
	SaveProfile(ctx context.Context, p Profile) error
}

// UserReader finds users.
type UserReader interface {
	// FindUser returns ErrUnknownUser if there is none by that name.
	FindUser(ctx context.Context, name string) (UserRecord, error)
	// ListUsers yields all users by name.
	ListUsers(ctx context.Context) iter.Seq2[UserRecord, error]
}

// UserWriter changes users.
type UserWriter interface {
	// InsertUser returns ErrExists if the name is taken.
	InsertUser(ctx context.Context, u UserRecord) error
	// ChangeUser calls change with the user as it is, in one transaction, and stores what it leaves; if change fails nothing happens and its error is
	// returned. admins is the number of other enabled administrators. A result with an empty Name deletes the user. ErrUnknownUser if there is none.
	ChangeUser(ctx context.Context, name string, change func(u *UserRecord, admins int) error) error
}

// UserRecord is a user as stored.
type UserRecord struct {
	User
	Console string            // PHC string of the console password; empty if there is none
	HA1     map[string][]byte // sealed HA1 by digest algorithm
}

// Sealer encrypts fields under the tenant's key. Unseal of bytes sealed with another aad, another tenant or another key is an error.
type Sealer interface {
	Seal(ctx context.Context, plaintext, aad []byte) ([]byte, error)
	Unseal(ctx context.Context, sealed, aad []byte) ([]byte, error)
}

// Auditor records that the actor it stands for does action to object. If it fails, the action does not happen.
type Auditor interface {
	Audit(ctx context.Context, action, object string, attrs ...slog.Attr) error
}
