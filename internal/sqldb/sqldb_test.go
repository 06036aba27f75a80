package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/sqldb"
)

const table = `CREATE TABLE x_items (id TEXT PRIMARY KEY, secret BLOB NOT NULL)`

func TestMigrationsAreAppliedOnceAndInOrder(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "d", "x.db")
	db, err := sqldb.Open(ctx, path, "x", table)
	require.NoError(t, err)
	require.NoError(t, db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO x_items VALUES ($1, $2)`, "a", []byte("1"))
		return err
	}))
	require.NoError(t, db.Close())

	db, err = sqldb.Open(ctx, path, "x", table, `ALTER TABLE x_items ADD COLUMN more TEXT`)
	require.NoError(t, err)
	var more sql.NullString
	require.NoError(t, db.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow(`SELECT more FROM x_items WHERE id = 'a'`).Scan(&more) }))
	other, err := sqldb.Open(ctx, path, "y", `CREATE TABLE y_items (id TEXT)`) // another room, the same file, at the same time
	require.NoError(t, err)
	require.NoError(t, other.Close())
	require.NoError(t, db.Close())

	_, err = sqldb.Open(ctx, path, "x", table)
	require.ErrorContains(t, err, "older program")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestUpdateRollsBackAndViewCannotWrite(t *testing.T) {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, filepath.Join(t.TempDir(), "x.db"), "x", table)
	require.NoError(t, err)
	defer db.Close()
	boom := errors.New("boom")
	require.ErrorIs(t, db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO x_items VALUES ('a', 'b')`); err != nil {
			return err
		}
		return boom
	}), boom)
	var n int
	require.NoError(t, db.View(ctx, func(tx *sql.Tx) error { return tx.QueryRow(`SELECT count(*) FROM x_items`).Scan(&n) }))
	require.Zero(t, n)
	require.Error(t, db.View(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO x_items VALUES ('a', 'b')`)
		return err
	}))
}

func TestDeletedBytesAreGoneFromTheFiles(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "x.db")
	db, err := sqldb.Open(ctx, path, "x", table)
	require.NoError(t, err)
	defer db.Close()
	secret := []byte("a wrapped key that must not be found again, neither here nor in the log")
	exec := func(q string, args ...any) {
		t.Helper()
		require.NoError(t, db.Update(ctx, func(tx *sql.Tx) error { _, err := tx.Exec(q, args...); return err }))
	}
	found := func() bool {
		for _, f := range []string{path, path + "-wal"} {
			b, err := os.ReadFile(f)
			if err == nil && containsBytes(b, secret) {
				return true
			}
		}
		return false
	}
	exec(`INSERT INTO x_items VALUES ('a', $1)`, secret)
	require.True(t, found(), "the check sees the secret while it is there")
	exec(`DELETE FROM x_items WHERE id = 'a'`)
	require.NoError(t, db.Checkpoint(ctx))
	require.False(t, found())
}

func containsBytes(b, sub []byte) bool {
	for i := 0; i+len(sub) <= len(b); i++ {
		if string(b[i:i+len(sub)]) == string(sub) {
			return true
		}
	}
	return false
}

// Rooms that share a file take turns: with connections of their own, SQLite would make all but one sleep and try again.
func TestRoomsOfOneFileTakeTurns(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "x.db")
	const rooms, each = 4, 50
	errs := make(chan error, rooms)
	for i := range rooms {
		name := string(rune('a' + i))
		db, err := sqldb.Open(ctx, path, name, `CREATE TABLE `+name+`_items (id INTEGER)`)
		require.NoError(t, err)
		go func() { // ends with its updates, waited for below
			var errList []error
			for n := range each {
				errList = append(errList, db.Update(ctx, func(tx *sql.Tx) error { _, err := tx.Exec(`INSERT INTO `+name+`_items VALUES ($1)`, n); return err }))
			}
			errList = append(errList, db.Close(), db.Close())
			if err := db.Update(ctx, func(*sql.Tx) error { return nil }); !errors.Is(err, sqldb.ErrClosed) {
				errList = append(errList, errors.New("a closed DB takes updates"))
			}
			errs <- errors.Join(errList...)
		}()
	}
	for range rooms {
		require.NoError(t, <-errs)
	}
	db, err := sqldb.Open(ctx, path, "a", `CREATE TABLE a_items (id INTEGER)`)
	require.NoError(t, err)
	defer db.Close()
	var n int
	require.NoError(t, db.View(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow(`SELECT (SELECT count(*) FROM a_items) + (SELECT count(*) FROM d_items)`).Scan(&n)
	}))
	require.Equal(t, 2*each, n)
}

func TestUnknownDialect(t *testing.T) {
	_, err := sqldb.Open(context.Background(), "postgres://localhost/x", "x")
	require.ErrorIs(t, err, sqldb.ErrUnsupported)
}
