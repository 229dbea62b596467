package outfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// MakeDirectory makes a directory for files that Write makes, with all that lead
// to it.
func MakeDirectory(dir string) error {
	if err := CheckDirectory(dir); err != nil {
		return err
	}
	return explain(dir, os.MkdirAll(dir, 0o777))
}

// CheckDirectory says whether MakeDirectory could make dir, and Write a file in
// it, before long work begins. It leaves no trace.
func CheckDirectory(dir string) error {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			probe := filepath.Join(at, "file")
			return explain(probe, intoDirectory(dir, try(probe)))
		case err == nil:
			return intoDirectory(dir, errors.New(at+" is a file; give a directory"))
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR), at == filepath.Dir(at):
			return explain(dir, intoDirectory(dir, err))
		}
	}
}

// intoDirectory names the directory that the caller knows.
func intoDirectory(dir string, err error) error {
	if err == nil {
		return nil
	}
	var of *fs.PathError
	if errors.As(err, &of) {
		err = of.Err
	}
	return &fs.PathError{Op: "write into", Path: dir, Err: err}
}
