package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/recording/voicemail"
)

var migrations = []string{
	`CREATE TABLE voicemail_boxes (number TEXT PRIMARY KEY, hash TEXT NOT NULL, zone TEXT NOT NULL, created INTEGER NOT NULL);
	CREATE TABLE voicemail_tries (number TEXT NOT NULL, own INTEGER NOT NULL, failed INTEGER NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (number, own));
	CREATE TABLE voicemail_items (
		id TEXT PRIMARY KEY, box TEXT NOT NULL, kind TEXT NOT NULL, state INTEGER NOT NULL, created INTEGER NOT NULL, length INTEGER NOT NULL,
		incomplete INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL, days INTEGER NOT NULL, from_minute INTEGER NOT NULL, until_minute INTEGER NOT NULL);
	CREATE INDEX voicemail_items_box ON voicemail_items (box, created, id);`,
}

// Store is a voicemail.Store. Safe for concurrent use, by several processes too.
type Store struct{ db *sqldb.DB }

var _ voicemail.Store = (*Store)(nil)

// Open opens the store in the SQLite file dsn, which is made if it is missing.
func Open(ctx context.Context, dsn string) (*Store, error) {
	db, err := sqldb.Open(ctx, dsn, "voicemail", migrations...)
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// CreateBox adds a box: voicemail.ErrExists if the number is taken.
func (s *Store) CreateBox(ctx context.Context, b voicemail.Box) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		return one(voicemail.ErrExists)(tx.ExecContext(ctx, `INSERT INTO voicemail_boxes (number, hash, zone, created) VALUES ($1, $2, $3, $4)
			ON CONFLICT (number) DO NOTHING`, b.Number, b.Hash, b.Zone, nano(b.Created)))
	})
}

// Box returns a box, or voicemail.ErrNoBox.
func (s *Store) Box(ctx context.Context, number string) (b voicemail.Box, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		b, err = scanBox(tx.QueryRowContext(ctx, `SELECT number, hash, zone, created FROM voicemail_boxes WHERE number = $1`, number))
		return none(err, voicemail.ErrNoBox)
	})
	return b, err
}

// Boxes returns all boxes by number.
func (s *Store) Boxes(ctx context.Context) (out []voicemail.Box, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT number, hash, zone, created FROM voicemail_boxes ORDER BY number`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			b, err := scanBox(rows)
			if err != nil {
				return err
			}
			out = append(out, b)
		}
		return rows.Err()
	})
	return out, err
}

// SetHash changes a PIN's hash and forgets the failed tries: voicemail.ErrNoBox.
func (s *Store) SetHash(ctx context.Context, number, hash string) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if err := one(voicemail.ErrNoBox)(tx.ExecContext(ctx, `UPDATE voicemail_boxes SET hash = $2 WHERE number = $1`, number, hash)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM voicemail_tries WHERE number = $1`, number)
		return err
	})
}

// DeleteBox removes a box: voicemail.ErrNoBox, or voicemail.ErrConflict while there are items in it.
func (s *Store) DeleteBox(ctx context.Context, number string) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		items, err := query(ctx, tx, `WHERE box = $1`, number)
		if err != nil {
			return err
		}
		if len(items) > 0 {
			return voicemail.ErrConflict
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM voicemail_tries WHERE number = $1`, number); err != nil {
			return err
		}
		return one(voicemail.ErrNoBox)(tx.ExecContext(ctx, `DELETE FROM voicemail_boxes WHERE number = $1`, number))
	})
}

// Tries returns the failed tries in a row: voicemail.ErrNoBox.
func (s *Store) Tries(ctx context.Context, number string, own bool) (t voicemail.Tries, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		t, err = triesOf(ctx, tx, number, own)
		return err
	})
	return t, err
}

func triesOf(ctx context.Context, tx *sql.Tx, number string, own bool) (t voicemail.Tries, err error) {
	var failed, until sql.NullInt64
	err = tx.QueryRowContext(ctx, `SELECT t.failed, t.until FROM voicemail_boxes b LEFT JOIN voicemail_tries t ON t.number = b.number AND t.own = $2
		WHERE b.number = $1`, number, own).Scan(&failed, &until)
	return voicemail.Tries{Failed: int(failed.Int64), Until: when(until.Int64)}, none(err, voicemail.ErrNoBox)
}

// SetTries changes them if they still are old: voicemail.ErrConflict, voicemail.ErrNoBox.
func (s *Store) SetTries(ctx context.Context, number string, own bool, old, tries voicemail.Tries) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		now, err := triesOf(ctx, tx, number, own)
		if err != nil {
			return err
		}
		if now.Failed != old.Failed || !now.Until.Equal(old.Until) {
			return voicemail.ErrConflict
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO voicemail_tries (number, own, failed, until) VALUES ($1, $2, $3, $4)
			ON CONFLICT (number, own) DO UPDATE SET failed = excluded.failed, until = excluded.until`, number, own, tries.Failed, nano(tries.Until))
		return err
	})
}

// Add adds an item: voicemail.ErrNoBox, voicemail.ErrExists, voicemail.ErrFull.
func (s *Store) Add(ctx context.Context, it voicemail.Item, quota voicemail.Quota) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		var found int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM voicemail_boxes WHERE number = $1`, it.Box).Scan(&found); err != nil {
			return err
		}
		if found == 0 {
			return voicemail.ErrNoBox
		}
		items, err := query(ctx, tx, `WHERE box = $1`, it.Box)
		if err != nil {
			return err
		}
		fits := quota.Fits(items, it.Length)
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM voicemail_items WHERE id = $1`, it.ID).Scan(&found); err != nil {
			return err
		}
		switch {
		case found > 0:
			return voicemail.ErrExists
		case !fits:
			return voicemail.ErrFull
		}
		w := it.Schedule
		_, err = tx.ExecContext(ctx, `INSERT INTO voicemail_items (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			it.ID, it.Box, string(it.Kind), int(it.State), nano(it.Created), int64(it.Length), it.Incomplete, w.First, w.Last, w.Days, w.From, w.Until)
		return err
	})
}

const columns = `id, box, kind, state, created, length, incomplete, first, last, days, from_minute, until_minute`

// query returns matching items, oldest first.
func query(ctx context.Context, tx *sql.Tx, where string, args ...any) (out []voicemail.Item, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT `+columns+` FROM voicemail_items `+where+` ORDER BY created, id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var it voicemail.Item
		var kind string
		var state int
		var created, length int64
		w := &it.Schedule
		if err := rows.Scan(&it.ID, &it.Box, &kind, &state, &created, &length, &it.Incomplete, &w.First, &w.Last, &w.Days, &w.From, &w.Until); err != nil {
			return nil, err
		}
		it.Kind, it.State, it.Created, it.Length = voicemail.Kind(kind), voicemail.State(state), when(created), time.Duration(length)
		out = append(out, it)
	}
	return out, rows.Err()
}

// Item returns an item, or voicemail.ErrNotFound.
func (s *Store) Item(ctx context.Context, id string) (it voicemail.Item, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		it, err = itemOf(ctx, tx, id)
		return err
	})
	return it, err
}

func itemOf(ctx context.Context, tx *sql.Tx, id string) (voicemail.Item, error) {
	items, err := query(ctx, tx, `WHERE id = $1`, id)
	if err == nil && len(items) == 0 {
		err = voicemail.ErrNotFound
	}
	if err != nil {
		return voicemail.Item{}, err
	}
	return items[0], nil
}

// Items returns what is in a box, oldest first.
func (s *Store) Items(ctx context.Context, box string) (out []voicemail.Item, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		out, err = query(ctx, tx, `WHERE box = $1`, box)
		return err
	})
	return out, err
}

// Unsettled returns what is pending or being deleted, oldest first.
func (s *Store) Unsettled(ctx context.Context) (out []voicemail.Item, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		out, err = query(ctx, tx, `WHERE state IN ($1, $2)`, int(voicemail.StatePending), int(voicemail.StateDeleting))
		return err
	})
	return out, err
}

// Update changes an item: voicemail.ErrConflict, voicemail.ErrNotFound.
func (s *Store) Update(ctx context.Context, it voicemail.Item, from voicemail.State) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		if _, err := itemOf(ctx, tx, it.ID); err != nil {
			return err
		}
		return one(voicemail.ErrConflict)(tx.ExecContext(ctx, `UPDATE voicemail_items SET state = $2, length = $3, incomplete = $4 WHERE id = $1 AND state = $5`,
			it.ID, int(it.State), int64(it.Length), it.Incomplete, int(from)))
	})
}

// Activate makes a pending greeting the active one and returns those it replaces: voicemail.ErrConflict, voicemail.ErrNotFound.
func (s *Store) Activate(ctx context.Context, id string, length time.Duration) (replaced []voicemail.Item, err error) {
	err = s.update(ctx, func(tx *sql.Tx) error {
		it, err := itemOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if it.State != voicemail.StatePending || it.Kind != voicemail.Greeting {
			return voicemail.ErrConflict
		}
		w := it.Schedule
		if replaced, err = query(ctx, tx, `WHERE box = $1 AND kind = $2 AND state = $3 AND first = $4 AND last = $5 AND days = $6 AND from_minute = $7 AND until_minute = $8`,
			it.Box, string(it.Kind), int(voicemail.StateActive), w.First, w.Last, w.Days, w.From, w.Until); err != nil {
			return err
		}
		for i := range replaced {
			replaced[i].State = voicemail.StateDeleting
			if _, err := tx.ExecContext(ctx, `UPDATE voicemail_items SET state = $2 WHERE id = $1`, replaced[i].ID, int(voicemail.StateDeleting)); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE voicemail_items SET state = $2, length = $3 WHERE id = $1`, id, int(voicemail.StateActive), int64(length))
		return err
	})
	return replaced, err
}

// Remove removes an item.
func (s *Store) Remove(ctx context.Context, id string) error {
	return s.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM voicemail_items WHERE id = $1`, id)
		return err
	})
}

// Counts returns the messages of a box that are new and saved.
func (s *Store) Counts(ctx context.Context, box string) (c voicemail.Counts, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT coalesce(sum(state = $3), 0), coalesce(sum(state = $4), 0) FROM voicemail_items WHERE box = $1 AND kind = $2`,
			box, string(voicemail.Message), int(voicemail.StateNew), int(voicemail.StateSaved)).Scan(&c.New, &c.Saved)
	})
	return c, err
}

func (s *Store) update(ctx context.Context, f func(*sql.Tx) error) error {
	return wrap(s.db.Update(ctx, f))
}

func (s *Store) view(ctx context.Context, f func(*sql.Tx) error) error {
	return wrap(s.db.View(ctx, f))
}

func wrap(err error) error {
	if err != nil {
		return fmt.Errorf("voicemail/sqlstore: %w", err)
	}
	return nil
}

// one returns otherwise if a statement touched no row.
func one(otherwise error) func(sql.Result, error) error {
	return func(res sql.Result, err error) error {
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return otherwise
	}
}

// none returns otherwise if there was no row.
func none(err, otherwise error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return otherwise
	}
	return err
}

func scanBox(row interface{ Scan(...any) error }) (b voicemail.Box, err error) {
	var created int64
	err = row.Scan(&b.Number, &b.Hash, &b.Zone, &created)
	b.Created = when(created)
	return b, err
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
