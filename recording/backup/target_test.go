package backup_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/recording/backup"
	"github.com/ringfence/ringfence/recording/backup/backuptest"
)

func TestFolderConformance(t *testing.T) {
	backuptest.TestTarget(t, func(t *testing.T) backup.Target {
		f, _ := folder(t)
		return f
	})
}

// A disk that goes away while a backup runs is not replaced by a folder on the disk below it.
func TestAFolderThatHasGoneIsNotMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "disk")
	_, err := backup.OpenFolder(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Mkdir(dir, 0o700))
	f, err := backup.OpenFolder(dir)
	require.NoError(t, err)
	require.NoError(t, f.Put(t.Context(), "acme/rows/a", strings.NewReader("x"), 1))
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, f.Put(t.Context(), "acme/rows/a", strings.NewReader("x"), 1), fs.ErrNotExist)
	require.NoDirExists(t, dir)
}
