package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/retention"
)

var migrations = []string{
	`CREATE TABLE retention_holds (
		id TEXT PRIMARY KEY, ground TEXT NOT NULL, approver TEXT NOT NULL, review INTEGER NOT NULL, placed INTEGER NOT NULL, released INTEGER NOT NULL);
	CREATE TABLE retention_hold_items (
		hold TEXT NOT NULL, n INTEGER NOT NULL, class TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (hold, n));
	CREATE INDEX retention_hold_items_item ON retention_hold_items (class, item);
	CREATE TABLE retention_journal (
		class TEXT NOT NULL, item TEXT NOT NULL, reason TEXT NOT NULL, created INTEGER NOT NULL, due INTEGER NOT NULL,
		began INTEGER NOT NULL, erased INTEGER NOT NULL, key_ids TEXT NOT NULL, PRIMARY KEY (class, item));
	CREATE TABLE retention_receipts (seq INTEGER PRIMARY KEY, receipt BLOB NOT NULL);`,
}

// Store is a retention.Store. Safe for concurrent use, by several processes too.
type Store struct{ db *sqldb.DB }

// Open opens the store in the SQLite file dsn, which is made if it is missing.
func Open(ctx context.Context, dsn string) (*Store, error) {
	db, err := sqldb.Open(ctx, dsn, "retention", migrations...)
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("retention/sqlstore: %w", err)
	}
	return nil
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

// PlaceHold stores a hold: retention.ErrExists, retention.ErrErasing.
func (s *Store) PlaceHold(ctx context.Context, h retention.Hold) error {
	return wrap(s.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM retention_holds WHERE id = $1`, h.ID).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: hold %s", retention.ErrExists, h.ID)
		}
		for i, ref := range h.Items {
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM retention_journal WHERE class = $1 AND item = $2`, ref.Class, ref.ID).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%w: %s", retention.ErrErasing, ref)
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO retention_hold_items (hold, n, class, item) VALUES ($1, $2, $3, $4)`, h.ID, i, ref.Class, ref.ID); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO retention_holds (id, ground, approver, review, placed, released) VALUES ($1, $2, $3, $4, $5, 0)`,
			h.ID, h.Ground, h.Approver, nano(h.Review), nano(h.Placed))
		return err
	}))
}

// ReleaseHold ends a hold: retention.ErrNotFound, retention.ErrReleased.
func (s *Store) ReleaseHold(ctx context.Context, id string, at time.Time) (retention.Hold, error) {
	var h retention.Hold
	err := s.db.Update(ctx, func(tx *sql.Tx) (err error) {
		if h, err = scanHold(tx.QueryRowContext(ctx, `SELECT `+holdColumns+` FROM retention_holds WHERE id = $1`, id)); errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: hold %s", retention.ErrNotFound, id)
		} else if err != nil {
			return err
		}
		if !h.Active() {
			return fmt.Errorf("%w: %s", retention.ErrReleased, id)
		}
		if h.Items, err = items(ctx, tx, id); err != nil {
			return err
		}
		h.Released = at
		_, err = tx.ExecContext(ctx, `UPDATE retention_holds SET released = $2 WHERE id = $1`, id, nano(at))
		return err
	})
	if err != nil {
		return retention.Hold{}, wrap(err)
	}
	return h, nil
}

const holdColumns = `id, ground, approver, review, placed, released`

func scanHold(row interface{ Scan(...any) error }) (retention.Hold, error) {
	var h retention.Hold
	var review, placed, released int64
	err := row.Scan(&h.ID, &h.Ground, &h.Approver, &review, &placed, &released)
	h.Review, h.Placed, h.Released = when(review), when(placed), when(released)
	return h, err
}

func items(ctx context.Context, tx *sql.Tx, hold string) ([]retention.Ref, error) {
	rows, err := tx.QueryContext(ctx, `SELECT class, item FROM retention_hold_items WHERE hold = $1 ORDER BY n`, hold)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []retention.Ref
	for rows.Next() {
		var r retention.Ref
		if err := rows.Scan(&r.Class, &r.ID); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// ListHolds yields all holds, oldest first, as they were when it was called.
func (s *Store) ListHolds(ctx context.Context) iter.Seq2[retention.Hold, error] {
	return func(yield func(retention.Hold, error) bool) {
		// Read to the end before the first yield: a caller that takes its time must not hold a transaction open.
		var holds []retention.Hold
		err := s.db.View(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, `SELECT `+holdColumns+` FROM retention_holds ORDER BY placed, id`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				h, err := scanHold(rows)
				if err != nil {
					return err
				}
				holds = append(holds, h)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			for i := range holds {
				if holds[i].Items, err = items(ctx, tx, holds[i].ID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			yield(retention.Hold{}, wrap(err))
			return
		}
		for _, h := range holds {
			if !yield(h, nil) {
				return
			}
		}
	}
}

// Begin stores an erasure about to begin: retention.ErrHeld.
func (s *Store) Begin(ctx context.Context, d retention.Deletion) error {
	return wrap(s.db.Update(ctx, func(tx *sql.Tx) error {
		var n int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM retention_hold_items i JOIN retention_holds h ON h.id = i.hold
			WHERE h.released = 0 AND i.class = $1 AND i.item = $2`, d.Class, d.ID).Scan(&n)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: %s", retention.ErrHeld, d.Ref())
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO retention_journal (class, item, reason, created, due, began, erased, key_ids)
			VALUES ($1, $2, $3, $4, $5, $6, 0, '[]') ON CONFLICT (class, item) DO NOTHING`, d.Class, d.ID, d.Reason, nano(d.Created), nano(d.Due), nano(d.Began))
		return err
	}))
}

// Done stores the end of an erasure.
func (s *Store) Done(ctx context.Context, d retention.Deletion) error {
	keys, err := json.Marshal(append([]string{}, d.KeyIDs...))
	if err != nil {
		return wrap(err)
	}
	return wrap(s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE retention_journal SET erased = $3, key_ids = $4 WHERE class = $1 AND item = $2 AND erased = 0`,
			d.Class, d.ID, nano(d.Erased), string(keys))
		return err
	}))
}

// Pending returns the journal in the order its erasures began.
func (s *Store) Pending(ctx context.Context) ([]retention.Deletion, error) {
	var out []retention.Deletion
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT class, item, reason, created, due, began, erased, key_ids FROM retention_journal ORDER BY began, class, item`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var d retention.Deletion
			var created, due, began, erased int64
			var keys string
			if err := rows.Scan(&d.Class, &d.ID, &d.Reason, &created, &due, &began, &erased, &keys); err != nil {
				return err
			}
			d.Created, d.Due, d.Began, d.Erased = when(created), when(due), when(began), when(erased)
			if err := json.Unmarshal([]byte(keys), &d.KeyIDs); err != nil {
				return err
			}
			out = append(out, d)
		}
		return rows.Err()
	})
	return out, wrap(err)
}

// LastReceipt returns the newest receipt.
func (s *Store) LastReceipt(ctx context.Context) (uint64, []byte, error) {
	var seq uint64
	var receipt []byte
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT seq, receipt FROM retention_receipts ORDER BY seq DESC LIMIT 1`).Scan(&seq, &receipt)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, receipt, wrap(err)
}

// SaveReceipt stores a receipt and takes what it lists out of the journal: retention.ErrConflict.
func (s *Store) SaveReceipt(ctx context.Context, seq uint64, receipt []byte, listed []retention.Ref) error {
	return wrap(s.db.Update(ctx, func(tx *sql.Tx) error {
		var last uint64
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM retention_receipts`).Scan(&last); err != nil {
			return err
		}
		if seq != last+1 {
			return fmt.Errorf("%w: %d after %d", retention.ErrConflict, seq, last)
		}
		for _, ref := range listed {
			res, err := tx.ExecContext(ctx, `DELETE FROM retention_journal WHERE class = $1 AND item = $2 AND erased <> 0`, ref.Class, ref.ID)
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil {
				return err
			} else if n == 0 {
				return fmt.Errorf("%w: %s is not in the journal", retention.ErrConflict, ref)
			}
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO retention_receipts (seq, receipt) VALUES ($1, $2)`, seq, receipt)
		return err
	}))
}

// ListReceipts yields all receipts in order. It reads one at a time and holds no transaction while it yields.
func (s *Store) ListReceipts(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for seq := uint64(0); ; {
			var receipt []byte
			err := s.db.View(ctx, func(tx *sql.Tx) error {
				return tx.QueryRowContext(ctx, `SELECT seq, receipt FROM retention_receipts WHERE seq > $1 ORDER BY seq LIMIT 1`, seq).Scan(&seq, &receipt)
			})
			if errors.Is(err, sql.ErrNoRows) {
				return
			}
			if !yield(receipt, wrap(err)) || err != nil {
				return
			}
		}
	}
}
