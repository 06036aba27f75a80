// Package sqldb opens the relational database behind the rooms' sqlstore packages and brings its schema up to date.
//
// Today the one dialect is SQLite (modernc.org/sqlite, pure Go): one file per tenant, shared by the rooms, each room with its own
// table prefix and its own list of migrations. Stores write standard SQL with $1 placeholders, which both SQLite and PostgreSQL
// read; what differs is named by [Dialect], the seam for PostgreSQL.
//
// # Durability
//
// WAL with synchronous=FULL: a committed transaction survives kill -9 and a power cut. secure_delete is on, so that a deleted row
// (a wrapped key above all) is overwritten and not merely unlinked.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	_ "modernc.org/sqlite" // the driver of Dialect SQLite
)

// Dialect says what kind of database a DB talks to.
type Dialect int

const (
	// SQLite is an embedded file.
	SQLite Dialect = iota + 1
)

// ErrUnsupported is returned by Open for a data source that no dialect serves.
var ErrUnsupported = errors.New("sqldb: unsupported data source")

// ErrClosed is returned by a DB that is closed.
var ErrClosed = errors.New("sqldb: closed")

// DB is an open database with the schema of one room applied. It is safe for concurrent use.
type DB struct {
	*pool
	dialect Dialect
	closed  atomic.Bool
}

// Open opens dsn and applies the migrations of room that are not applied yet, in order, each in a transaction.
//
// dsn is the path of a SQLite file; its folder is made with mode 0700 and the file is readable by its owner only. A dsn with a scheme
// (postgres://...) is ErrUnsupported until that dialect lands. room is the table prefix and the key under which applied migrations
// are counted; two rooms may open the same file.
func Open(ctx context.Context, dsn, room string, migrations ...string) (*DB, error) {
	if strings.Contains(dsn, "://") {
		scheme, _, _ := strings.Cut(dsn, "://")
		return nil, fmt.Errorf("%w: %s://", ErrUnsupported, scheme)
	}
	if dsn == "" || room == "" {
		return nil, errors.New("sqldb: a path and a room are required")
	}
	if err := os.MkdirAll(filepath.Dir(dsn), 0o700); err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	// Made here, before the driver would make it with the process's umask: other users of the machine must not read it.
	f, err := os.OpenFile(dsn, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("sqldb: %w", err)
	}
	p, err := acquire(dsn)
	if err != nil {
		return nil, err
	}
	db := &DB{pool: p, dialect: SQLite}
	if err := db.migrate(ctx, room, migrations); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Dialect tells a store which SQL to write where the dialects differ.
func (db *DB) Dialect() Dialect { return db.dialect }

// Close closes the database. It is safe to call again.
func (db *DB) Close() error {
	if db.closed.Swap(true) {
		return nil
	}
	return db.release()
}

// Update runs f in a write transaction: committed if f returns nil, rolled back otherwise. One Update runs at a time.
func (db *DB) Update(ctx context.Context, f func(tx *sql.Tx) error) error {
	return db.inTx(ctx, db.w, f)
}

// View runs f in a read-only transaction that sees one consistent state.
func (db *DB) View(ctx context.Context, f func(tx *sql.Tx) error) error { return db.inTx(ctx, db.r, f) }

// Checkpoint moves the write-ahead log into the database and empties it, so that what was deleted is in neither.
func (db *DB) Checkpoint(ctx context.Context) error {
	if db.closed.Load() {
		return ErrClosed
	}
	var busy, logged, moved int
	if err := db.w.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &logged, &moved); err != nil {
		return fmt.Errorf("sqldb: checkpoint: %w", err)
	}
	if busy != 0 {
		return errors.New("sqldb: checkpoint: a reader holds the log")
	}
	return nil
}

func (db *DB) inTx(ctx context.Context, conns *sql.DB, f func(tx *sql.Tx) error) error {
	if db.closed.Load() { // the connections may be open still, for others
		return ErrClosed
	}
	tx, err := conns.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sqldb: begin: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sqldb: commit: %w", err)
	}
	return nil
}

func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

func (db *DB) migrate(ctx context.Context, room string, migrations []string) error {
	return db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_versions (room TEXT PRIMARY KEY, version INTEGER NOT NULL)`); err != nil {
			return fmt.Errorf("sqldb: schema of %s: %w", room, err)
		}
		var have int
		err := tx.QueryRowContext(ctx, `SELECT version FROM schema_versions WHERE room = $1`, room).Scan(&have)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("sqldb: schema of %s: %w", room, err)
		}
		if have > len(migrations) {
			return fmt.Errorf("sqldb: schema of %s is at version %d, this program knows %d: refusing to run an older program on newer data", room, have, len(migrations))
		}
		if have == len(migrations) {
			return nil // an unchanged schema takes no write
		}
		for i := have; i < len(migrations); i++ {
			if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
				return fmt.Errorf("sqldb: schema of %s: migration %d: %w", room, i+1, err)
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO schema_versions (room, version) VALUES ($1, $2) ON CONFLICT (room) DO UPDATE SET version = excluded.version`, room, len(migrations))
		return err
	})
}
