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
	"github.com/ringfence/ringfence/tenant"
)

// Store is one tenant's profile and users. Safe for concurrent use, by several processes too. Stores closes it.
type Store struct{ db *sqldb.DB }

// Profile returns the tenant's settings, or tenant.ErrUnknownTenant before the first SaveProfile.
func (s *Store) Profile(ctx context.Context) (tenant.Profile, error) {
	var p tenant.Profile
	var algorithms string
	err := s.db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, `SELECT name, domain, realm, algorithms FROM tenant_profile WHERE id = 1`).Scan(&p.Name, &p.Domain, &p.Realm, &algorithms)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return tenant.Profile{}, tenant.ErrUnknownTenant
	}
	if err == nil {
		err = json.Unmarshal([]byte(algorithms), &p.Algorithms)
	}
	if err != nil {
		return tenant.Profile{}, fmt.Errorf("tenant/sqlstore: profile: %w", err)
	}
	return p, nil
}

// SaveProfile stores the tenant's settings.
func (s *Store) SaveProfile(ctx context.Context, p tenant.Profile) error {
	algorithms, err := json.Marshal(p.Algorithms)
	if err != nil {
		return fmt.Errorf("tenant/sqlstore: profile: %w", err)
	}
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO tenant_profile (id, name, domain, realm, algorithms) VALUES (1, $1, $2, $3, $4)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, domain = excluded.domain, realm = excluded.realm, algorithms = excluded.algorithms`,
			p.Name, p.Domain, p.Realm, string(algorithms))
		return err
	})
}

const userColumns = `name, display, roles, disabled, created, console, ha1`

// FindUser returns one user, or tenant.ErrUnknownUser.
func (s *Store) FindUser(ctx context.Context, name string) (tenant.UserRecord, error) {
	var u tenant.UserRecord
	err := s.db.View(ctx, func(tx *sql.Tx) (err error) {
		u, err = findUser(ctx, tx, name)
		return err
	})
	return u, err
}

// ListUsers yields all users by name, as they were when it was called.
func (s *Store) ListUsers(ctx context.Context) iter.Seq2[tenant.UserRecord, error] {
	return func(yield func(tenant.UserRecord, error) bool) {
		// Read to the end before the first yield: a caller that takes its time must not hold a transaction open.
		var users []tenant.UserRecord
		err := s.db.View(ctx, func(tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, `SELECT `+userColumns+` FROM tenant_users ORDER BY name`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				u, err := scanUser(rows)
				if err != nil {
					return err
				}
				users = append(users, u)
			}
			return rows.Err()
		})
		if err != nil {
			yield(tenant.UserRecord{}, fmt.Errorf("tenant/sqlstore: users: %w", err))
			return
		}
		for _, u := range users {
			if !yield(u, nil) {
				return
			}
		}
	}
}

// InsertUser adds a user: tenant.ErrExists if the name is taken.
func (s *Store) InsertUser(ctx context.Context, u tenant.UserRecord) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := findUser(ctx, tx, u.Name); err == nil {
			return fmt.Errorf("%w: user %s", tenant.ErrExists, u.Name)
		} else if !errors.Is(err, tenant.ErrUnknownUser) {
			return err
		}
		return putUser(ctx, tx, u)
	})
}

// ChangeUser runs change on a user in one transaction; see tenant.UserWriter.
func (s *Store) ChangeUser(ctx context.Context, name string, change func(u *tenant.UserRecord, admins int) error) error {
	return s.db.Update(ctx, func(tx *sql.Tx) error {
		u, err := findUser(ctx, tx, name)
		if err != nil {
			return err
		}
		var admins int
		err = tx.QueryRowContext(ctx, `SELECT count(*) FROM tenant_users WHERE name <> $1 AND disabled = 0 AND roles LIKE '%"admin"%'`, name).Scan(&admins)
		if err != nil {
			return err
		}
		if err := change(&u, admins); err != nil {
			return err
		}
		if u.Name == "" {
			_, err := tx.ExecContext(ctx, `DELETE FROM tenant_users WHERE name = $1`, name)
			return err
		}
		u.Name = name
		return putUser(ctx, tx, u)
	})
}

func findUser(ctx context.Context, tx *sql.Tx, name string) (tenant.UserRecord, error) {
	u, err := scanUser(tx.QueryRowContext(ctx, `SELECT `+userColumns+` FROM tenant_users WHERE name = $1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return tenant.UserRecord{}, tenant.ErrUnknownUser
	}
	if err != nil {
		return tenant.UserRecord{}, fmt.Errorf("tenant/sqlstore: user: %w", err)
	}
	return u, nil
}

func scanUser(row interface{ Scan(...any) error }) (tenant.UserRecord, error) {
	var (
		u          tenant.UserRecord
		roles, ha1 string
		created    int64
	)
	if err := row.Scan(&u.Name, &u.Display, &roles, &u.Disabled, &created, &u.Console, &ha1); err != nil {
		return tenant.UserRecord{}, err
	}
	u.Created = time.Unix(0, created).UTC()
	err := errors.Join(json.Unmarshal([]byte(roles), &u.Roles), json.Unmarshal([]byte(ha1), &u.HA1))
	return u, err
}

func putUser(ctx context.Context, tx *sql.Tx, u tenant.UserRecord) error {
	roles, err1 := json.Marshal(u.Roles)
	ha1, err2 := json.Marshal(u.HA1)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("tenant/sqlstore: user: %w", err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO tenant_users (`+userColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (name) DO UPDATE SET display = excluded.display, roles = excluded.roles, disabled = excluded.disabled,
		created = excluded.created, console = excluded.console, ha1 = excluded.ha1`,
		u.Name, u.Display, string(roles), u.Disabled, u.Created.UnixNano(), u.Console, string(ha1))
	return err
}
