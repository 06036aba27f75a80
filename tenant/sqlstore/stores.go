package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/tenant"
	"github.com/ringfence/ringfence/tenant/kms"
)

// ErrClosed is returned by every call on Stores after Close.
var ErrClosed = errors.New("tenant/sqlstore: closed")

// dbFile is the name of every tenant's database inside its folder.
const dbFile = "ringfence.db"

var migrations = []string{
	`CREATE TABLE tenant_profile (
		id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL, domain TEXT NOT NULL, realm TEXT NOT NULL, algorithms TEXT NOT NULL);
	CREATE TABLE tenant_users (
		name TEXT PRIMARY KEY, display TEXT NOT NULL, roles TEXT NOT NULL, disabled INTEGER NOT NULL, created INTEGER NOT NULL,
		console TEXT NOT NULL, ha1 TEXT NOT NULL);
	CREATE TABLE tenant_keys (
		id TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, created INTEGER NOT NULL, destroyed INTEGER NOT NULL,
		wrapped BLOB, public BLOB);`,
}

// Stores opens one database per tenant on first use and keeps it open until Close. Safe for concurrent use.
type Stores struct {
	dir string

	mu   sync.Mutex
	open map[string]*Store // nil when closed
}

// Open returns the tenants under dir, which is made with mode 0700 if it is missing.
func Open(_ context.Context, dir string) (*Stores, error) {
	if dir == "" {
		return nil, errors.New("tenant/sqlstore: a folder is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("tenant/sqlstore: %w", err)
	}
	return &Stores{dir: dir, open: map[string]*Store{}}, nil
}

// Dir returns the folder of one tenant, for what else belongs to it, or tenant.ErrInvalid for what is no tenant's name. It need not exist.
func (s *Stores) Dir(name string) (string, error) {
	if !tenant.ValidName(name) { // before it becomes a path: "../other" must not be one
		return "", fmt.Errorf("%w: tenant name %q", tenant.ErrInvalid, name)
	}
	return filepath.Join(s.dir, name), nil
}

// DSN returns the path of one tenant's database, to open the other packages' sqlstores on.
func (s *Stores) DSN(name string) (string, error) {
	dir, err := s.Dir(name)
	return filepath.Join(dir, dbFile), err
}

// Names lists the tenants that have a profile, sorted.
func (s *Stores) Names(ctx context.Context) ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("tenant/sqlstore: %w", err)
	}
	var out []string
	for _, e := range entries { // sorted by name
		if !e.IsDir() || !tenant.ValidName(e.Name()) {
			continue
		}
		if _, err := s.Open(ctx, e.Name()); errors.Is(err, tenant.ErrUnknownTenant) {
			continue
		} else if err != nil {
			return nil, err
		}
		out = append(out, e.Name())
	}
	return out, nil
}

// Create makes the database of a new tenant. tenant.ErrExists if it has a profile already; leftovers of a creation that crashed are removed.
func (s *Stores) Create(ctx context.Context, name string) (tenant.Store, error) {
	st, err := s.store(ctx, name, true)
	if err != nil {
		return nil, err
	}
	err = st.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tenant_profile`).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: tenant %s", tenant.ErrExists, name)
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM tenant_users`)
		return err
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// Open returns the store of a tenant, or tenant.ErrUnknownTenant.
func (s *Stores) Open(ctx context.Context, name string) (tenant.Store, error) {
	st, err := s.store(ctx, name, false)
	if err != nil {
		return nil, err
	}
	if _, err := st.Profile(ctx); err != nil {
		return nil, err
	}
	return st, nil
}

// Keys returns the key store of a tenant, made if it is missing: keys come before the tenant's first user.
func (s *Stores) Keys(ctx context.Context, name string) (kms.Store, error) {
	st, err := s.store(ctx, name, true)
	if err != nil {
		return nil, err
	}
	return &Keys{db: st.db}, nil
}

// Close closes all databases.
func (s *Stores) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.open {
		errs = append(errs, st.db.Close())
	}
	s.open = nil
	return errors.Join(errs...)
}

func (s *Stores) store(ctx context.Context, name string, create bool) (*Store, error) {
	dsn, err := s.DSN(name)
	if err != nil {
		if create {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %q", tenant.ErrUnknownTenant, name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil {
		return nil, ErrClosed
	}
	if st := s.open[name]; st != nil {
		return st, nil
	}
	if _, err := os.Stat(dsn); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, fmt.Errorf("%w: %q", tenant.ErrUnknownTenant, name) // asking about a tenant must not make one
	}
	db, err := sqldb.Open(ctx, dsn, "tenant", migrations...)
	if err != nil {
		return nil, err
	}
	st := &Store{db: db}
	s.open[name] = st
	return st, nil
}
