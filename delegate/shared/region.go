// Package shared is memory that several processes see: what lies in it crosses
// to a backend's process without a copy.
package shared

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"unsafe"
)

// ErrUnsupported: this system has no shared memory that we know to use.
var ErrUnsupported = errors.New("no shared memory on this system")

// Region is a piece of shared memory.
type Region struct {
	// Data is the memory, zero at first; aligned to a page.
	Data []byte
	// ID is unique in the process that made the region.
	ID      uint64
	file    *os.File
	closing []func()
}

var (
	mutex   sync.Mutex
	regions []*Region // by address
	lastID  uint64
)

// New makes a region of at least one byte. It lives until Close, and nowhere in
// the file system.
func New(size int) (*Region, error) {
	if size <= 0 {
		return nil, fmt.Errorf("shared memory of %d bytes", size)
	}
	f, err := anonymousFile(size)
	if err != nil {
		return nil, fmt.Errorf("shared memory of %d bytes: %w", size, Limited(err))
	}
	data, err := mapFile(f, size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("shared memory of %d bytes: %w", size, err), f.Close())
	}
	r := &Region{Data: data, file: f}
	mutex.Lock()
	defer mutex.Unlock()
	lastID++
	r.ID = lastID
	at, _ := slices.BinarySearchFunc(regions, r.start(), func(r *Region, at uintptr) int { return cmp.Compare(r.start(), at) })
	regions = slices.Insert(regions, at, r)
	return r, nil
}

// Limited adds to an error of too many open files what to do about it.
func Limited(err error) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("%w (raise the limit, ulimit -n)", err)
	}
	return err
}

// Map is the region that another process made, from the file it handed over; it
// takes the file. Such a region is not found by Find.
func Map(f *os.File, size int) (*Region, error) {
	info, err := f.Stat()
	if err == nil && (size <= 0 || info.Size() < int64(size)) {
		err = fmt.Errorf("it has %d bytes, not %d", info.Size(), size)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("shared memory: %w", err), f.Close())
	}
	data, err := mapFile(f, size)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("shared memory: %w", err), f.Close())
	}
	return &Region{Data: data, file: f}, nil
}

// Find is the region of this process that data lies in as a whole, and where.
func Find(data []byte) (r *Region, offset int, ok bool) {
	if len(data) == 0 {
		return nil, 0, false
	}
	at := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	mutex.Lock()
	defer mutex.Unlock()
	i, found := slices.BinarySearchFunc(regions, at, func(r *Region, at uintptr) int { return cmp.Compare(r.start(), at) })
	if !found {
		i--
	}
	if i < 0 || at-regions[i].start() > uintptr(len(regions[i].Data)-len(data)) || len(data) > len(regions[i].Data) {
		return nil, 0, false
	}
	return regions[i], int(at - regions[i].start()), true
}

func (r *Region) start() uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(r.Data))) }

// File is what another process needs for Map; it stays the region's.
func (r *Region) File() *os.File { return r.file }

// BeforeClose has f called by Close, while the memory is still there: another
// process must let it go too.
func (r *Region) BeforeClose(f func()) {
	mutex.Lock()
	defer mutex.Unlock()
	r.closing = append(r.closing, f)
}

// Close gives the memory back; nothing may use Data after that.
func (r *Region) Close() error {
	mutex.Lock()
	if i := slices.Index(regions, r); i >= 0 {
		regions = slices.Delete(regions, i, i+1)
	}
	closing := r.closing
	r.closing = nil
	mutex.Unlock()
	for _, f := range closing {
		f()
	}
	if r.Data == nil {
		return nil
	}
	data := r.Data
	r.Data = nil
	return errors.Join(unmap(data), r.file.Close())
}
