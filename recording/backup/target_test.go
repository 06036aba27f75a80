package backup_test

import (
	"testing"

	"github.com/ringfence/ringfence/recording/backup"
	"github.com/ringfence/ringfence/recording/backup/backuptest"
)

func TestFolderConformance(t *testing.T) {
	backuptest.TestTarget(t, func(t *testing.T) backup.Target {
		f, _ := folder(t)
		return f
	})
}
