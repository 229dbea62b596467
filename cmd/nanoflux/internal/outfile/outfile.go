// Package outfile writes result files so that a file is either whole or not
// there: the bytes go to a new file beside it, which then takes its name.
package outfile

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write calls write with a writer for the new contents of path. When write or
// anything after it fails, path is as it was before. What exists and is not a
// regular file (a device, a pipe) is written to directly. Errors say what to do
// after their last semicolon.
func Write(path string, write func(io.Writer) error) error {
	return explain(path, replace(path, write))
}

func replace(path string, write func(io.Writer) error) error {
	path, direct, err := target(path)
	if err != nil {
		return err
	}
	if direct {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return fill(f, false, write)
	}
	f, err := beside(path)
	if err != nil {
		return err
	}
	err = fill(f, true, write)
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		err = named(err, f.Name(), path)
	}
	return err
}

// named puts the name that the caller knows in place of the temporary one.
func named(err error, temporary, path string) error {
	var of *fs.PathError
	if errors.As(err, &of) && of.Path == temporary {
		return &fs.PathError{Op: of.Op, Path: path, Err: of.Err}
	}
	var link *os.LinkError
	if errors.As(err, &link) && link.Old == temporary {
		return &fs.PathError{Op: "write", Path: path, Err: link.Err}
	}
	return err
}

// Check says whether Write could make path now, before long work begins. It
// leaves no trace.
func Check(path string) error {
	resolved, direct, err := target(path)
	if err == nil && !direct {
		err = try(resolved)
	}
	return explain(path, err)
}

// try makes a file beside path and removes it.
func try(path string) error {
	f, err := beside(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// target follows links and says whether path must be written to directly.
func target(path string) (resolved string, direct bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, false, nil
	case err != nil:
		return path, false, err
	case info.IsDir():
		return path, false, &fs.PathError{Op: "write", Path: path, Err: errors.New("it is a directory; give a file name")}
	case !info.Mode().IsRegular():
		return path, true, nil
	}
	// A link stays a link: what it points to is replaced.
	resolved, err = filepath.EvalSymlinks(path)
	return resolved, false, err
}

// beside makes a new file in path's directory, with the permissions that any
// new file gets.
func beside(path string) (*os.File, error) {
	var suffix [6]byte
	if _, err := rand.Read(suffix[:]); err != nil {
		return nil, err
	}
	name := filepath.Join(filepath.Dir(path), ".nanoflux-"+hex.EncodeToString(suffix[:])+".part")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	var pathError *fs.PathError
	if errors.As(err, &pathError) { // name the file that the caller knows
		return nil, &fs.PathError{Op: "create", Path: path, Err: pathError.Err}
	}
	return f, err
}

// fill writes, flushes and closes f. It syncs a file that is about to be
// renamed: otherwise a power cut could leave the name without the bytes.
func fill(f *os.File, sync bool, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<16)
	err := write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil && sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// explain adds what to do to the errors that people meet.
func explain(path string, err error) error {
	var do string
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		do = "free some space or write elsewhere"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		do = "write elsewhere or change the permissions"
	case errors.Is(err, syscall.ENOTDIR):
		do = "write elsewhere, as a part of the path is a file"
	case errors.Is(err, syscall.ENAMETOOLONG):
		do = "give a shorter name"
	case errors.Is(err, fs.ErrNotExist) && isDirectory(filepath.Dir(path)): // such as /proc
		do = "write elsewhere, as this directory takes no new files"
	case errors.Is(err, fs.ErrNotExist):
		do = "make the directory first"
	default:
		return err
	}
	return fmt.Errorf("%w; %s", err, do)
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
