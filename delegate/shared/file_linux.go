package shared

import (
	"os"

	"golang.org/x/sys/unix"
)

// anonymousFile is a file in memory, without a name. Old Android kernels refuse
// it to apps; a file in the cache folder does there.
func anonymousFile(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("nanoflux", unix.MFD_CLOEXEC)
	if err != nil {
		return unlinkedFile(size)
	}
	f := os.NewFile(uintptr(fd), "shared memory")
	return sized(f, size)
}
