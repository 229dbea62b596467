//go:build tflite

package tflite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	gotflite "github.com/tphakala/go-tflite"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Config says how the interpreter of a segment is made.
type Config struct {
	// Name is the backend's, for messages.
	Name string
	// Threads of the interpreter's own kernels, at least 1.
	Threads int
	// Delegate makes the delegate, which the interpreter then owns; nil for
	// none.
	Delegate func() (Delegate, error)
}

// Compile makes a segment's interpreter, for this backend and for those that
// put a delegate in front of it (these get a delegate.Delegated). Every operator
// must be one that Supports takes.
func Compile(ctx context.Context, segment *graph.Model, c Config) (delegate.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, err := newExecutable(segment, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", c.Name, segment.Name, err)
	}
	if c.Delegate != nil {
		return delegated{e}, nil
	}
	return e, nil
}

// delegated is an executable with a delegate.
type delegated struct{ *executable }

// Taken implements delegate.Delegated.
func (d delegated) Taken() delegate.Taken { return d.taken }

// executable owns one interpreter and everything it was made of. The mutex lets
// calls take turns: an interpreter that is invoked and deleted at once crashes.
type executable struct {
	name     string
	mu       sync.Mutex
	inputs   []graph.Tensor
	outputs  []graph.Tensor
	shapes   [][]int // the present shapes of the inputs
	messages *messages
	model    *mapping
	// interpreter is nil once closed. Its Delete frees in the one right order:
	// interpreter, options, delegates, model.
	interpreter *gotflite.Interpreter
	taken       delegate.Taken
}

func newExecutable(segment *graph.Model, c Config) (*executable, error) {
	if len(segment.Subgraphs) != 1 {
		return nil, fmt.Errorf("%d subgraphs, a segment has one: %w", len(segment.Subgraphs), delegate.ErrUnsupported)
	}
	g := &segment.Subgraphs[0]
	for i := range g.Ops {
		if r := Supports(segment, 0, i); r != nil {
			return nil, fmt.Errorf("%s: %w", segment.OpLabel(0, i), r)
		}
	}
	e := &executable{name: c.Name, messages: newMessages()}
	for _, t := range g.Inputs {
		e.inputs = append(e.inputs, g.Tensors[t])
		e.shapes = append(e.shapes, slices.Clone(g.Tensors[t].Shape))
	}
	for _, t := range g.Outputs {
		e.outputs = append(e.outputs, g.Tensors[t])
	}
	if err := e.open(segment, c); err != nil {
		_ = e.Close() // the first error is the one to report
		return nil, err
	}
	return e, nil
}

// open makes the interpreter. What it took is freed by Close, or here when
// there is no interpreter to own it.
func (e *executable) open(segment *graph.Model, c Config) error {
	var err error
	if e.model, err = mapModel(segment); err != nil {
		return err
	}
	options := gotflite.NewInterpreterOptions()
	if options == nil {
		return e.failure("making options", statusError)
	}
	options.SetNumThread(c.Threads)
	if !e.messages.attach(options) {
		options.Delete()
		return e.failure("setting options", statusError)
	}
	var watching *observer
	if c.Delegate != nil {
		inner, err := c.Delegate()
		if err != nil {
			options.Delete()
			return err
		}
		if watching = observe(inner); watching == nil {
			options.Delete()
			return errors.New("no memory for a delegate")
		}
		options.AddDelegate(watching)
	}
	e.interpreter = gotflite.NewInterpreter(e.model.wrapped, options)
	if e.interpreter == nil {
		err := e.failure("making the interpreter", statusError)
		options.Delete() // and its delegate
		return err
	}
	if s := e.interpreter.AllocateTensors(); s != gotflite.OK {
		return e.failure("allocating tensors", s)
	}
	if watching != nil {
		e.taken = watching.taken(len(segment.Subgraphs[0].Ops))
	}
	if n := e.interpreter.GetInputTensorCount(); n != len(e.inputs) {
		return fmt.Errorf("the interpreter has %d inputs, the segment %d", n, len(e.inputs))
	}
	if n := e.interpreter.GetOutputTensorCount(); n != len(e.outputs) {
		return fmt.Errorf("the interpreter has %d outputs, the segment %d", n, len(e.outputs))
	}
	return nil
}

// statusError is TensorFlow Lite's kTfLiteError. go-tflite's own Error has the
// value of OK.
const statusError gotflite.Status = 1

// statusNames are TensorFlow Lite's.
var statusNames = map[gotflite.Status]string{
	statusError: "error", 2: "delegate error", 3: "application error", 4: "delegate data not found",
	5: "delegate data not written", 6: "delegate data not read", 7: "unresolved operator", 8: "cancelled", 9: "output shape not known",
}

// failure is an error with TensorFlow Lite's status and messages.
func (e *executable) failure(doing string, s gotflite.Status) error {
	name, known := statusNames[s]
	if !known {
		name = fmt.Sprintf("status %d", int(s))
	}
	if text := e.messages.take(); text != "" {
		return fmt.Errorf("%s: %s: %s", doing, name, text)
	}
	return fmt.Errorf("%s: %s", doing, name)
}

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.run(ctx, inputs, outputs); err != nil {
		return fmt.Errorf("%s: %w", e.name, err)
	}
	return nil
}

func (e *executable) run(ctx context.Context, inputs, outputs []graph.Array) error {
	if e.interpreter == nil {
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

// setInputs checks the inputs, resizes what changed its shape, and copies.
func (e *executable) setInputs(inputs []graph.Array) error {
	if len(inputs) != len(e.inputs) {
		return fmt.Errorf("%w: %d inputs given, there are %d", delegate.ErrInput, len(inputs), len(e.inputs))
	}
	changed := false
	for i := range inputs {
		if err := delegate.CheckInput(&e.inputs[i], inputs[i]); err != nil {
			return fmt.Errorf("input %d (%q): %w", i, e.inputs[i].Name, err)
		}
		changed = changed || !slices.Equal(inputs[i].Shape, e.shapes[i])
	}
	if changed {
		if err := e.resize(inputs); err != nil {
			return err
		}
	}
	for i, a := range inputs {
		to := bytesOf(e.interpreter.GetInputTensor(i))
		if len(to) != len(a.Data) {
			return fmt.Errorf("input %d (%q): the interpreter has %d bytes for it, %d are given", i, e.inputs[i].Name, len(to), len(a.Data))
		}
		copy(to, a.Data)
	}
	return nil
}

// resize gives the inputs new shapes; when they do not go together it restores
// the old ones, so that the executable stays usable.
func (e *executable) resize(inputs []graph.Array) error {
	to := make([][]int, len(inputs))
	for i, a := range inputs {
		to[i] = slices.Clone(a.Shape)
	}
	before := e.shapes
	err := e.allocate(to)
	if err == nil {
		e.shapes = to
		return nil
	}
	if restore := e.allocate(before); restore != nil {
		return fmt.Errorf("%w (and the former shapes cannot be restored: %v)", err, restore)
	}
	return fmt.Errorf("%w: these input shapes do not go together: %w", delegate.ErrInput, err)
}

func (e *executable) allocate(shapes [][]int) error {
	for i, shape := range shapes {
		if len(shape) == 0 { // go-tflite cannot pass an empty slice, and a scalar keeps its shape
			continue
		}
		dims := make([]int32, len(shape))
		for k, d := range shape {
			dims[k] = int32(d)
		}
		if s := e.interpreter.ResizeInputTensor(i, dims); s != gotflite.OK {
			return e.failure("resizing an input", s)
		}
	}
	if s := e.interpreter.AllocateTensors(); s != gotflite.OK {
		return e.failure("allocating tensors", s)
	}
	return nil
}

// invoke runs the interpreter and cancels it when ctx ends.
func (e *executable) invoke(ctx context.Context) error {
	cancelled := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		cancel(e.interpreter)
		close(cancelled)
	})
	status := e.interpreter.Invoke()
	if !stop() {
		<-cancelled // or cancel could meet a deleted interpreter
	}
	// A delegate runs its part as one operator, so the end of ctx may have come
	// too late to stop anything; the caller has given up all the same.
	if err := ctx.Err(); err != nil {
		e.messages.take()
		return err
	}
	if status != gotflite.OK {
		return e.failure("running", status)
	}
	e.messages.take() // what it says on the way is not an error
	return nil
}

// output copies an output tensor into a.
func (e *executable) output(i int, a *graph.Array) error {
	t := e.interpreter.GetOutputTensor(i)
	if t == nil {
		return errors.New("the interpreter has no such tensor")
	}
	data := bytesOf(t)
	a.Type = e.outputs[i].Type
	a.Shape = t.Shape()
	want, err := graph.ByteSize(a.Type, a.Shape)
	if err != nil || want != len(data) {
		return fmt.Errorf("the interpreter gives %d bytes for %v %v", len(data), a.Type, a.Shape)
	}
	if cap(a.Data) < len(data) {
		a.Data = graph.AlignedBytes(len(data))
	}
	a.Data = a.Data[:len(data)]
	copy(a.Data, data)
	return nil
}

// bytesOf is a tensor's memory, valid until the next call of the interpreter.
func bytesOf(t *gotflite.Tensor) []byte {
	data, size := t.Data(), t.ByteSize()
	if data == nil || size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(data), size)
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.interpreter != nil {
		e.interpreter.Delete()
		e.interpreter = nil
	}
	if e.model != nil {
		e.model.close()
		e.model = nil
	}
	if e.messages != nil {
		e.messages.free()
		e.messages = nil
	}
	return nil
}
