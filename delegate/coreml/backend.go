//go:build tflite

package coreml

/*
#cgo CFLAGS: -I${SRCDIR}/../tflite/include
#include "coreml.h"
*/
import "C"

import (
	"fmt"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(options map[string]any) (delegate.Backend, error) { return New(fromMap(options)) }
	delegate.Register(k)
}

// The delegate's entry points: all of them or none.
const (
	symbolCreate = "TfLiteCoreMlDelegateCreate"
	symbolDelete = "TfLiteCoreMlDelegateDelete"
)

// Symbols are the entry points that the library must have.
func Symbols() []string { return []string{symbolCreate, symbolDelete} }

// New makes the backend. The library is opened by Probe and Compile.
func New(o Options) (delegate.Backend, error) {
	table, err := o.table()
	if err != nil {
		return nil, err
	}
	libraries := []string{"TensorFlowLiteCCoreML.framework/TensorFlowLiteCCoreML", "libtensorflowlite_coreml_delegate.dylib"}
	if o.Library != "" {
		libraries = []string{o.Library}
	}
	return &tflite.Vendor{
		Kind: "coreml", Threads: tflite.Threads(o.Threads), Table: table,
		Device:   fmt.Sprintf("Core ML %d", o.Version),
		Features: []string{fmt.Sprintf("version=%d", o.Version), "fp16"}, // its GPU and Neural Engine do
		Open:     func() (*dl.Library, error) { return dl.Open(libraries, Symbols()...) },
		Make:     o.create,
	}, nil
}

type created struct {
	library *dl.Library
	ptr     unsafe.Pointer
}

func (o Options) create(l *dl.Library, _ *graph.Model) (tflite.Delegate, error) {
	all := C.int(0)
	if o.AllDevices {
		all = 1
	}
	p := C.nanoflux_coreml_create(l.Symbol(symbolCreate), all, C.int(o.Version), C.int(o.MaxPartitions), C.int(o.MinOperators))
	if p == nil {
		return nil, fmt.Errorf("%w: the Core ML delegate cannot be made: there is no Neural Engine (all_devices allows others)", delegate.ErrUnavailable)
	}
	return &created{l, unsafe.Pointer(p)}, nil
}

// Ptr implements tflite.Delegate.
func (d *created) Ptr() unsafe.Pointer { return d.ptr }

// Delete implements tflite.Delegate.
func (d *created) Delete() {
	if d.ptr != nil {
		C.nanoflux_coreml_delete(d.library.Symbol(symbolDelete), d.ptr)
		d.ptr = nil
	}
}
