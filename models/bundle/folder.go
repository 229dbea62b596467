package bundle

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edsrzf/mmap-go"
)

// folder is a bundle as files in a folder. It is opened as an os.Root: neither a
// name nor a symbolic link leads out of it.
type folder struct {
	root *os.Root
	open map[string]mmap.MMap
}

func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root: root, open: map[string]mmap.MMap{}}, nil
}

func (f *folder) file(name string, size int64) ([]byte, error) {
	if data, ok := f.open[name]; ok {
		return data, nil
	}
	path := filepath.FromSlash(name)
	info, err := f.root.Stat(path) // before opening, as a pipe would wait for a writer
	switch {
	case errors.Is(err, fs.ErrNotExist) && size < 0:
		return nil, fmt.Errorf("%w; give a bundle: a folder with %s, or a .zip", reason(err), name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; put it there or fetch the bundle again", reason(err))
	case err != nil:
		return nil, reason(err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case size >= 0 && info.Size() != size:
		return nil, fmt.Errorf("%w: it has %d bytes, the manifest says %d", ErrHash, info.Size(), size)
	case size < 0 && info.Size() > mostManifest:
		return nil, fmt.Errorf("it has %d bytes; the most is %d", info.Size(), mostManifest)
	case info.Size() == 0: // cannot be mapped
		return nil, nil
	}
	opened, err := f.root.Open(path)
	if err != nil {
		return nil, reason(err)
	}
	data, err := mapFile(opened)
	if err != nil {
		return nil, err
	}
	f.open[name] = data
	return data, nil
}

// reason drops the name of the system call and of the file, which the caller adds.
func reason(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}

func (f *folder) close() error {
	var all []error
	for _, data := range f.open {
		all = append(all, data.Unmap())
	}
	f.open = nil
	return errors.Join(append(all, f.root.Close())...)
}

// mapFile maps a whole file that is not empty, and closes it.
func mapFile(f *os.File) (mmap.MMap, error) {
	defer func() { _ = f.Close() }() // opened for reading only
	return mmap.Map(f, mmap.RDONLY, 0)
}
