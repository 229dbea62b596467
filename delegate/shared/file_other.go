//go:build unix && !linux

package shared

import "os"

func anonymousFile(size int) (*os.File, error) { return unlinkedFile(size) }
