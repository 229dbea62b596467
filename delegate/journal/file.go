package journal

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Sizes of the file in bytes.
const (
	// maxSize is where it is written anew with what still matters.
	maxSize = 1 << 20
	// maxRead bounds what is read of a file that something else made large; the
	// end counts.
	maxRead = 8 << 20
)

// load reads the file once. The mutex is held.
func (j *Journal) load() {
	if j.loaded {
		return
	}
	j.loaded = true
	data, err := read(j.path)
	if err != nil {
		j.problem(err)
	}
	j.entries = map[Key]*entry{}
	j.parse(data)
	for _, e := range j.entries {
		if e.answer.given() || e.crash() != nil {
			j.knows = true
			break
		}
	}
	if len(data) > maxSize {
		j.problem(j.compact())
	}
}

// read is the file's end; nothing when there is no file.
func read(path string) ([]byte, error) {
	// Opening a pipe would wait for a writer.
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNoFile}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := info.Size()
	from := max(0, size-maxRead)
	data, err := io.ReadAll(io.NewSectionReader(f, from, maxRead))
	if from > 0 {
		_, data, _ = bytes.Cut(data, []byte{'\n'}) // the first line was cut
	}
	return data, err
}

// parse takes all whole lines. What follows the last line end is a line that a
// crash kept from being written, or that another process is writing.
func (j *Journal) parse(data []byte) {
	for {
		line, rest, whole := bytes.Cut(data, []byte{'\n'})
		if !whole {
			return
		}
		data = rest
		if len(line) == 0 {
			continue
		}
		if len(line) > maxLine || !j.take(string(line)) {
			j.skipped++
		}
	}
}

// append writes one line with one call, so that lines of several processes do
// not mix. The mutex is held.
func (j *Journal) append(line string, sync bool) {
	if len(line) > maxLine {
		return
	}
	j.problem(j.locked(func() error {
		f, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = &fs.PathError{Op: "open", Path: j.path, Err: errNoFile}
		}
		if err == nil && !endsWell(f, info.Size()) {
			line = "\n" + line // after a line that was cut
		}
		if err == nil {
			_, err = f.WriteString(line)
		}
		if err == nil && sync {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	}))
}

// endsWell says whether the last line is whole.
func endsWell(f *os.File, size int64) bool {
	if size == 0 {
		return true
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], size-1)
	return err != nil || last[0] == '\n'
}

// locked does something with the file while no other process does. A file system
// without locks is used all the same.
func (j *Journal) locked(do func() error) error {
	if info, err := os.Stat(j.path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: j.path, Err: errNoFile}
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return err
	}
	if f := lockAt(j.path + lockSuffix); f != nil {
		defer f.Close() // gives the lock back
	}
	return do()
}

// lockSuffix makes the name of the lock's file from the journal's.
const lockSuffix = ".lock"

// lockAt takes the lock at a path; nil where there can be none.
func lockAt(path string) *os.File {
	for range 10 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil
		}
		waitForLock(f)
		mine, err := f.Stat()
		there, errThere := os.Stat(path)
		if err != nil || errThere == nil && os.SameFile(mine, there) {
			return f
		}
		_ = f.Close() // whoever had it removed the file: the lock is another now
	}
	return nil
}

// compact writes the file anew: crashes, attempts that may still be going on,
// and what devices answered. It reads the file again, as other processes may have
// written meanwhile.
func (j *Journal) compact() error {
	return j.locked(func() error {
		data, err := read(j.path)
		if err != nil || len(data) <= maxSize { // another process was first
			return err
		}
		now := &Journal{entries: map[Key]*entry{}}
		now.parse(data)
		text := now.essence()
		temporary, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
		if err != nil {
			return err
		}
		_, err = temporary.WriteString(text)
		err = errors.Join(err, temporary.Sync(), temporary.Close())
		if err == nil {
			err = os.Rename(temporary.Name(), j.path)
		}
		if err != nil {
			_ = os.Remove(temporary.Name()) // the first error is the one to report
		}
		return err
	})
}

// essence is the shortest text that says the same, but for what went well. It is
// at most half of maxSize: the oldest crashes are kept, and of the answers what
// has room.
func (j *Journal) essence() string {
	var keys []Key
	for k := range j.entries {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var crashes, answers strings.Builder
	add := func(b *strings.Builder, line string) {
		if crashes.Len()+answers.Len()+len(line) <= maxSize/2 {
			b.WriteString(line)
		}
	}
	for _, k := range keys {
		e := j.entries[k]
		if e.lost != nil {
			add(&crashes, startLine(k, lostToken, e.lost.When, e.lost.What)+endLine(k, lostToken, e.lost.When, Lost, e.lost.Cause))
			continue
		}
		for token, a := range e.open {
			for range min(a.n, 2) {
				add(&crashes, startLine(k, token, a.last.When, a.last.What))
			}
		}
	}
	for _, k := range keys {
		if e := j.entries[k]; e.answer.given() {
			add(&answers, answerLine(k, e.answer))
		}
	}
	return crashes.String() + answers.String()
}

// remove deletes the file, and the lock's where an open file can be deleted.
func (j *Journal) remove() error {
	if _, err := os.Stat(j.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return j.locked(func() error {
		if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_ = os.Remove(j.path + lockSuffix) // it is made anew when it is needed
		return nil
	})
}
