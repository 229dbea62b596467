//go:build tflite

package external

/*
#cgo CFLAGS: -I${SRCDIR}/../tflite/include
#include <stdlib.h>
#include "plugin.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"

	"github.com/mattn/go-pointer"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/tflite"
)

// The two functions of a plugin.
const (
	symbolCreate  = "tflite_plugin_create_delegate"
	symbolDestroy = "tflite_plugin_destroy_delegate"
)

// Symbols are the functions that a plugin must have.
func Symbols() []string { return []string{symbolCreate, symbolDestroy} }

// Create makes a delegate of a plugin with its own options. What the plugin
// reports stands in the error.
func Create(l *dl.Library, settings []Setting) (tflite.Delegate, error) {
	d := &created{library: l}
	keys, values := d.texts(settings, func(s Setting) string { return s.Key }), d.texts(settings, func(s Setting) string { return s.Value })
	var reports reports
	token := pointer.Save(&reports)
	defer pointer.Unref(token)
	d.ptr = unsafe.Pointer(C.nanoflux_plugin_create(l.Symbol(symbolCreate), keys, values, C.size_t(len(settings)), token))
	if d.ptr == nil {
		d.Delete()
		why := "without a word why"
		if len(reports.texts) > 0 {
			why = strings.Join(reports.texts, "; ")
		}
		return nil, fmt.Errorf("%w: %s refuses to make a delegate: %s", delegate.ErrUnavailable, l.Path, why)
	}
	return d, nil
}

// reports is what a plugin says while it makes a delegate.
type reports struct{ texts []string }

//export nanofluxPluginReport
func nanofluxPluginReport(token unsafe.Pointer, message *C.char) {
	if r, ok := pointer.Restore(token).(*reports); ok {
		r.texts = append(r.texts, strings.TrimSpace(C.GoString(message)))
	}
}

// created is a delegate of a plugin, with the texts that it was given: a plugin
// may keep them.
type created struct {
	library *dl.Library
	ptr     unsafe.Pointer
	memory  []unsafe.Pointer
}

func (d *created) texts(settings []Setting, text func(Setting) string) **C.char {
	list := C.calloc(C.size_t(len(settings)+1), C.size_t(unsafe.Sizeof(uintptr(0))))
	d.memory = append(d.memory, list)
	slots := unsafe.Slice((**C.char)(list), len(settings)+1)
	for i, s := range settings {
		slots[i] = C.CString(text(s))
		d.memory = append(d.memory, unsafe.Pointer(slots[i]))
	}
	return (**C.char)(list)
}

// Ptr implements tflite.Delegate.
func (d *created) Ptr() unsafe.Pointer { return d.ptr }

// Delete implements tflite.Delegate.
func (d *created) Delete() {
	if d.ptr != nil {
		C.nanoflux_plugin_destroy(d.library.Symbol(symbolDestroy), d.ptr)
		d.ptr = nil
	}
	for _, p := range d.memory {
		C.free(p)
	}
	d.memory = nil
}
