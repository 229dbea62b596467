package journal

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// tryLock takes the lock if nobody has it. possible is false where the file
// system has no locks.
func tryLock(f *os.File) (held, possible bool) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	return err == nil, err == nil || errors.Is(err, windows.ERROR_LOCK_VIOLATION)
}
