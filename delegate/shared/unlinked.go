//go:build unix

package shared

import (
	"errors"
	"os"
	"path/filepath"
)

// unlinkedFile is a file that is removed as soon as it is open.
func unlinkedFile(size int) (*os.File, error) {
	dir, err := os.UserCacheDir()
	if err == nil {
		dir = filepath.Join(dir, "nanoflux")
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		dir = os.TempDir()
	}
	f, err := os.CreateTemp(dir, "shared-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return sized(f, size)
}

func sized(f *os.File, size int) (*os.File, error) {
	if err := f.Truncate(int64(size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
