//go:build tflite

package litert

import (
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

var printing sync.Mutex

// mostPrinted bounds in bytes what is read of it.
const mostPrinted = 1 << 20

// printed is what is written to the standard error while f runs; it is written
// there afterwards. LiteRT and vendors' libraries say there, and nowhere else, why
// something failed.
func printed(f func()) string {
	printing.Lock()
	defer printing.Unlock()
	file, err := os.CreateTemp("", "nanoflux-said-")
	if err != nil {
		f()
		return ""
	}
	defer func() { _ = file.Close() }()
	_ = os.Remove(file.Name()) // it lives as long as it is open
	before, err := unix.Dup(2)
	if err != nil {
		f()
		return ""
	}
	defer func() { _ = unix.Close(before) }()
	unix.CloseOnExec(before)
	if err := redirect(int(file.Fd()), 2); err != nil {
		f()
		return ""
	}
	f()
	_ = redirect(before, 2) // it was there
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return ""
	}
	said, _ := io.ReadAll(io.LimitReader(file, mostPrinted)) // what can be read
	_, _ = os.Stderr.Write(said)
	return string(said)
}
