//go:build tflite

// Package dl opens shared libraries of vendors at run time: nothing is linked,
// so that one program runs on devices with and without them.
package dl

/*
#cgo linux,!android LDFLAGS: -ldl
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdlib.h>

// The file that has a symbol, or NULL.
static const char* nanoflux_file_of(void* symbol) {
  Dl_info info;
  return dladdr(symbol, &info) != 0 ? info.dli_fname : NULL;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	"nanoflux/delegate"
)

// Library is an open library with every symbol that was asked for.
type Library struct {
	// Path is the name under which the library was found.
	Path string
	// File is the file that was opened, without symbolic links; Path where the
	// loader does not tell.
	File    string
	handle  unsafe.Pointer
	symbols map[string]unsafe.Pointer
}

var (
	mutex  sync.Mutex
	opened = map[string]*opening{}
)

// opening is what came of opening a library: it is not tried again, because a
// library that failed halfway is in an unknown state.
type opening struct {
	library *Library
	err     error
}

// Open opens the first of the named libraries that can be opened and has all
// symbols. Names without a slash are looked for where the system's loader looks.
// Libraries stay open until the program ends: vendors' libraries leave threads
// behind. What came of the first call with the same arguments is the answer to
// all later ones. Errors wrap delegate.ErrUnavailable.
func Open(names []string, symbols ...string) (*Library, error) {
	mutex.Lock()
	defer mutex.Unlock()
	key := strings.Join(names, "\x00") + "\x00\x00" + strings.Join(symbols, "\x00")
	o, known := opened[key]
	if !known {
		o = &opening{}
		o.library, o.err = openFirst(names, symbols)
		opened[key] = o
	}
	return o.library, o.err
}

func openFirst(names, symbols []string) (*Library, error) {
	var first error
	for _, name := range names {
		l, err := open(name, symbols)
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = err
		}
	}
	if first == nil {
		first = errors.New("no library is named")
	}
	return nil, fmt.Errorf("%w: %w", delegate.ErrUnavailable, first)
}

func open(name string, symbols []string) (*Library, error) {
	// dlerror is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path := C.CString(name)
	defer C.free(unsafe.Pointer(path))
	handle := C.dlopen(path, C.RTLD_NOW|C.RTLD_LOCAL)
	if handle == nil {
		return nil, errors.New(C.GoString(C.dlerror()) + whereLooked(name))
	}
	l := &Library{Path: name, File: name, handle: handle, symbols: map[string]unsafe.Pointer{}}
	for _, s := range symbols {
		p := l.Find(s)
		if p == nil {
			C.dlclose(handle)
			return nil, fmt.Errorf("%s has no symbol %s", name, s)
		}
		l.symbols[s] = p
	}
	if len(symbols) > 0 {
		if file := C.nanoflux_file_of(l.symbols[symbols[0]]); file != nil {
			l.File = C.GoString(file)
		}
	}
	if file, err := filepath.EvalSymlinks(l.File); err == nil {
		l.File = file
	}
	return l, nil
}

// whereLooked says where the loader looked for a library that it did not find,
// and what to do; empty for a path, which stands in its own message.
func whereLooked(name string) string {
	if strings.Contains(name, "/") {
		return ""
	}
	variable := "LD_LIBRARY_PATH"
	if runtime.GOOS == "darwin" {
		variable = "DYLD_LIBRARY_PATH"
	}
	folders := "not set"
	if value := os.Getenv(variable); value != "" {
		folders = value
	}
	return fmt.Sprintf(" (looked for in %s, which is %s, and where the system keeps its libraries); give option library a path with a slash, which is taken as it is", variable, folders)
}

// Symbol is the address of a symbol that Open was asked for.
func (l *Library) Symbol(name string) unsafe.Pointer {
	p, asked := l.symbols[name]
	if !asked {
		panic("dl: symbol " + name + " was not asked for")
	}
	return p
}

// Find is the address of a symbol, or nil when the library lacks it.
func (l *Library) Find(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.dlsym(l.handle, c)
}
