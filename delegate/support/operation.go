package support

import (
	"encoding/binary"
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// operation is an operator as a delegate sees it.
type operation struct {
	op      *graph.Op
	in, out []operand
	*device
}

// input is input i, an absent one where the operator has no such input.
func (x *operation) input(i int) *operand {
	if i < len(x.in) {
		return &x.in[i]
	}
	return &operand{number: i}
}

// output is the first output.
func (x *operation) output() *operand {
	if len(x.out) > 0 {
		return &x.out[0]
	}
	return &operand{output: true}
}

// operand is an input or output of an operation.
type operand struct {
	output bool
	number int
	// tensor is nil where an optional operand is left out. Behind a folded
	// DEQUANTIZE of a delegate that reads FLOAT16 it is the stored constant.
	tensor   *graph.Tensor
	constant bool
	data     []byte // of a constant, where it is in the file as it is read
	// stored is the constant behind a DEQUANTIZE that the delegate does not
	// look through, for messages.
	stored *graph.Tensor
}

func (o *operand) absent() bool { return o.tensor == nil }

// String names the operand for people.
func (o *operand) String() string {
	if o.output {
		return fmt.Sprintf("output %d", o.number)
	}
	return fmt.Sprintf("input %d", o.number)
}

// rank is the number of dimensions, 0 where the operand is left out.
func (o *operand) rank() int {
	if o.absent() {
		return 0
	}
	return len(o.tensor.Shape)
}

// dim is the size of a dimension, 0 where the operand has no such dimension.
func (o *operand) dim(d int) int {
	if o.absent() || d < 0 || d >= len(o.tensor.Shape) {
		return 0
	}
	return o.tensor.Shape[d]
}

// elements is the number of elements, 1 for a scalar, 0 where the operand is left
// out.
func (o *operand) elements() int {
	if o.absent() {
		return 0
	}
	n := 1
	for _, d := range o.tensor.Shape {
		n *= d
	}
	return n
}

// integers are the values of a constant of INT32 or INT64; ok is false for
// anything else.
func (o *operand) integers() (values []int64, ok bool) {
	if o.absent() || !o.constant {
		return nil, false
	}
	switch o.tensor.Type {
	case graph.Int32:
		for i := 0; i+4 <= len(o.data); i += 4 {
			values = append(values, int64(int32(binary.LittleEndian.Uint32(o.data[i:]))))
		}
	case graph.Int64:
		for i := 0; i+8 <= len(o.data); i += 8 {
			values = append(values, int64(binary.LittleEndian.Uint64(o.data[i:])))
		}
	default:
		return nil, false
	}
	return values, true
}

// quantized is the scale and zero point of a tensor with one scale. Tensors
// without a scale, or with one a channel, have 0 and 0, as in the runtime.
func (o *operand) quantized() (scale float32, zeroPoint int64) {
	if o.absent() {
		return 0, 0
	}
	q := o.tensor.Quantization
	if q == nil || len(q.Scale) != 1 || len(q.ZeroPoint) != 1 {
		return 0, 0
	}
	return q.Scale[0], q.ZeroPoint[0]
}

// scales is the number of scales.
func (o *operand) scales() int {
	if o.absent() || o.tensor.Quantization == nil {
		return 0
	}
	return len(o.tensor.Quantization.Scale)
}

func look(m *graph.Model, sub, op int, d *device) *operation {
	g := &m.Subgraphs[sub]
	o := &g.Ops[op]
	x := &operation{op: o, device: d, in: make([]operand, len(o.Inputs)), out: make([]operand, len(o.Outputs))}
	for i, t := range o.Outputs {
		x.out[i] = operand{output: true, number: i}
		if t != graph.NoTensor {
			x.out[i].tensor = &g.Tensors[t]
		}
	}
	for i, t := range o.Inputs {
		x.in[i] = operand{number: i}
		if t != graph.NoTensor {
			x.in[i].tensor = &g.Tensors[t]
			x.in[i].resolve(m, sub, op, t)
			x.in[i].fold(m, sub, d.folds)
		}
	}
	return x
}

// resolve finds the constant that tensor t is, or is dequantized from.
func (o *operand) resolve(m *graph.Model, sub, op, t int) {
	if value, ok := m.Constant(sub, t); ok {
		o.constant, o.data = true, value.Data
		return
	}
	g := &m.Subgraphs[sub]
	if g.Tensors[t].Type != graph.Float32 {
		return // DEQUANTIZE makes FLOAT32
	}
	for i := op - 1; i >= 0; i-- { // a producer is mostly near
		p := &g.Ops[i]
		if !slices.Contains(p.Outputs, t) {
			continue
		}
		if p.Code == schema.BuiltinOperatorDEQUANTIZE && len(p.Inputs) == 1 && m.IsConstant(sub, p.Inputs[0]) {
			o.stored = &g.Tensors[p.Inputs[0]]
		}
		return
	}
}

// fold applies what the delegate makes of a constant behind DEQUANTIZE.
func (o *operand) fold(m *graph.Model, sub int, f folding) {
	if o.stored == nil || !f.folds(o.stored) {
		return
	}
	o.constant = true
	if f == readsHalf {
		o.tensor, o.data = o.stored, m.Buffers[o.stored.Buffer]
	}
	o.stored = nil
}

// folds reports whether the delegate looks through DEQUANTIZE of constant t.
func (f folding) folds(t *graph.Tensor) bool {
	if t.Sparsity != nil {
		return false
	}
	switch f {
	case readsHalf:
		return t.Type == graph.Float16
	case unpacks:
		return t.Type == graph.Float16 ||
			t.Type == graph.Int8 && t.Quantization != nil && len(t.Quantization.Scale) > 0 && t.Quantization.Details == nil
	}
	return false
}
