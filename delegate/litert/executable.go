//go:build tflite

package litert

/*
#include <stdlib.h>
#include "litert.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/graph"
)

// compiling lets compilations take turns: the first one on an NPU sets up the
// dispatch library, without a lock of its own.
var compiling sync.Mutex

// executable owns one compiled model of LiteRT and the buffers of its inputs and
// outputs. The mutex lets calls take turns: LiteRT has one set of them.
type executable struct {
	mu          sync.Mutex
	environment *environment
	inputs      []graph.Tensor
	outputs     []graph.Tensor
	// shapes are the present ones of the inputs; results of the outputs. Both are
	// nil while there are no buffers.
	shapes, results [][]int
	in, out         []C.litert_handle
	// compiled is nil once closed.
	compiled, model C.litert_handle
	file            []byte // what the model reads its weights from
	pins            runtime.Pinner
	flag            *C.int // 1 ends a run
}

// newExecutable makes a model ready whose inputs and outputs are those of g.
func newExecutable(environment *environment, file []byte, g *graph.Subgraph, threads int) (*executable, error) {
	e := &executable{environment: environment, file: file}
	for _, t := range g.Inputs {
		e.inputs = append(e.inputs, g.Tensors[t])
	}
	for _, t := range g.Outputs {
		e.outputs = append(e.outputs, g.Tensors[t])
	}
	if err := e.open(threads); err != nil {
		_ = e.Close() // the first error is the one to report
		return nil, err
	}
	return e, nil
}

func (e *executable) table() *C.nanoflux_litert { return e.environment.library.table }

func (e *executable) open(threads int) error {
	if e.flag = (*C.int)(C.calloc(1, C.sizeof_int)); e.flag == nil {
		return errors.New("no memory")
	}
	e.pins.Pin(unsafe.SliceData(e.file)) // C keeps its address
	data := unsafe.Pointer(unsafe.SliceData(e.file))
	if s := C.nanoflux_litert_model(e.table(), e.environment.handle, data, C.size_t(len(e.file)), &e.model); s != C.LITERT_OK {
		return fmt.Errorf("reading the model: %w", failure(s, ""))
	}
	compile := func() C.int {
		compiling.Lock()
		defer compiling.Unlock()
		return C.nanoflux_litert_compile(e.table(), e.environment.handle, e.model, e.environment.set, C.int(threads), &e.compiled)
	}
	if s := compile(); s != C.LITERT_OK {
		// What went wrong is only printed: once more, to read it.
		said := printed(func() { s = compile() })
		if s != C.LITERT_OK {
			return fmt.Errorf("compiling: %w", failure(s, compiler.Complaints(said)))
		}
	}
	if s := C.nanoflux_litert_cancellable(e.table(), e.compiled, e.flag); s != C.LITERT_OK {
		return fmt.Errorf("compiling: %w", failure(s, e.said()))
	}
	shapes := make([][]int, len(e.inputs))
	for i := range e.inputs {
		shapes[i] = slices.Clone(e.inputs[i].Shape)
	}
	return e.prepare(shapes)
}

// said is what LiteRT reported since it was asked last.
func (e *executable) said() string {
	text := C.nanoflux_litert_messages(e.table(), e.compiled)
	if text == nil {
		return ""
	}
	defer C.free(unsafe.Pointer(text))
	return oneLine(C.GoString(text))
}

// prepare gives the inputs shapes and makes the buffers anew.
func (e *executable) prepare(shapes [][]int) error {
	e.freeBuffers()
	for i, shape := range shapes {
		if len(shape) == 0 || slices.Equal(shape, e.inputs[i].Shape) && e.inputs[i].ShapeSignature == nil {
			continue
		}
		dims := make([]C.int, len(shape))
		for k, d := range shape {
			dims[k] = C.int(d)
		}
		if s := C.nanoflux_litert_resize(e.table(), e.compiled, C.size_t(i), &dims[0], C.size_t(len(dims))); s != C.LITERT_OK {
			return fmt.Errorf("resizing input %d (%q): %w", i, e.inputs[i].Name, failure(s, e.said()))
		}
	}
	layouts := make([]C.litert_layout, len(e.outputs))
	if len(layouts) > 0 {
		if s := C.nanoflux_litert_outputs(e.table(), e.compiled, C.size_t(len(layouts)), &layouts[0]); s != C.LITERT_OK {
			return fmt.Errorf("shapes of the outputs: %w", failure(s, e.said()))
		}
	}
	results := make([][]int, len(e.outputs))
	for i := range layouts {
		results[i] = make([]int, int(C.nanoflux_litert_rank(&layouts[i])))
		for k := range results[i] {
			results[i][k] = int(layouts[i].dimensions[k])
		}
	}
	for i := range e.inputs {
		b, err := e.buffer(0, i, &e.inputs[i], shapes[i])
		if err != nil {
			return fmt.Errorf("input %d (%q): %w", i, e.inputs[i].Name, err)
		}
		e.in = append(e.in, b)
	}
	for i := range e.outputs {
		b, err := e.buffer(1, i, &e.outputs[i], results[i])
		if err != nil {
			return fmt.Errorf("output %d (%q): %w", i, e.outputs[i].Name, err)
		}
		e.out = append(e.out, b)
	}
	e.shapes, e.results = shapes, results
	return nil
}

// buffer makes the buffer of an input or (output = 1) an output.
func (e *executable) buffer(output, i int, t *graph.Tensor, shape []int) (C.litert_handle, error) {
	element, known := elements[t.Type]
	if !known || len(shape) > C.LITERT_MOST_RANK {
		return nil, fmt.Errorf("%v of %d dimensions: %w", t.Type, len(shape), delegate.ErrUnsupported)
	}
	var of C.litert_type
	of.element = C.int32_t(element)
	var dims [C.LITERT_MOST_RANK]C.int32_t
	for k, d := range shape {
		dims[k] = C.int32_t(d)
	}
	C.nanoflux_litert_set_shape(&of.layout, &dims[0], C.int(len(shape)))
	var made C.litert_handle
	if s := C.nanoflux_litert_buffer(e.table(), e.environment.handle, e.compiled, C.int(output), C.size_t(i), &of, &made); s != C.LITERT_OK {
		return nil, fmt.Errorf("making a buffer of %v %v: %w", t.Type, shape, failure(s, e.said()))
	}
	return made, nil
}

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.run(ctx, inputs, outputs); err != nil {
		return fmt.Errorf("litert: %w", err)
	}
	return nil
}

func (e *executable) run(ctx context.Context, inputs, outputs []graph.Array) error {
	if e.compiled == nil {
		return delegate.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(outputs) != len(e.outputs) {
		return fmt.Errorf("%w: room for %d outputs, there are %d", delegate.ErrInput, len(outputs), len(e.outputs))
	}
	if err := e.setInputs(inputs); err != nil {
		return err
	}
	if err := e.invoke(ctx); err != nil {
		return err
	}
	for i := range outputs {
		if err := e.output(i, &outputs[i]); err != nil {
			return fmt.Errorf("output %d (%q): %w", i, e.outputs[i].Name, err)
		}
	}
	return nil
}

// setInputs checks the inputs, makes buffers for shapes that changed, and copies.
func (e *executable) setInputs(inputs []graph.Array) error {
	if len(inputs) != len(e.inputs) {
		return fmt.Errorf("%w: %d inputs given, there are %d", delegate.ErrInput, len(inputs), len(e.inputs))
	}
	shapes := make([][]int, len(inputs))
	for i := range inputs {
		if err := delegate.CheckInput(&e.inputs[i], inputs[i]); err != nil {
			return fmt.Errorf("input %d (%q): %w", i, e.inputs[i].Name, err)
		}
		shapes[i] = slices.Clone(inputs[i].Shape)
	}
	if e.shapes == nil || !slices.EqualFunc(shapes, e.shapes, slices.Equal[[]int]) {
		if err := e.prepare(shapes); err != nil {
			e.freeBuffers() // the next run prepares again
			return fmt.Errorf("%w: these input shapes do not go together: %w", delegate.ErrInput, err)
		}
	}
	for i, a := range inputs {
		if s := C.nanoflux_litert_write(e.table(), e.in[i], unsafe.Pointer(unsafe.SliceData(a.Data)), C.size_t(len(a.Data))); s != C.LITERT_OK {
			return fmt.Errorf("input %d (%q): %w", i, e.inputs[i].Name, failure(s, e.said()))
		}
	}
	return nil
}

// invoke runs the model and ends it between two operators when ctx ends.
func (e *executable) invoke(ctx context.Context) error {
	C.nanoflux_litert_flag(e.flag, 0)
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		C.nanoflux_litert_flag(e.flag, 1)
		close(set)
	})
	s := C.nanoflux_litert_run(e.table(), e.compiled, C.size_t(len(e.in)), unsafe.SliceData(e.in), C.size_t(len(e.out)), unsafe.SliceData(e.out))
	if !stop() {
		<-set // or it could be set for the next run
	}
	said := e.said()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s != C.LITERT_OK {
		return fmt.Errorf("running: %w", failure(s, said))
	}
	return nil
}

// output copies an output into a.
func (e *executable) output(i int, a *graph.Array) error {
	a.Type, a.Shape = e.outputs[i].Type, slices.Clone(e.results[i])
	size, err := graph.ByteSize(a.Type, a.Shape)
	if err != nil {
		return err
	}
	if cap(a.Data) < size {
		a.Data = graph.AlignedBytes(size)
	}
	a.Data = a.Data[:size]
	if s := C.nanoflux_litert_read(e.table(), e.out[i], unsafe.Pointer(unsafe.SliceData(a.Data)), C.size_t(size)); s != C.LITERT_OK {
		return failure(s, e.said())
	}
	return nil
}

func (e *executable) freeBuffers() {
	for _, list := range [][]C.litert_handle{e.in, e.out} {
		for _, b := range list {
			C.nanoflux_litert_free_buffer(e.table(), b)
		}
	}
	e.in, e.out, e.shapes, e.results = nil, nil, nil, nil
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.freeBuffers()
	C.nanoflux_litert_destroy(e.table(), e.compiled, e.model)
	e.compiled, e.model = nil, nil
	e.pins.Unpin()
	e.file = nil
	C.free(unsafe.Pointer(e.flag))
	e.flag = nil
	return nil
}
