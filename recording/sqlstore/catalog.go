package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/recording"
)

var migrations = []string{
	`CREATE TABLE recording_entries (
		id TEXT PRIMARY KEY, class TEXT NOT NULL, state INTEGER NOT NULL,
		created INTEGER NOT NULL, closed INTEGER NOT NULL, destroyed INTEGER NOT NULL,
		key_id TEXT NOT NULL, wrapped_key BLOB, meta BLOB,
		segments INTEGER NOT NULL, samples INTEGER NOT NULL, manifest BLOB, signature BLOB);
	CREATE INDEX recording_entries_created ON recording_entries (created, id);`,
}

// pageSize is how many rows List reads at a time.
const pageSize = 256

// Catalog is a recording.Catalog. Safe for concurrent use, by several processes too.
type Catalog struct{ db *sqldb.DB }

// Open opens the catalog in the SQLite file dsn, which is made if it is missing.
func Open(ctx context.Context, dsn string) (*Catalog, error) {
	db, err := sqldb.Open(ctx, dsn, "recording", migrations...)
	if err != nil {
		return nil, err
	}
	return &Catalog{db: db}, nil
}

// Close closes the database.
func (c *Catalog) Close() error { return c.db.Close() }

const columns = `id, class, state, created, closed, destroyed, key_id, wrapped_key, meta, segments, samples, manifest, signature`

// Get returns a row, or recording.ErrNotFound.
func (c *Catalog) Get(ctx context.Context, id string) (recording.Entry, error) {
	var e recording.Entry
	err := c.db.View(ctx, func(tx *sql.Tx) (err error) {
		e, err = scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM recording_entries WHERE id = $1`, id))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return recording.Entry{}, recording.ErrNotFound
	}
	if err != nil {
		return recording.Entry{}, fmt.Errorf("recording/sqlstore: %w", err)
	}
	return e, nil
}

// List yields matching rows, oldest first. It reads in pages and holds no transaction while it yields, so the caller may change what it is given.
func (c *Catalog) List(ctx context.Context, f recording.Filter) iter.Seq2[recording.Entry, error] {
	return func(yield func(recording.Entry, error) bool) {
		created, id := nano(f.From), ""
		for {
			page, err := c.page(ctx, f, created, id)
			if err != nil {
				yield(recording.Entry{}, fmt.Errorf("recording/sqlstore: %w", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last := page[len(page)-1]
			created, id = last.Created.UnixNano(), last.ID
		}
	}
}

// page returns the rows from (created, id) on, that row excluded.
func (c *Catalog) page(ctx context.Context, f recording.Filter, created int64, id string) ([]recording.Entry, error) {
	before := int64(1<<63 - 1)
	if !f.Before.IsZero() {
		before = f.Before.UnixNano()
	}
	var out []recording.Entry
	err := c.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM recording_entries
			WHERE (created > $1 OR (created = $1 AND id > $2)) AND created < $3 AND ((state = $4) OR ($4 = 0 AND state <> $5))
			ORDER BY created, id LIMIT $6`, created, id, before, int(f.State), int(recording.StateDestroyed), pageSize)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scan(rows)
			if err != nil {
				return err
			}
			out = append(out, e)
		}
		return rows.Err()
	})
	return out, err
}

// Insert adds a row: recording.ErrExists if the ID is taken.
func (c *Catalog) Insert(ctx context.Context, e recording.Entry) error {
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO recording_entries (`+columns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING`,
			e.ID, e.Class, int(e.State), nano(e.Created), nano(e.Closed), nano(e.Destroyed), e.KeyID, e.WrappedKey, e.Meta, e.Segments, e.Samples, e.Manifest, e.Signature)
		return one(res, err, fmt.Errorf("%w: %s", recording.ErrExists, e.ID))
	})
}

// Finish closes an open row: recording.ErrNotFound if there is none.
func (c *Catalog) Finish(ctx context.Context, e recording.Entry) error {
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE recording_entries SET state = $2, closed = $3, segments = $4, samples = $5, manifest = $6, signature = $7
			WHERE id = $1 AND state = $8`, e.ID, int(e.State), nano(e.Closed), e.Segments, e.Samples, e.Manifest, e.Signature, int(recording.StateOpen))
		return one(res, err, fmt.Errorf("%w: no open recording %s", recording.ErrNotFound, e.ID))
	})
}

// Rewrap exchanges the wrapped key of a row if it still is old: recording.ErrConflict if it is not.
func (c *Catalog) Rewrap(ctx context.Context, id string, old, wrapped []byte) error {
	return c.db.Update(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE recording_entries SET wrapped_key = $3 WHERE id = $1 AND wrapped_key = $2 AND state <> $4`,
			id, old, wrapped, int(recording.StateDestroyed))
		if err == nil {
			var found int
			err = tx.QueryRowContext(ctx, `SELECT count(*) FROM recording_entries WHERE id = $1`, id).Scan(&found)
			if err == nil && found == 0 {
				return fmt.Errorf("%w: %s", recording.ErrNotFound, id)
			}
		}
		return one(res, err, fmt.Errorf("%w: %s", recording.ErrConflict, id))
	})
}

// Shred deletes key and metadata of a row. It returns nil only when they are gone from the database file and its log.
func (c *Catalog) Shred(ctx context.Context, id string, at time.Time) error {
	err := c.db.Update(ctx, func(tx *sql.Tx) error {
		// Overwritten in place first: secure_delete zeroes what is freed, this covers what stays in its page.
		res, err := tx.ExecContext(ctx, `UPDATE recording_entries SET wrapped_key = zeroblob(coalesce(length(wrapped_key), 0)),
			meta = zeroblob(coalesce(length(meta), 0)) WHERE id = $1`, id)
		if err := one(res, err, fmt.Errorf("%w: %s", recording.ErrNotFound, id)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE recording_entries SET wrapped_key = NULL, meta = NULL, state = $2,
			destroyed = CASE WHEN destroyed = 0 THEN $3 ELSE destroyed END WHERE id = $1`, id, int(recording.StateDestroyed), nano(at))
		return err
	})
	if err != nil {
		return err
	}
	if err := c.db.Checkpoint(ctx); err != nil {
		return fmt.Errorf("recording/sqlstore: the key is destroyed, but the log still holds it: %w", err)
	}
	return nil
}

// one returns otherwise if a statement touched no row.
func one(res sql.Result, err, otherwise error) error {
	if err != nil {
		return fmt.Errorf("recording/sqlstore: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("recording/sqlstore: %w", err)
	}
	if n == 0 {
		return otherwise
	}
	return nil
}

func scan(row interface{ Scan(...any) error }) (recording.Entry, error) {
	var (
		e                          recording.Entry
		state                      int
		created, closed, destroyed int64
	)
	err := row.Scan(&e.ID, &e.Class, &state, &created, &closed, &destroyed, &e.KeyID, &e.WrappedKey, &e.Meta, &e.Segments, &e.Samples, &e.Manifest, &e.Signature)
	e.State, e.Created, e.Closed, e.Destroyed = recording.State(state), when(created), when(closed), when(destroyed)
	return e, err
}

// nano and when keep times as nanoseconds of Unix time, zero for the zero time.
func nano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func when(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
