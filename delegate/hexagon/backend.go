//go:build tflite

package hexagon

/*
#cgo CFLAGS: -I${SRCDIR}/../tflite/include
#include <stdlib.h>
#include "hexagon.h"
*/
import "C"

import (
	"fmt"
	"sync"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/support"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(options map[string]any) (delegate.Backend, error) { return New(fromMap(options)), nil }
	delegate.Register(k)
}

func fromMap(o map[string]any) Options {
	return Options{
		Library: o["library"].(string), SkelDir: o["skel_dir"].(string), PowerSave: o["power_save"].(int),
		MaxPartitions: o["max_partitions"].(int), MinOperators: o["min_nodes"].(int), Threads: o["threads"].(int),
	}
}

// The delegate's entry points: all of them or none.
const (
	symbolInit         = "TfLiteHexagonInit"
	symbolInitWithPath = "TfLiteHexagonInitWithPath"
	symbolTearDown     = "TfLiteHexagonTearDown"
	symbolDefault      = "TfLiteHexagonDelegateOptionsDefault"
	symbolCreate       = "TfLiteHexagonDelegateCreate"
	symbolDelete       = "TfLiteHexagonDelegateDelete"
)

// Symbols are the entry points that the library must have.
func Symbols() []string {
	return []string{symbolInit, symbolInitWithPath, symbolTearDown, symbolDefault, symbolCreate, symbolDelete}
}

// New makes the backend. The library is opened by Probe and Compile.
func New(o Options) delegate.Backend {
	libraries := []string{"libhexagon_delegate.so"}
	if o.Library != "" {
		libraries = []string{o.Library}
	}
	return &tflite.Vendor{
		Kind: "hexagon", Threads: tflite.Threads(o.Threads), Table: support.Hexagon(),
		Device: "Qualcomm Hexagon DSP",
		Open:   func() (*dl.Library, error) { return dl.Open(libraries, Symbols()...) },
		Make:   o.create,
	}
}

// connections counts the delegates of each library: the DSP is connected before
// the first one and let go after the last.
var (
	connectionsMutex sync.Mutex
	connections      = map[*dl.Library]int{}
)

func (o Options) connect(l *dl.Library) {
	connectionsMutex.Lock()
	defer connectionsMutex.Unlock()
	connections[l]++
	if connections[l] > 1 {
		return
	}
	if o.SkelDir == "" {
		C.nanoflux_hexagon_init(l.Symbol(symbolInit))
		return
	}
	folder := C.CString(o.SkelDir)
	defer C.free(unsafe.Pointer(folder))
	C.nanoflux_hexagon_init_with_path(l.Symbol(symbolInitWithPath), folder)
}

func disconnect(l *dl.Library) {
	connectionsMutex.Lock()
	defer connectionsMutex.Unlock()
	connections[l]--
	if connections[l] == 0 {
		C.nanoflux_hexagon_tear_down(l.Symbol(symbolTearDown))
	}
}

type created struct {
	library *dl.Library
	ptr     unsafe.Pointer
}

func (o Options) create(l *dl.Library, _ *graph.Model) (tflite.Delegate, error) {
	o.connect(l)
	p := C.nanoflux_hexagon_create(l.Symbol(symbolDefault), l.Symbol(symbolCreate), C.int(o.PowerSave), C.int(o.MaxPartitions), C.int(o.MinOperators))
	if p == nil {
		disconnect(l)
		return nil, fmt.Errorf("%w: the Hexagon delegate cannot be made: this device has no supported DSP, or its skel libraries are not found (option skel_dir)", delegate.ErrUnavailable)
	}
	return &created{l, unsafe.Pointer(p)}, nil
}

// Ptr implements tflite.Delegate.
func (d *created) Ptr() unsafe.Pointer { return d.ptr }

// Delete implements tflite.Delegate.
func (d *created) Delete() {
	if d.ptr != nil {
		C.nanoflux_hexagon_delete(d.library.Symbol(symbolDelete), d.ptr)
		d.ptr = nil
		disconnect(d.library)
	}
}
