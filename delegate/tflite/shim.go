//go:build tflite

package tflite

/*
#cgo CFLAGS: -I${SRCDIR}/include
#include "shim.h"
#include <stdlib.h>
*/
import "C"

import (
	"reflect"
	"runtime"
	"strings"
	"unsafe"

	gotflite "github.com/tphakala/go-tflite"
)

// Version of the library, "2.17.1".
func Version() string { return C.GoString(C.TfLiteVersion()) }

// messages collects what an interpreter reports. It must be freed after the
// interpreter.
type messages struct{ log *C.nanoflux_log }

func newMessages() *messages { return &messages{log: C.nanoflux_log_new()} }

// attach lets interpreters made with options report here, and be cancelled.
func (m *messages) attach(options *gotflite.InterpreterOptions) bool {
	ok := C.nanoflux_options_prepare(handle(options), m.log) == C.kTfLiteOk
	runtime.KeepAlive(options)
	return ok
}

// take returns the messages since the last call as one line.
func (m *messages) take() string {
	const size = 4096
	text := (*C.char)(C.malloc(size))
	defer C.free(unsafe.Pointer(text))
	C.nanoflux_log_take(m.log, text, size)
	lines := strings.FieldsFunc(C.GoString(text), func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines, "; ")
}

func (m *messages) free() {
	C.nanoflux_log_free(m.log)
	m.log = nil
}

// cancel ends an interpreter's running call at its next operator.
func cancel(interpreter *gotflite.Interpreter) {
	C.nanoflux_interpreter_cancel(handle(interpreter))
	runtime.KeepAlive(interpreter)
}

// handle is the C object that a go-tflite value wraps: its first field, which
// go-tflite does not give out. The value must be kept alive by the caller.
func handle(wrapped any) unsafe.Pointer {
	return reflect.ValueOf(wrapped).Elem().Field(0).UnsafePointer()
}
