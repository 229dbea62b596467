package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// toy is a backend for a few operators on INT32 arrays, in the plainest way.
// Each operator computes with what it reads at run time, so shapes may change.
type toy struct {
	name string
	// takes says which operators it accepts; nil for all that it knows.
	takes func(op int) bool
	// stingy makes Run ignore the memory it is given, as a backend may that
	// finds it too small.
	stingy bool
	// fail, if not nil, is what Run returns; runs counts up before.
	fail func() error
	// closeErr is what Close returns.
	closeErr error

	mutex    sync.Mutex
	compiled int
	open     int
}

func (b *toy) Name() string { return b.name }

func (b *toy) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{Description: b.name}, nil
}

func (b *toy) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if b.takes != nil && !b.takes(op) {
		return delegate.Refuse(delegate.ReasonOp, "not op %d", op)
	}
	return nil
}

func (b *toy) Compile(_ context.Context, segment *graph.Model) (delegate.Executable, error) {
	if len(segment.Subgraphs) != 1 {
		return nil, fmt.Errorf("%d subgraphs", len(segment.Subgraphs))
	}
	if err := graph.Check(segment); err != nil {
		return nil, err
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.compiled++
	b.open++
	return &toyRun{backend: b, m: segment}, nil
}

type toyRun struct {
	backend *toy
	m       *graph.Model
	closed  bool
}

func (x *toyRun) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	if x.closed {
		return delegate.ErrClosed
	}
	if x.backend.fail != nil {
		if err := x.backend.fail(); err != nil {
			return err
		}
	}
	g := &x.m.Subgraphs[0]
	if len(inputs) != len(g.Inputs) || len(outputs) != len(g.Outputs) {
		return delegate.ErrInput
	}
	// What lies in outputs is not input: were it, the results would be wrong.
	for k := range outputs {
		for i := range outputs[k].Data[:cap(outputs[k].Data)] {
			outputs[k].Data[:cap(outputs[k].Data)][i] = 0xa5
		}
	}
	values := make([]graph.Array, len(g.Tensors))
	for t := range g.Tensors {
		values[t], _ = x.m.Constant(0, t)
	}
	for k, t := range g.Inputs {
		if inputs[k].Type != g.Tensors[t].Type {
			return fmt.Errorf("%w: input %d", delegate.ErrInput, k)
		}
		values[t] = inputs[k]
	}
	for i := range g.Ops {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := toyOp(&g.Ops[i], values); err != nil {
			return err
		}
	}
	for k, t := range g.Outputs {
		out := &outputs[k]
		v := values[t]
		if cap(out.Data) < len(v.Data) || x.backend.stingy {
			out.Data = graph.AlignedBytes(len(v.Data))
		}
		out.Data = out.Data[:len(v.Data)]
		copy(out.Data, v.Data)
		out.Type, out.Shape = v.Type, slices.Clone(v.Shape)
	}
	return nil
}

func (x *toyRun) Close() error {
	if !x.closed {
		x.closed = true
		x.backend.mutex.Lock()
		x.backend.open--
		x.backend.mutex.Unlock()
	}
	return x.backend.closeErr
}

// toyOp runs one operator. Results always get memory of their own.
func toyOp(op *graph.Op, values []graph.Array) error {
	in := func(k int) []int32 { return graph.View[int32](values[op.Inputs[k]].Data) }
	shape := values[op.Inputs[0]].Shape
	set := func(k int, shape []int, list []int32) {
		a := graph.NewArray(graph.Int32, shape...)
		copy(graph.View[int32](a.Data), list)
		values[op.Outputs[k]] = a
	}
	switch op.Code {
	case schema.BuiltinOperatorADD, schema.BuiltinOperatorMUL:
		x, y := in(0), in(1)
		if len(x) != len(y) {
			return fmt.Errorf("%s of %d and %d elements", op.Name(), len(x), len(y))
		}
		list := make([]int32, len(x))
		for i := range x {
			if op.Code == schema.BuiltinOperatorADD {
				list[i] = x[i] + y[i]
			} else {
				list[i] = x[i] * (y[i]%7 + 3)
			}
		}
		set(0, shape, list)
	case schema.BuiltinOperatorNEG:
		list := slices.Clone(in(0))
		for i := range list {
			list[i] = 1 - list[i]
		}
		set(0, shape, list)
	case schema.BuiltinOperatorSPLIT: // input 0 is the axis, 0; two halves
		x := in(1)
		half := slices.Clone(values[op.Inputs[1]].Shape)
		half[0] /= 2
		set(0, half, x[:len(x)/2])
		set(1, half, x[len(x)/2:])
	case schema.BuiltinOperatorCONCATENATION: // axis 0
		x, y := in(0), in(1)
		both := slices.Clone(shape)
		both[0] += values[op.Inputs[1]].Shape[0]
		set(0, both, slices.Concat(x, y))
	default:
		return fmt.Errorf("the toy backend does not know %s", op.Name())
	}
	return nil
}

// ints is an INT32 array.
func ints(values ...int32) graph.Array {
	a := graph.NewArray(graph.Int32, len(values))
	copy(graph.View[int32](a.Data), values)
	return a
}

func numbers(a graph.Array) []int32 {
	list := make([]int32, len(a.Data)/4)
	for i := range list {
		list[i] = int32(binary.LittleEndian.Uint32(a.Data[4*i:]))
	}
	return list
}

func built(t *testing.T, b *graph.Builder) *graph.Model {
	t.Helper()
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var errBroken = errors.New("the device is on fire")
