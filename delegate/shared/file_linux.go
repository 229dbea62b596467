package shared

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// anonymousFile is a file in memory, without a name. Old Android kernels refuse
// it to apps; a file in the cache folder does there.
func anonymousFile(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("nanoflux", unix.MFD_CLOEXEC)
	if errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) {
		return nil, err // there is none in the file system either
	}
	if err != nil {
		f, second := unlinkedFile(size)
		if second != nil {
			return nil, fmt.Errorf("no memory file: %w; no file in its place: %w", err, second)
		}
		return f, nil
	}
	f := os.NewFile(uintptr(fd), "shared memory")
	return sized(f, size)
}
