//go:build !unix

package journal

import "os"

// exists says whether there is a process of this number.
func exists(pid int) bool {
	p, err := os.FindProcess(pid) // looks, on Windows
	if err != nil {
		return false
	}
	_ = p.Release() // only a handle
	return true
}
