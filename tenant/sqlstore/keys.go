package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/internal/sqldb"
	"github.com/ringfence/ringfence/tenant/kms"
)

// Keys is one tenant's kms.Store. Safe for concurrent use, by several processes too. Stores closes it.
type Keys struct{ db *sqldb.DB }

// Records returns all key records.
func (k *Keys) Records(ctx context.Context) ([]kms.Record, error) {
	var out []kms.Record
	err := k.db.View(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id, kind, version, created, destroyed, wrapped, public FROM tenant_keys`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r kms.Record
			var created, destroyed int64
			if err := rows.Scan(&r.ID, &r.Kind, &r.Version, &created, &destroyed, &r.Wrapped, &r.Public); err != nil {
				return err
			}
			r.Created = time.Unix(0, created).UTC()
			if destroyed != 0 {
				r.Destroyed = time.Unix(0, destroyed).UTC()
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("tenant/sqlstore: keys: %w", err)
	}
	return out, nil
}

// Save inserts and replaces records, all or none: kms.ErrExists if one to insert is there.
func (k *Keys) Save(ctx context.Context, insert, replace []kms.Record) error {
	return k.db.Update(ctx, func(tx *sql.Tx) error {
		for _, r := range insert {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM tenant_keys WHERE id = $1`, r.ID).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%w: %s", kms.ErrExists, r.ID)
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO tenant_keys (id, kind, version, created, destroyed, wrapped, public) VALUES ($1, $2, $3, $4, 0, $5, $6)`,
				r.ID, r.Kind, r.Version, r.Created.UnixNano(), r.Wrapped, r.Public)
			if err != nil {
				return err
			}
		}
		for _, r := range replace {
			if _, err := tx.ExecContext(ctx, `UPDATE tenant_keys SET wrapped = $2, public = $3 WHERE id = $1 AND destroyed = 0`, r.ID, r.Wrapped, r.Public); err != nil {
				return err
			}
		}
		return nil
	})
}

// Shred deletes the wrapped bytes of the records. It returns nil only when they are gone from the database file and its log.
func (k *Keys) Shred(ctx context.Context, at time.Time, ids ...string) error {
	err := k.db.Update(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			// Overwritten first at its own length: secure_delete zeroes freed pages, this also covers a row that stays in its page.
			_, err := tx.ExecContext(ctx, `UPDATE tenant_keys SET wrapped = zeroblob(length(wrapped)) WHERE id = $1 AND wrapped IS NOT NULL`, id)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `UPDATE tenant_keys SET wrapped = NULL, destroyed = $2 WHERE id = $1 AND destroyed = 0`, id, at.UnixNano()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("tenant/sqlstore: shred: %w", err)
	}
	return k.db.Checkpoint(ctx)
}
