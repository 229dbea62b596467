package journal

import (
	"os"
	"time"
)

// lockWait bounds the wait for a process that holds the lock and was stopped;
// the lock is usually held for microseconds.
const lockWait = 2 * time.Second

// waitForLock takes the lock on a file, or goes on without when that takes too
// long or the file system has none.
func waitForLock(f *os.File) {
	for end := time.Now().Add(lockWait); ; time.Sleep(2 * time.Millisecond) {
		held, possible := tryLock(f)
		if held || !possible || time.Now().After(end) {
			return
		}
	}
}
