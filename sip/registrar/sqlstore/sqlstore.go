// Package sqlstore keeps the bindings of a registrar in a relational database: one row per binding, each flush one transaction.
//
// # Security
//
// A row says which user was reachable where and with what device. The database file is readable by its owner only, and what is removed is overwritten. No
// row holds a secret: passwords are not known here, and the key of temporary GRUUs is not stored.
//
// # Goroutines
//
// None of its own. A Store is safe for concurrent use. Only one registrar may use it.
//
// # Importing alone
//
// sqlstore imports package registrar and the SQL driver (SQLite, pure Go).
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/sip/registrar"
)

// Times and order protection are inside data: the registrar reads whole rows, once, when it starts.
const schema = `CREATE TABLE sip_bindings (
	id    TEXT PRIMARY KEY,
	realm TEXT NOT NULL,
	usr   TEXT NOT NULL,
	data  TEXT NOT NULL
)`

const rowsPerRead = 2000

// Store is a registrar.Store in a database. Open makes one.
type Store struct{ db *sqldb.DB }

var _ registrar.Store = (*Store)(nil)

// Open opens the bindings in the database that dsn names, a file path for SQLite, and makes their table if it is missing.
func Open(ctx context.Context, dsn string) (*Store, error) {
	db, err := sqldb.Open(ctx, dsn, "sip", schema)
	if err != nil {
		return nil, fmt.Errorf("sip/registrar/sqlstore: %w", err)
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Apply implements [registrar.Store]. It returns once the transaction is on disk.
func (s *Store) Apply(ctx context.Context, changes []registrar.Change) error {
	err := s.db.Update(ctx, func(tx *sql.Tx) (err error) {
		put, err := tx.PrepareContext(ctx, `INSERT INTO sip_bindings (id, realm, usr, data) VALUES ($1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET realm = excluded.realm, usr = excluded.usr, data = excluded.data`)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, put.Close()) }()
		for _, c := range changes {
			if !c.Put {
				if _, err := tx.ExecContext(ctx, `DELETE FROM sip_bindings WHERE id = $1`, c.ID); err != nil {
					return err
				}
				continue
			}
			data, err := json.Marshal(&c.Record.Binding)
			if err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, c.ID, c.Record.Realm, c.Record.User, string(data)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sip/registrar/sqlstore: %w", err)
	}
	return nil
}

// Load implements [registrar.Store]. It reads in pages, each a short transaction.
func (s *Store) Load(ctx context.Context) iter.Seq2[registrar.Record, error] {
	return func(yield func(registrar.Record, error) bool) {
		after := ""
		for {
			page, err := s.page(ctx, after)
			if err != nil {
				yield(registrar.Record{}, fmt.Errorf("sip/registrar/sqlstore: %w", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				after = r.Binding.ID
			}
			if len(page) < rowsPerRead {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, after string) ([]registrar.Record, error) {
	var page []registrar.Record
	err := s.db.View(ctx, func(tx *sql.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, `SELECT id, realm, usr, data FROM sip_bindings WHERE id > $1 ORDER BY id LIMIT $2`, after, rowsPerRead)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var r registrar.Record
			var id string
			var data []byte
			if err := rows.Scan(&id, &r.Realm, &r.User, &data); err != nil {
				return err
			}
			if err := json.Unmarshal(data, &r.Binding); err != nil || r.Binding.ID != id {
				return errors.Join(fmt.Errorf("row %q is no binding", id), err)
			}
			page = append(page, r)
		}
		return rows.Err()
	})
	return page, err
}
