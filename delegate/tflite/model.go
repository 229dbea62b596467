//go:build tflite

package tflite

/*
#cgo CFLAGS: -I${SRCDIR}/include
#include <stdlib.h>
#include <tensorflow/lite/c/c_api.h>
#include "model.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	gotflite "github.com/tphakala/go-tflite"

	"nanoflux/graph"
)

// mapping is a segment as TensorFlow Lite reads it. Its weights are not copied:
// the file's structure is written to memory of its own, and leads to where the
// weights lie already (the mapped model file, mostly).
type mapping struct {
	wrapped *gotflite.Model
	memory  unsafe.Pointer
	size    C.size_t
	mapped  bool
	pins    runtime.Pinner
	// segment keeps the weights alive.
	segment *graph.Model
}

// mapModel reads the segment; close frees it, after the interpreter.
func mapModel(segment *graph.Model) (*mapping, error) {
	m := &mapping{segment: segment}
	size, err := graph.MarshalInPlace(segment, m.reserve)
	if errors.Is(err, graph.ErrOutOfReach) {
		m.close()
		size, err = m.copied()
	}
	if err != nil {
		m.close()
		return nil, err
	}
	if len(segment.File) > 0 {
		m.pins.Pin(unsafe.SliceData(segment.File)) // C keeps its address
	}
	c := C.TfLiteModelCreate(m.memory, C.size_t(size))
	if c == nil {
		m.close()
		return nil, errors.New("TensorFlow Lite cannot read the model")
	}
	m.wrapped = wrapModel(unsafe.Pointer(c))
	return m, nil
}

func (m *mapping) reserve(n int, end uintptr) ([]byte, error) {
	first := uintptr(unsafe.Pointer(unsafe.SliceData(m.segment.File)))
	if end == 0 { // nothing to lie below of
		m.memory = C.calloc(1, C.size_t(n))
		if m.memory == nil {
			return nil, fmt.Errorf("no memory for a model of %d bytes", n)
		}
		return unsafe.Slice((*byte)(m.memory), n), nil
	}
	m.size = C.size_t(n)
	m.memory = C.nanoflux_memory_below(m.size, C.uintptr_t(first), C.uintptr_t(end))
	if m.memory == nil {
		return nil, graph.ErrOutOfReach
	}
	m.mapped = true
	return unsafe.Slice((*byte)(m.memory), n), nil
}

// copied writes the whole file, weights and all: for a file that no memory
// lies near enough to.
func (m *mapping) copied() (int64, error) {
	data, err := graph.Marshal(m.segment)
	if err != nil {
		return 0, err
	}
	if m.memory = C.CBytes(data); m.memory == nil {
		return 0, fmt.Errorf("no memory for a model of %d bytes", len(data))
	}
	return int64(len(data)), nil
}

func (m *mapping) close() {
	if m.wrapped != nil {
		m.wrapped.Delete()
		m.wrapped = nil
	}
	m.pins.Unpin()
	switch {
	case m.memory == nil:
	case m.mapped:
		C.nanoflux_memory_free(m.memory, m.size)
	default:
		C.free(m.memory)
	}
	m.memory, m.mapped = nil, false
}

// wrapModel makes a go-tflite model of a TfLiteModel. go-tflite itself offers
// only to copy the file, or to read it from a path. Delete frees the TfLiteModel
// and nothing else.
func wrapModel(c unsafe.Pointer) *gotflite.Model {
	m := new(gotflite.Model)
	*(*unsafe.Pointer)(unsafe.Pointer(m)) = c // its first field; a test holds that
	return m
}
