//go:build unix

package journal

import (
	"errors"
	"syscall"
)

// exists says whether there is a process of this number, whoever owns it.
func exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
