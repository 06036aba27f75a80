//go:build unix

package audit

import (
	"fmt"
	"os"
	"syscall"
)

// lock waits for the exclusive lock on f. Dying releases it.
func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			if err != nil {
				return fmt.Errorf("audit: lock: %w", err)
			}
			return nil
		}
	}
}

func unlock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_UN); err != nil {
		return fmt.Errorf("audit: unlock: %w", err)
	}
	return nil
}
