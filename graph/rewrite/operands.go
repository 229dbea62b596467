package rewrite

import (
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Constants and the operators that several passes write.

// constant is the value of t, when the file has it.
func (d *draft) constant(t int) (graph.Array, bool) {
	if t == graph.NoTensor || d.tensor(t).Sparsity != nil {
		return graph.Array{}, false
	}
	return d.m.Constant(d.sub, t)
}

// ints are the integers in constant t (INT32 or INT64).
func (d *draft) ints(t int) ([]int, bool) {
	a, ok := d.constant(t)
	if !ok {
		return nil, false
	}
	var out []int
	switch a.Type {
	case graph.Int32:
		for _, v := range graph.View[int32](a.Data) {
			out = append(out, int(v))
		}
	case graph.Int64:
		for _, v := range graph.View[int64](a.Data) {
			out = append(out, int(v))
		}
	default:
		return nil, false
	}
	return out, true
}

// newConstant adds a constant; its name begins with that of tensor base. Data
// is kept, not copied.
func (d *draft) newConstant(base int, hint string, a graph.Array, q *graph.Quantization) int {
	d.m.Buffers = append(d.m.Buffers, a.Data)
	return d.add(base, hint, graph.Tensor{Type: a.Type, Shape: a.Shape, Buffer: len(d.m.Buffers) - 1, Quantization: q, HasRank: len(a.Shape) == 0})
}

// shared is newConstant for a small value that many operators want: there is
// one of each in the subgraph.
func (d *draft) shared(base int, hint string, a graph.Array) int {
	key := fmt.Sprintf("%v %v %x", a.Type, a.Shape, a.Data)
	t, ok := d.constants[key]
	if !ok {
		t = d.newConstant(base, hint, a, nil)
		d.constants[key] = t
	}
	return t
}

// number is a float32 constant of rank 0.
func (d *draft) number(base int, value float32) int {
	return d.shared(base, "number", graph.Array{Type: graph.Float32, Data: graph.Bytes([]float32{value})})
}

// list is a constant [len(values)] of INT32.
func (d *draft) list(base int, hint string, values []int) int {
	return d.shared(base, hint, graph.Array{Type: graph.Int32, Shape: []int{len(values)}, Data: graph.Bytes(to32(values))})
}

// axis is a constant INT32 of rank 0.
func (d *draft) axis(base, value int) int {
	return d.shared(base, "axis", graph.Array{Type: graph.Int32, Data: graph.Bytes([]int32{int32(value)})})
}

func to32(values []int) []int32 {
	out := make([]int32, len(values))
	for i, v := range values {
		out[i] = int32(v)
	}
	return out
}

// reshaped gives x in another shape with as many elements: x itself if it has
// that shape, the same buffer for a constant, otherwise the output of a
// RESHAPE.
func (d *draft) reshaped(x int, shape ...int) int {
	if slices.Equal(d.shape(x), shape) {
		return x
	}
	if a, ok := d.constant(x); ok && perTensor(d.tensor(x)) {
		a.Shape = slices.Clone(shape)
		return d.newConstant(x, "reshaped", a, d.tensor(x).Quantization)
	}
	y := d.shaped(x, "reshaped", shape)
	d.reshapeInto(x, y)
	return y
}

// reshapeInto writes the RESHAPE from x to y's shape.
func (d *draft) reshapeInto(x, y int) {
	shape := d.shape(y)
	inputs := []int{x}
	if len(shape) > 0 { // a scalar's shape has no data; the options have it
		inputs = append(inputs, d.list(y, "shape", shape))
	}
	d.emit(schema.BuiltinOperatorRESHAPE, &schema.ReshapeOptionsT{NewShape: to32(shape)}, inputs, []int{y})
}

// transposed gives x with dimension i of the result being dimension perm[i] of
// x. A constant is laid out anew.
func (d *draft) transposed(x int, perm []int) int {
	if a, ok := d.constant(x); ok && perTensor(d.tensor(x)) {
		if moved, ok := transpose(a, perm); ok {
			return d.newConstant(x, "transposed", moved, d.tensor(x).Quantization)
		}
	}
	y := d.shaped(x, "transposed", permuted(d.shape(x), perm))
	d.transposeInto(x, y, perm)
	return y
}

// transposeInto writes the TRANSPOSE from x to y.
func (d *draft) transposeInto(x, y int, perm []int) {
	d.emit(schema.BuiltinOperatorTRANSPOSE, &schema.TransposeOptionsT{}, []int{x, d.list(y, "perm", perm)}, []int{y})
}

func permuted(shape, perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = shape[p]
	}
	return out
}

// mul writes x·y, of the shape of tensor like.
func (d *draft) mul(like, x, y int) int {
	out := d.like(like, "mul")
	d.mulInto(x, y, out, graph.ActNone)
	return out
}

func (d *draft) mulInto(x, y, out int, act graph.Activation) {
	d.emit(schema.BuiltinOperatorMUL, &schema.MulOptionsT{FusedActivationFunction: act}, []int{x, y}, []int{out})
}

// sum writes x + y, of the shape of tensor like.
func (d *draft) sum(like, x, y int) int {
	out := d.like(like, "add")
	d.addInto(x, y, out, graph.ActNone)
	return out
}

func (d *draft) addInto(x, y, out int, act graph.Activation) {
	d.emit(schema.BuiltinOperatorADD, &schema.AddOptionsT{FusedActivationFunction: act}, []int{x, y}, []int{out})
}

// unary writes an operator whose output is like its input.
func (d *draft) unary(code graph.OpCode, x int, hint string) int {
	out := d.like(x, hint)
	d.emit(code, nil, []int{x}, []int{out})
	return out
}

// options returns an operator's options, or T's zero value when the file
// leaves them out.
func options[T any](op *graph.Op) T {
	if o, ok := op.Options.(*T); ok && o != nil {
		return *o
	}
	var zero T
	return zero
}

// elements is the size of a shape of a checked model.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// perTensor: one scale for all elements, or no quantization at all.
func perTensor(t *graph.Tensor) bool {
	return t.Quantization == nil || len(t.Quantization.Scale) <= 1 && t.Quantization.Details == nil
}
