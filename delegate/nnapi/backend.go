//go:build tflite

package nnapi

/*
#cgo CFLAGS: -I${SRCDIR}/../tflite/include
#include <stdlib.h>
#include "nnapi.h"
*/
import "C"

import (
	"fmt"
	"slices"
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
	symbolDefault = "TfLiteNnapiDelegateOptionsDefault"
	symbolCreate  = "TfLiteNnapiDelegateCreate"
	symbolDelete  = "TfLiteNnapiDelegateDelete"
)

// Symbols are the entry points that the library must have.
func Symbols() []string { return []string{symbolDefault, symbolCreate, symbolDelete} }

// New makes the backend. The library is opened by Probe and Compile.
func New(o Options) (delegate.Backend, error) {
	table, err := o.table()
	if err != nil {
		return nil, err
	}
	if (o.CacheDir == "") != (o.ModelToken == "") {
		return nil, fmt.Errorf("nnapi: cache_dir and model_token go together; give both or none")
	}
	features := []string{fmt.Sprintf("level=%d", o.Level)}
	if o.FP16 {
		features = append(features, "fp16")
	}
	return &tflite.Vendor{
		Kind: "nnapi", Threads: tflite.Threads(o.Threads), Table: table,
		Device:   fmt.Sprintf("NNAPI, feature level %d", o.Level),
		Features: features,
		Open:     o.open,
		Make:     o.create,
	}, nil
}

// open opens the delegate's library. Where it is not named, the system must have
// NNAPI: the delegate itself does nothing elsewhere, in silence.
func (o Options) open() (*dl.Library, error) {
	if o.Library != "" {
		return dl.Open([]string{o.Library}, Symbols()...)
	}
	if _, err := dl.Open([]string{"libneuralnetworks.so"}, "ANeuralNetworksModel_create"); err != nil {
		return nil, err
	}
	return dl.Open([]string{"libtensorflowlite_jni.so", "libtensorflowlite_c.so"}, Symbols()...)
}

// created is a delegate of the library, with the texts that it was given.
type created struct {
	library *dl.Library
	ptr     unsafe.Pointer
	texts   []*C.char
}

func (o Options) create(l *dl.Library, segment *graph.Model) (tflite.Delegate, error) {
	d := &created{library: l}
	token := o.ModelToken
	if token != "" && segment != nil {
		// The driver takes what it finds under a token for the model's: each
		// segment needs one of its own.
		token += "-" + segment.Fingerprint()
	}
	preference := slices.Index(preferences, o.Preference) - 1
	d.ptr = unsafe.Pointer(C.nanoflux_nnapi_create(l.Symbol(symbolDefault), l.Symbol(symbolCreate), C.int(preference),
		d.text(o.Accelerator), d.text(o.CacheDir), d.text(token), number(o.AllowCPU), number(o.FP16), C.int(o.MaxPartitions)))
	if d.ptr == nil {
		d.Delete()
		return nil, fmt.Errorf("%w: the NNAPI delegate cannot be made", delegate.ErrUnavailable)
	}
	return d, nil
}

// text is C's copy of a text, kept as long as the delegate; nil for none.
func (d *created) text(s string) *C.char {
	if s == "" {
		return nil
	}
	c := C.CString(s)
	d.texts = append(d.texts, c)
	return c
}

func number(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

// Ptr implements tflite.Delegate.
func (d *created) Ptr() unsafe.Pointer { return d.ptr }

// Delete implements tflite.Delegate.
func (d *created) Delete() {
	if d.ptr != nil {
		C.nanoflux_nnapi_delete(d.library.Symbol(symbolDelete), d.ptr)
		d.ptr = nil
	}
	for _, c := range d.texts {
		C.free(unsafe.Pointer(c))
	}
	d.texts = nil
}
