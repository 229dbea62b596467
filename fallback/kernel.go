package fallback

import (
	"errors"
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// kernel computes one operator for some of its types.
type kernel struct {
	// accepts says whether the kernel takes the operator, from types,
	// constants and options; nil for yes. Shapes that can change at run time
	// are prepare's business.
	accepts func(o operands) *delegate.Refusal

	// prepare is called when the shapes of all inputs are known: it checks
	// them, gives every output its shape (node.shape), does what can be done
	// once (packing weights: node.state), and returns the function that
	// computes the outputs from the inputs' data. It is called again when
	// shapes change. Data of constant inputs can be read in prepare; when it
	// needs the data of another input, node.value returns errNeedsValue, and
	// prepare is called again before each run.
	prepare func(n *node) (compute, error)

	// Operators on float32 that compute each element of the output from the
	// same elements of the inputs also give the function for a part of them, so
	// that several can run on one part while it is in the cache (fuse_rows.go).
	// elements is of one input; line of two, with the fused activation apart.
	elements func(op *graph.Op) func(out, in []float32)
	line     lineFunc[float32, float32]
	fused    func(op *graph.Op) graph.Activation
}

// compute fills the data of a node's outputs.
type compute func()

// kernels lists the kernels of an operator; the first that accepts is taken.
// It is filled by init functions only.
var kernels = map[graph.OpCode][]kernel{}

func register(code graph.OpCode, k kernel) {
	kernels[code] = append(kernels[code], k)
}

// find returns the kernel for an operator, or why there is none.
func find(o operands) (*kernel, *delegate.Refusal) {
	candidates := kernels[o.op.Code]
	if len(candidates) == 0 {
		return nil, delegate.Refuse(delegate.ReasonOp, "the Go kernels have no %s", o.op.Name())
	}
	for i := range o.op.Inputs {
		switch t := o.in(i); {
		case t == nil:
		case t.IsVariable:
			return nil, delegate.Refuse(delegate.ReasonConstant, "input %d is a variable, which outlives a run", i)
		case t.Sparsity != nil && o.op.Code != schema.BuiltinOperatorDENSIFY:
			return nil, delegate.Refuse(delegate.ReasonConstant, "input %d is sparse", i)
		}
	}
	var best *delegate.Refusal
	for i := range candidates {
		r := candidates[i].accepts(o)
		if r == nil {
			return &candidates[i], nil
		}
		// A kernel for the right types that refuses an option says more than
		// one that refuses the types.
		if best == nil || best.Reason == delegate.ReasonType {
			best = r
		}
	}
	return nil, best
}

// operands is an operator as kernel.accepts sees it.
type operands struct {
	m   *graph.Model
	sub int
	op  *graph.Op
}

// in returns input i, or nil when it is left out.
func (o operands) in(i int) *graph.Tensor {
	return o.tensor(o.op.Inputs, i)
}

// out returns output i, or nil when it is left out.
func (o operands) out(i int) *graph.Tensor {
	return o.tensor(o.op.Outputs, i)
}

func (o operands) tensor(list []int, i int) *graph.Tensor {
	if i >= len(list) || list[i] == graph.NoTensor {
		return nil
	}
	return unpacked(o.m, &o.m.Subgraphs[o.sub].Tensors[list[i]])
}

// counts refuses an operator without n to most inputs, all of the first n
// given, and outs outputs, all given.
func (o operands) counts(n, most, outs int) *delegate.Refusal {
	if len(o.op.Inputs) < n || len(o.op.Inputs) > most || len(o.op.Outputs) != outs {
		return delegate.Refuse(delegate.ReasonShape, "%d inputs and %d outputs; takes %d to %d and %d", len(o.op.Inputs), len(o.op.Outputs), n, most, outs)
	}
	for i := range n {
		if o.in(i) == nil {
			return delegate.Refuse(delegate.ReasonShape, "input %d is left out", i)
		}
	}
	for i := range outs {
		if o.out(i) == nil {
			return delegate.Refuse(delegate.ReasonShape, "output %d is left out", i)
		}
	}
	return nil
}

// types refuses the operator when input i is not of one of the types.
func (o operands) types(i int, types ...graph.TensorType) *delegate.Refusal {
	return typeOf("input", i, o.in(i), types)
}

// outTypes refuses the operator when output i is not of one of the types.
func (o operands) outTypes(i int, types ...graph.TensorType) *delegate.Refusal {
	return typeOf("output", i, o.out(i), types)
}

func typeOf(what string, i int, t *graph.Tensor, types []graph.TensorType) *delegate.Refusal {
	if t == nil {
		return delegate.Refuse(delegate.ReasonShape, "%s %d is left out", what, i)
	}
	if !slices.Contains(types, t.Type) {
		return delegate.Refuse(delegate.ReasonType, "%s %d is %v; takes %v", what, i, t.Type, types)
	}
	return nil
}

// firstRefusal returns the first that is not nil.
func firstRefusal(refusals ...*delegate.Refusal) *delegate.Refusal {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}

// errNeedsValue is what prepare passes on when a shape depends on data that
// only a run brings.
var errNeedsValue = errors.New("the value is known at run time only")

// node is one operator of a compiled model.
type node struct {
	op    *graph.Op
	index int // of the operator in the model
	label string
	// in and out have nil where an optional tensor is left out.
	in, out []*value
	kernel  *kernel
	pool    *pool
	budget  *budget
	// cache keeps large packed weights; nil for none.
	cache *packCache
	// reserved is the node's part of the budget.
	reserved int
	// state belongs to the kernel and outlives prepare: packed weights.
	state any
	// product is the matrix product that the node computes, if it is one: what
	// follows can be computed with its rows (fuse_product.go).
	product *product
	// running: inputs have their data although they are not constant.
	running bool
	// late: prepared before each run, because of errNeedsValue.
	late bool
	run  compute
	// failure is what compute reported by fail.
	failure error
}

// fail reports from within compute that the values of the inputs make the
// operator impossible (an index outside its array); the run ends with it. The
// first one counts. Goroutines of a pool must not call it.
func (n *node) fail(format string, args ...any) {
	if n.failure == nil {
		n.failure = fmt.Errorf(format, args...)
	}
}

// options returns the operator's options, or T's zero value when the file
// leaves them out.
func options[T any](op *graph.Op) T {
	if o, ok := op.Options.(*T); ok && o != nil {
		return *o
	}
	var zero T
	return zero
}

// has reports whether input i is given.
func (n *node) has(i int) bool { return i < len(n.in) && n.in[i] != nil }

// value returns the data of input i in prepare.
func (n *node) value(i int) ([]byte, error) {
	v := n.in[i]
	if !v.constant && !n.running {
		return nil, errNeedsValue
	}
	return v.data, nil
}

// ints returns the integers in input i (INT32 or INT64) in prepare.
func (n *node) ints(i int) ([]int, error) {
	data, err := n.value(i)
	if err != nil {
		return nil, err
	}
	switch n.in[i].tensor.Type {
	case graph.Int32:
		return toInts(graph.View[int32](data)), nil
	case graph.Int64:
		return toInts(graph.View[int64](data)), nil
	}
	return nil, fmt.Errorf("input %d is %v, must be INT32 or INT64", i, n.in[i].tensor.Type)
}

func toInts[T byte | uint16 | int32 | int64](values []T) []int {
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out
}

// shape gives output i its shape.
func (n *node) shape(i int, shape ...int) error {
	size, err := graph.ByteSize(n.out[i].tensor.Type, shape)
	if err != nil {
		return fmt.Errorf("output %d: %w", i, err)
	}
	if size > maxTensorBytes {
		return fmt.Errorf("output %d: shape %v takes %d bytes; the most is %d", i, shape, size, maxTensorBytes)
	}
	n.out[i].shape = append(n.out[i].shape[:0], shape...)
	n.out[i].size = size
	return nil
}

// maxTensorBytes bounds what a file can make the interpreter allocate for one
// tensor.
const maxTensorBytes = 1 << 31

// maxWorkBytes bounds the memory of a compiled model beyond its constants: the
// values between operators and the kernels' working memory. A small file can
// ask for any amount; what Go cannot get ends the program.
const maxWorkBytes = 1 << 32

// budget counts the working memory of a compiled model.
type budget struct{ used int }

// work reserves count elements of the given size in prepare, for memory that
// compute or the node will need beside the outputs.
func (n *node) work(count, size int) error {
	if count < 0 || size > 0 && count > (maxWorkBytes-n.budget.used)/size {
		return fmt.Errorf("it needs working memory of %d × %d bytes; a model may take %d in all", count, size, maxWorkBytes)
	}
	n.budget.used += count * size
	n.reserved += count * size
	return nil
}

// prepared calls the kernel's prepare, whose reservations replace earlier ones.
// Loops in prepare run to their end even when the run is given up: what they
// make (packed weights) stays.
func (n *node) prepared() (compute, error) {
	n.budget.used -= n.reserved
	n.reserved, n.product = 0, nil
	defer func(done <-chan struct{}) { n.pool.done = done }(n.pool.done)
	n.pool.done = nil
	return n.kernel.prepare(n)
}

// empty reports whether all outputs are without elements: there is nothing to
// compute then, and sizes that the outputs do not limit may be anything.
func (n *node) empty() bool {
	return !slices.ContainsFunc(n.out, func(v *value) bool { return v != nil && v.size > 0 })
}

// alias makes output i share the memory of input k from byte at on, which has the
// same bytes. Compute must copy all the same when the output does not share
// memory (value.sharesMemory).
func (n *node) alias(i, k, at int) { n.out[i].same, n.out[i].sameAt = n.in[k], at }

// unneeded says that input i's data was taken over (packed) by the node.
func (n *node) unneeded(i int) { n.in[i].takenOver++ }

// floats views the data of a value.
func (v *value) floats() []float32 { return graph.View[float32](v.data)[:v.elements()] }

// elements is the number of elements of the value's shape.
func (v *value) elements() int {
	n := 1
	for _, d := range v.shape {
		n *= d
	}
	return n
}
