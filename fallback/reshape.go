package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorRESHAPE, kernel{accepts: acceptsReshape, prepare: func(n *node) (compute, error) {
		shape, err := reshapeTarget(n)
		if err != nil {
			return nil, err
		}
		return prepareSameBytes(n, shape)
	}})
	register(schema.BuiltinOperatorSQUEEZE, kernel{accepts: acceptsMove(1, 1, 1), prepare: func(n *node) (compute, error) {
		shape, err := squeezed(n.in[0].shape, options[schema.SqueezeOptionsT](n.op).SqueezeDims)
		if err != nil {
			return nil, err
		}
		return prepareSameBytes(n, shape)
	}})
	register(schema.BuiltinOperatorEXPAND_DIMS, kernel{accepts: withIndices(2, 1), prepare: func(n *node) (compute, error) {
		axes, err := n.ints(1)
		if err != nil {
			return nil, err
		}
		x := n.in[0].shape
		if len(axes) != 1 {
			return nil, fmt.Errorf("%d axes given, takes one", len(axes))
		}
		axis, ok := axisOf(axes[0], len(x)+1)
		if !ok {
			return nil, fmt.Errorf("axis %d is outside the %d dimensions of the output", axes[0], len(x)+1)
		}
		shape := append(append(append([]int(nil), x[:axis]...), 1), x[axis:]...)
		return prepareSameBytes(n, shape)
	}})
}

func acceptsReshape(o operands) *delegate.Refusal {
	if len(o.op.Inputs) > 1 && o.in(1) != nil {
		return withIndices(2, 1)(o)
	}
	return acceptsMove(1, 2, 1)(o)
}

// prepareSameBytes is the compute of operators that only change the shape.
func prepareSameBytes(n *node, shape []int) (compute, error) {
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	n.alias(0, 0, 0)
	return func() {
		if !n.out[0].sharesMemory() {
			copy(n.out[0].data, n.in[0].data)
		}
	}, nil
}

// reshapeTarget is the new shape: from input 1, or from the options when the
// input is missing; one dimension may be −1.
func reshapeTarget(n *node) ([]int, error) {
	var shape []int
	if n.has(1) && len(n.in[1].shape) == 1 {
		target, err := n.ints(1)
		if err != nil {
			return nil, err
		}
		shape = target
	} else {
		for _, d := range options[schema.ReshapeOptionsT](n.op).NewShape {
			shape = append(shape, int(d))
		}
		// Old converters wrote [0] for a scalar.
		if len(shape) == 1 && shape[0] == 0 {
			shape = nil
		}
	}
	total, known, open := sizeOf(n.in[0].shape), 1, -1
	out := append([]int(nil), shape...)
	for i, d := range out {
		switch {
		case d == -1 && open < 0:
			open = i
		case d < 0:
			return nil, fmt.Errorf("target shape %v is not valid", shape)
		default:
			known *= d
			if known > maxTensorBytes {
				return nil, fmt.Errorf("target shape %v is too large", shape)
			}
		}
	}
	if open >= 0 && known > 0 {
		out[open] = total / known
		known *= out[open]
	}
	if known != total {
		return nil, fmt.Errorf("input %v has %d elements, target shape %v does not", n.in[0].shape, total, shape)
	}
	return out, nil
}

// squeezed drops the given dimensions, or all of size 1 when none is given.
func squeezed(shape []int, axes []int32) ([]int, error) {
	drop := make([]bool, len(shape))
	for _, a := range axes {
		axis, ok := axisOf(int(a), len(shape))
		if !ok || shape[axis] != 1 {
			return nil, fmt.Errorf("dimension %d of %v cannot be squeezed: it is not there or not of size 1", a, shape)
		}
		drop[axis] = true
	}
	var out []int
	for i, d := range shape {
		if drop[i] || len(axes) == 0 && d == 1 {
			continue
		}
		out = append(out, d)
	}
	return out, nil
}
