// Package sqlstore keeps acd's log in a relational database: one row per batch of events, each batch one transaction, and beside it the
// state that acd kept last, so that a start need not replay the whole log.
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
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/ringfence/ringfence/acd"
	"github.com/ringfence/ringfence/internal/sqldb"
)

// The first version kept one row per event. Its rows stay where they are and are read first; what is appended today goes to acd_batches.
var schema = []string{
	`CREATE TABLE acd_events (
	seq  INTEGER PRIMARY KEY,
	at   BIGINT NOT NULL,
	kind TEXT NOT NULL,
	data TEXT NOT NULL
)`,
	`CREATE TABLE acd_batches (
	last  BIGINT PRIMARY KEY,
	first BIGINT NOT NULL,
	data  TEXT NOT NULL
)`,
	`CREATE TABLE acd_state (
	id   INTEGER PRIMARY KEY,
	seq  BIGINT NOT NULL,
	data TEXT NOT NULL
)`,
}

const (
	eventsPerRead  = 2000 // of the first version, one a row
	batchesPerRead = 8
)

// Store is an acd.Store in a database. Open makes one.
type Store struct{ db *sqldb.DB }

var (
	_ acd.Store       = (*Store)(nil)
	_ acd.StateKeeper = (*Store)(nil)
)

// Open opens the log in the database that dsn names, a file path for SQLite, and makes its tables if they are missing.
func Open(ctx context.Context, dsn string) (*Store, error) {
	db, err := sqldb.Open(ctx, dsn, "acd", schema...)
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
	var data bytes.Buffer
	enc := json.NewEncoder(&data) // one event a line
	enc.SetEscapeHTML(false)
	for i := range events {
		if want := events[0].Seq + uint64(i); events[i].Seq != want {
			return fmt.Errorf("%w: event %d where %d belongs", acd.ErrConflict, events[i].Seq, want)
		}
		if err := enc.Encode(&events[i]); err != nil {
			return fmt.Errorf("acd/sqlstore: event %d: %w", events[i].Seq, err)
		}
	}
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		// Compared inside the transaction: whoever else writes this log has either committed before or will see our row.
		last, err := lastSeq(ctx, tx)
		if err != nil {
			return err
		}
		if events[0].Seq != last+1 {
			return fmt.Errorf("%w: event %d where %d belongs", acd.ErrConflict, events[0].Seq, last+1)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO acd_batches (last, first, data) VALUES ($1, $2, $3)`, int64(events[len(events)-1].Seq), int64(events[0].Seq), data.String())
		if err != nil {
			return fmt.Errorf("acd/sqlstore: %w", err)
		}
		return nil
	})
}

func lastSeq(ctx context.Context, tx *sql.Tx) (uint64, error) {
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE((SELECT MAX(last) FROM acd_batches), (SELECT MAX(seq) FROM acd_events), 0)`).Scan(&last); err != nil {
		return 0, fmt.Errorf("acd/sqlstore: %w", err)
	}
	return uint64(last), nil
}

// SaveState implements [acd.StateKeeper].
func (s *Store) SaveState(ctx context.Context, seq uint64, state []byte) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		last, err := lastSeq(ctx, tx)
		if err != nil {
			return err
		}
		if seq > last {
			return fmt.Errorf("%w: state of event %d, the log ends at %d", acd.ErrConflict, seq, last)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO acd_state (id, seq, data) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, data = excluded.data`,
			int64(seq), string(state))
		if err != nil {
			return fmt.Errorf("acd/sqlstore: %w", err)
		}
		return nil
	})
}

// LoadState implements [acd.StateKeeper].
func (s *Store) LoadState(ctx context.Context) ([]byte, error) {
	var state []byte
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT data FROM acd_state WHERE id = 1`).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("acd/sqlstore: %w", err)
	}
	return state, nil
}

// Load implements [acd.Store]. It reads in pages, each a short transaction, so that a slow reader never holds the log open.
func (s *Store) Load(ctx context.Context, after uint64) iter.Seq2[acd.Event, error] {
	return func(yield func(acd.Event, error) bool) {
		for _, read := range []struct {
			query string
			rows  int
		}{
			{`SELECT data FROM acd_events WHERE seq > $1 ORDER BY seq LIMIT $2`, eventsPerRead},
			{`SELECT data FROM acd_batches WHERE last > $1 ORDER BY last LIMIT $2`, batchesPerRead},
		} {
			for rows := read.rows; rows == read.rows; {
				var page []acd.Event
				var err error
				if page, rows, err = s.page(ctx, read.query, after, read.rows); err != nil {
					yield(acd.Event{}, err)
					return
				}
				for _, ev := range page {
					if !yield(ev, nil) {
						return
					}
					after = ev.Seq
				}
			}
		}
	}
}

// page reads rows of events, one a line, and returns those after a number.
func (s *Store) page(ctx context.Context, query string, after uint64, most int) (page []acd.Event, n int, err error) {
	err = s.db.View(ctx, func(tx *sql.Tx) (err error) {
		rows, err := tx.QueryContext(ctx, query, int64(after), most)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		for ; rows.Next(); n++ {
			var data sql.RawBytes
			if err := rows.Scan(&data); err != nil {
				return err
			}
			for line := range bytes.Lines(data) {
				var ev acd.Event
				if err := json.Unmarshal(line, &ev); err != nil {
					return fmt.Errorf("after event %d is no event: %w", after, errors.Join(err, acd.ErrLog))
				}
				if ev.Seq <= after {
					continue
				}
				if len(page) > 0 && ev.Seq != page[len(page)-1].Seq+1 {
					return fmt.Errorf("event %d follows %d: %w", ev.Seq, page[len(page)-1].Seq, acd.ErrLog)
				}
				page = append(page, ev)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, 0, fmt.Errorf("acd/sqlstore: %w", err)
	}
	return page, n, nil
}
