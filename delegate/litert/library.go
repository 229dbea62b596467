//go:build tflite

package litert

/*
#cgo CFLAGS: -std=gnu11
#include <stdlib.h>
#include "litert.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
)

// symbols are the functions that the library must have.
func symbols() []string {
	var list []string
	for {
		name := C.nanoflux_litert_name(C.int(len(list)))
		if name == nil {
			return list
		}
		list = append(list, C.GoString(name))
	}
}

// library is an open libLiteRt.so.
type library struct {
	*dl.Library
	// table lies in C's memory.
	table *C.nanoflux_litert
}

var (
	opening   sync.Mutex
	libraries = map[string]*library{}
)

// openLibrary opens the first of the paths that can be opened and is new enough.
// Errors wrap delegate.ErrUnavailable.
func openLibrary(paths []string) (*library, error) {
	names := symbols()
	d, err := dl.Open(paths, names...)
	if err != nil {
		return nil, fmt.Errorf("%w; this backend needs libLiteRt.so of LiteRT 2.3.0 or newer: run ci/setup litert, or give option library its path", err)
	}
	opening.Lock()
	defer opening.Unlock()
	if l := libraries[d.Path]; l != nil {
		return l, nil
	}
	l := &library{Library: d, table: (*C.nanoflux_litert)(C.calloc(1, C.sizeof_nanoflux_litert))}
	if l.table == nil {
		return nil, errors.New("no memory")
	}
	slots := unsafe.Slice((*unsafe.Pointer)(unsafe.Pointer(l.table)), len(names))
	for i, n := range names {
		slots[i] = d.Symbol(n)
	}
	libraries[d.Path] = l
	return l, nil
}

// environment is LiteRT's state. A process has one for the CPU and one for NPUs:
// LiteRT itself opens one dispatch library in a process, and keeps it.
type environment struct {
	library *library
	handle  C.litert_handle
	set     C.int
	// dispatch is the folder of the dispatch library; empty without an NPU.
	dispatch string
	text     *C.char // the same, which LiteRT keeps
}

var (
	making       sync.Mutex
	environments = map[string]*environment{}
)

// environment makes an environment, or gives the one that was made before.
func (l *library) environment(npu bool, dispatch string) (*environment, error) {
	making.Lock()
	defer making.Unlock()
	key := "cpu " + l.Path
	if npu {
		key = "npu"
	}
	if e := environments[key]; e != nil {
		if e.dispatch != dispatch || e.library != l {
			return nil, fmt.Errorf("%w: LiteRT runs one dispatch library in a process, and %s is already in use; run the other one in a process of its own (isolate)", delegate.ErrUnavailable, e.dispatch)
		}
		return e, nil
	}
	e := &environment{library: l, set: C.LITERT_CPU, dispatch: dispatch}
	if npu {
		e.set |= C.LITERT_NPU
		e.text = C.CString(dispatch)
	}
	if status := C.nanoflux_litert_environment(l.table, e.set, e.text, &e.handle); status != C.LITERT_OK {
		return nil, fmt.Errorf("%w: LiteRT cannot start: %w", delegate.ErrUnavailable, failure(status, ""))
	}
	environments[key] = e
	return e, nil
}
