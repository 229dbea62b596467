//go:build tflite

package tflite

/*
#cgo CFLAGS: -I${SRCDIR}/include
#include "observer.h"
*/
import "C"

import (
	"unsafe"

	"nanoflux/delegate"
)

// Delegate is a TensorFlow Lite delegate for one interpreter: a TfLiteDelegate
// in C memory, and how to free it once the interpreter is gone.
type Delegate interface {
	Ptr() unsafe.Pointer
	Delete()
}

// observer is the delegate that an interpreter is given: around the real one,
// to learn what that takes.
type observer struct {
	inner Delegate
	c     *C.nanoflux_observer
}

// observe takes ownership of inner, also when it returns nil (no memory).
func observe(inner Delegate) *observer {
	c := C.nanoflux_observer_new((*C.TfLiteDelegate)(inner.Ptr()))
	if c == nil {
		inner.Delete()
		return nil
	}
	return &observer{inner: inner, c: c}
}

// Ptr and Delete are go-tflite's interface of a delegate.
func (o *observer) Ptr() unsafe.Pointer { return C.nanoflux_observer_delegate(o.c) }

func (o *observer) Delete() {
	if o.c != nil {
		o.inner.Delete()
		C.nanoflux_observer_free(o.c)
		o.c = nil
	}
}

// taken is what the delegate made of a segment with that many operators.
func (o *observer) taken(operators int) delegate.Taken {
	t := delegate.Taken{Operators: operators, Partitions: int(C.nanoflux_observer_partitions(o.c))}
	count := int(C.nanoflux_observer_left(o.c, nil))
	if count < 0 { // it was not even asked
		for op := range operators {
			t.Left = append(t.Left, op)
		}
		return t
	}
	left := make([]C.int, count+1)
	C.nanoflux_observer_left(o.c, &left[0])
	for _, op := range left[:count] {
		t.Left = append(t.Left, int(op))
	}
	return t
}
