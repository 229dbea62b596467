package fallback

import (
	"fmt"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorFULLY_CONNECTED, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 3, 1), floatOperands(o), denseWeights(o),
				fusable(options[schema.FullyConnectedOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareFullyConnected,
	})
}

// floatOperands refuses any operand that is not float32.
func floatOperands(o operands) *delegate.Refusal {
	for i := range o.op.Inputs {
		if o.in(i) != nil {
			if r := o.types(i, graph.Float32); r != nil {
				return r
			}
		}
	}
	for i := range o.op.Outputs {
		if r := o.outTypes(i, graph.Float32); r != nil {
			return r
		}
	}
	return nil
}

// denseWeights refuses weights in the shuffled or sparse layouts.
func denseWeights(o operands) *delegate.Refusal {
	if f := options[schema.FullyConnectedOptionsT](o.op).WeightsFormat; f != schema.FullyConnectedOptionsWeightsFormatDEFAULT {
		return delegate.Refuse(delegate.ReasonOption, "weights format %v", f)
	}
	return nil
}

// fullyConnectedShapes checks the operands of FULLY_CONNECTED, gives the output
// its shape, and returns the sizes of the product: rows × in, out × in.
func fullyConnectedShapes(n *node) (rows, in, out int, err error) {
	x, w := n.in[0], n.in[1]
	if len(w.shape) != 2 {
		return 0, 0, 0, fmt.Errorf("weights have shape %v, must have 2 dimensions", w.shape)
	}
	out, in = w.shape[0], w.shape[1]
	elements := x.elements()
	if in == 0 || elements%in != 0 {
		return 0, 0, 0, fmt.Errorf("input shape %v does not go with weights %v", x.shape, w.shape)
	}
	if n.has(2) && n.in[2].elements() != out {
		return 0, 0, 0, fmt.Errorf("bias has %d elements, must have %d", n.in[2].elements(), out)
	}
	rows = elements / in
	shape := []int{rows, out}
	if options[schema.FullyConnectedOptionsT](n.op).KeepNumDims {
		if last := len(x.shape) - 1; last < 0 || x.shape[last] != in {
			return 0, 0, 0, fmt.Errorf("input shape %v does not end in %d, the weights' inner size", x.shape, in)
		}
		shape = append(append([]int(nil), x.shape[:len(x.shape)-1]...), out)
	}
	return rows, in, out, n.shape(0, shape...)
}

func prepareFullyConnected(n *node) (compute, error) {
	rows, in, out, err := fullyConnectedShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0], n.in[1], n.out[0]
	weights, pack, err := packedWeights(n, w, out, in)
	if err != nil {
		return nil, err
	}
	act := fusedActivation(options[schema.FullyConnectedOptionsT](n.op).FusedActivationFunction)
	p := &product{pool: n.pool, rows: rows, left: leftRows{stride: in, step: 1}, w: weights, stride: out, act: act}
	n.product = p
	return func() {
		p.left.data, p.out = x.floats(), y.floats()
		if pack != nil {
			p.w = pack()
		}
		if n.has(2) {
			p.bias = n.in[2].floats()
		}
		p.run()
	}, nil
}

// packedWeights packs the [out, in] weights of a node: once when they are
// constant, otherwise by a function to be called in each run.
func packedWeights(n *node, w *value, out, in int) (*packed, func() *packed, error) {
	if w.constant {
		if n.state == nil {
			n.state = n.packConstant(w, 0, out, in)
			n.unneeded(1)
		}
		return n.state.(*packed), nil, nil
	}
	if err := n.workPacked(1, out, in); err != nil {
		return nil, nil, err
	}
	var reused *packed
	return nil, func() *packed {
		reused = packColumns(reused, n.pool, w.floats(), out, in, in, 1)
		return reused
	}, nil
}

// workPacked reserves the memory of packed right-hand sides.
func (n *node) workPacked(count, columns, depth int) error {
	width := simd.Active().Columns
	if columns > maxTensorBytes {
		return fmt.Errorf("%d columns are too many", columns)
	}
	size, err := graph.Elements([]int{count, (columns + width - 1) / width * width, depth})
	if err != nil {
		return err
	}
	if err := n.work(count, int(unsafe.Sizeof(packed{}))+8); err != nil {
		return err
	}
	return n.work(size, 4)
}
