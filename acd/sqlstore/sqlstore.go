// Package sqlstore keeps acd's log in a relational database: one row per event, appended in batches, each batch one transaction.
//
// # Security
//
// One Store is the log of one Center, and so of one tenant: give each tenant its own database. Events hold what acd was given: ids
// of works and agents, and attributes. The database file is readable by its owner only.
//
// # Goroutines
//
// None of its own. A Store is safe for concurrent use; two Stores on one database are safe too, and the one whose Center fell
// behind gets acd.ErrConflict.
//
// # Importing alone
//
// sqlstore imports acd and the SQL driver (SQLite, pure Go).
package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/sqldb"
)

const schema = `CREATE TABLE acd_events (
	seq  INTEGER PRIMARY KEY,
	at   BIGINT NOT NULL,
	kind TEXT NOT NULL,
	data TEXT NOT NULL
)`

const (
	rowsPerInsert = 200 // of 4 values: far below what any database allows as parameters
	rowsPerRead   = 2000
)

// Store is an acd.Store in a database. Open makes one.
type Store struct{ db *sqldb.DB }

var _ acd.Store = (*Store)(nil)

// Open opens the log in the database that dsn names, a file path for SQLite, and makes its table if it is missing.
func Open(ctx context.Context, dsn string) (*Store, error) {
	db, err := sqldb.Open(ctx, dsn, "acd", schema)
	if err != nil {
		return nil, fmt.Errorf("acd/sqlstore: %w", err)
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Append implements [acd.Store]. It returns once the transaction is on disk.
func (s *Store) Append(ctx context.Context, events []acd.Event) error {
	if len(events) == 0 {
		return ctx.Err()
	}
	args := make([]any, 0, 4*len(events))
	for i := range events {
		if want := events[0].Seq + uint64(i); events[i].Seq != want {
			return fmt.Errorf("%w: event %d where %d belongs", acd.ErrConflict, events[i].Seq, want)
		}
		data, err := json.Marshal(&events[i])
		if err != nil {
			return fmt.Errorf("acd/sqlstore: event %d: %w", events[i].Seq, err)
		}
		args = append(args, int64(events[i].Seq), events[i].At.UnixNano(), string(events[i].Kind), string(data))
	}
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		// Compared inside the transaction: whoever else writes this log has either committed before or will see our rows.
		var last int64
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM acd_events`).Scan(&last); err != nil {
			return fmt.Errorf("acd/sqlstore: %w", err)
		}
		if int64(events[0].Seq) != last+1 {
			return fmt.Errorf("%w: event %d where %d belongs", acd.ErrConflict, events[0].Seq, last+1)
		}
		for len(args) > 0 {
			n := min(len(args), 4*rowsPerInsert)
			if _, err := tx.ExecContext(ctx, insert(n/4), args[:n]...); err != nil {
				return fmt.Errorf("acd/sqlstore: %w", err)
			}
			args = args[n:]
		}
		return nil
	})
}

func insert(rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO acd_events (seq, at, kind, data) VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d)", 4*i+1, 4*i+2, 4*i+3, 4*i+4)
	}
	return b.String()
}

// Load implements [acd.Store]. It reads in pages, each a short transaction, so that a slow reader never holds the log open.
func (s *Store) Load(ctx context.Context, after uint64) iter.Seq2[acd.Event, error] {
	return func(yield func(acd.Event, error) bool) {
		for {
			page, err := s.page(ctx, after)
			if err != nil {
				yield(acd.Event{}, err)
				return
			}
			for _, ev := range page {
				if !yield(ev, nil) {
					return
				}
				after = ev.Seq
			}
			if len(page) < rowsPerRead {
				return
			}
		}
	}
}

func (s *Store) page(ctx context.Context, after uint64) ([]acd.Event, error) {
	var page []acd.Event
	err := s.db.View(ctx, func(tx *sql.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, `SELECT seq, data FROM acd_events WHERE seq > $1 ORDER BY seq LIMIT $2`, int64(after), rowsPerRead)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for rows.Next() {
			var seq int64
			var data sql.RawBytes
			if err := rows.Scan(&seq, &data); err != nil {
				return err
			}
			var ev acd.Event
			if err := json.Unmarshal(data, &ev); err != nil || ev.Seq != uint64(seq) {
				return fmt.Errorf("row %d is no event: %w", seq, errors.Join(err, acd.ErrLog))
			}
			page = append(page, ev)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("acd/sqlstore: %w", err)
	}
	return page, nil
}
