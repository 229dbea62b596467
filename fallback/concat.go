package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorCONCATENATION, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if a := options[schema.ConcatenationOptionsT](o.op).FusedActivationFunction; a != graph.ActNone {
				return delegate.Refuse(delegate.ReasonOption, "fused activation %v", a)
			}
			return acceptsJoin(o)
		},
		prepare: func(n *node) (compute, error) {
			return prepareConcat(n, int(options[schema.ConcatenationOptionsT](n.op).Axis), false)
		},
	})
	register(schema.BuiltinOperatorPACK, kernel{accepts: acceptsJoin, prepare: func(n *node) (compute, error) {
		return prepareConcat(n, int(options[schema.PackOptionsT](n.op).Axis), true)
	}})
	register(schema.BuiltinOperatorSPLIT, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(2, 2, len(o.op.Outputs)), o.types(0, graph.Int32), fixedSize(o.in(1)))
			return firstRefusal(r, o.sameOutputs(1))
		},
		prepare: prepareSplit,
	})
	register(schema.BuiltinOperatorSPLIT_V, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(3, 3, len(o.op.Outputs)), o.types(1, graph.Int32, graph.Int64), o.types(2, graph.Int32), fixedSize(o.in(0)))
			return firstRefusal(r, o.sameOutputs(0))
		},
		prepare: prepareSplitV,
	})
	register(schema.BuiltinOperatorUNPACK, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(1, 1, len(o.op.Outputs)), fixedSize(o.in(0)))
			return firstRefusal(r, o.sameOutputs(0))
		},
		prepare: func(n *node) (compute, error) {
			x := n.in[0].shape
			axis, ok := axisOf(int(options[schema.UnpackOptionsT](n.op).Axis), len(x))
			if !ok || x[axis] != len(n.out) {
				return nil, fmt.Errorf("input %v cannot be unpacked to %d outputs", x, len(n.out))
			}
			sizes := make([]int, len(n.out))
			for i := range sizes {
				sizes[i] = 1
			}
			return prepareParts(n, 0, axis, sizes, true)
		},
	})
}

// sameOutputs refuses outputs of another type than input i.
func (o operands) sameOutputs(i int) *delegate.Refusal {
	for k := range o.op.Outputs {
		if o.in(i) == nil {
			return delegate.Refuse(delegate.ReasonShape, "input %d is left out", i)
		}
		if r := o.outTypes(k, o.in(i).Type); r != nil {
			return r
		}
	}
	return nil
}

// acceptsJoin takes any number of inputs of one type; quantized ones must
// share scale and zero point with the output, since bytes are only moved.
func acceptsJoin(o operands) *delegate.Refusal {
	if len(o.op.Inputs) == 0 {
		return delegate.Refuse(delegate.ReasonShape, "no inputs")
	}
	if r := firstRefusal(o.counts(len(o.op.Inputs), len(o.op.Inputs), 1), fixedSize(o.in(0)), o.outTypes(0, o.in(0).Type)); r != nil {
		return r
	}
	for i := range o.op.Inputs {
		if r := o.types(i, o.in(0).Type); r != nil {
			return r
		}
		if !sameScale(o.in(i), o.out(0)) {
			return delegate.Refuse(delegate.ReasonQuantization, "input %d and the output differ in scale or zero point", i)
		}
	}
	return nil
}

// sameScale reports whether the integers of two tensors mean the same numbers.
func sameScale(a, b *graph.Tensor) bool {
	if a.Quantization == nil || b.Quantization == nil || graph.ElementBits(a.Type) > 16 {
		return true
	}
	p, q := a.Quantization, b.Quantization
	if len(p.Scale) == 0 || len(q.Scale) == 0 {
		return true
	}
	zero := func(q *graph.Quantization) int64 {
		if len(q.ZeroPoint) == 0 {
			return 0
		}
		return q.ZeroPoint[0]
	}
	return p.Scale[0] == q.Scale[0] && zero(p) == zero(q)
}

// prepareConcat joins inputs along an axis; with stack, along a new one.
func prepareConcat(n *node, axis int, stack bool) (compute, error) {
	first := n.in[0].shape
	rank := len(first)
	if stack {
		rank++
	}
	axis, ok := axisOf(axis, rank)
	if !ok {
		return nil, fmt.Errorf("axis %d is outside %d dimensions", axis, rank)
	}
	shapes := make([][]int, len(n.in))
	total := 0
	for i, v := range n.in {
		s := v.shape
		if stack {
			s = append(append(append([]int(nil), v.shape[:min(axis, len(v.shape))]...), 1), v.shape[min(axis, len(v.shape)):]...)
		}
		if i > 0 && !sameExcept(shapes[0], s, axis) {
			return nil, fmt.Errorf("input %d has shape %v, which does not go with %v", i, v.shape, first)
		}
		shapes[i] = s
		total += s[axis]
	}
	out := append([]int(nil), shapes[0]...)
	out[axis] = total
	if err := n.shape(0, out...); err != nil {
		return nil, err
	}
	to := dense(out)
	moves := make([]move, len(n.in))
	at := 0
	for i, s := range shapes {
		moves[i] = move{shape: s, to: to, from: dense(s), toAt: at * to[axis]}
		at += s[axis]
	}
	movers := prepareMoves(n, moves, elementSize(n.out[0].tensor.Type))
	return func() {
		for i, m := range movers {
			m.run(n.out[0].data, n.in[i].data)
		}
	}, nil
}

// sameExcept reports whether two shapes agree in all dimensions but one.
func sameExcept(a, b []int, axis int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if i != axis && a[i] != b[i] {
			return false
		}
	}
	return true
}

func prepareSplit(n *node) (compute, error) {
	axes, err := n.ints(0)
	if err != nil {
		return nil, err
	}
	x := n.in[1].shape
	if len(axes) != 1 {
		return nil, fmt.Errorf("%d axes given, takes one", len(axes))
	}
	axis, ok := axisOf(axes[0], len(x))
	if !ok || x[axis]%len(n.out) != 0 {
		return nil, fmt.Errorf("input %v cannot be split in %d along axis %d", x, len(n.out), axes[0])
	}
	sizes := make([]int, len(n.out))
	for i := range sizes {
		sizes[i] = x[axis] / len(n.out)
	}
	return prepareParts(n, 1, axis, sizes, false)
}

func prepareSplitV(n *node) (compute, error) {
	sizes, err := n.ints(1)
	if err != nil {
		return nil, err
	}
	axes, err := n.ints(2)
	if err != nil {
		return nil, err
	}
	x := n.in[0].shape
	if len(axes) != 1 || len(sizes) != len(n.out) {
		return nil, fmt.Errorf("sizes %v and axes %v do not go with %d outputs", sizes, axes, len(n.out))
	}
	axis, ok := axisOf(axes[0], len(x))
	if !ok {
		return nil, fmt.Errorf("axis %d is outside shape %v", axes[0], x)
	}
	sum, open := 0, -1
	for i, s := range sizes {
		switch {
		case s >= 0 && s <= x[axis]:
			sum += s
		case s == -1 && open < 0:
			open = i
		default:
			return nil, fmt.Errorf("sizes %v cannot split %d elements", sizes, x[axis])
		}
	}
	if open >= 0 {
		sizes[open] = x[axis] - sum
		sum = x[axis]
	}
	if sum != x[axis] || open >= 0 && sizes[open] < 0 {
		return nil, fmt.Errorf("sizes %v cannot split %d elements", sizes, x[axis])
	}
	return prepareParts(n, 0, axis, sizes, false)
}

// prepareParts copies consecutive parts of an input along an axis to the
// outputs; with drop, the axis (of size 1 then) vanishes.
func prepareParts(n *node, input, axis int, sizes []int, drop bool) (compute, error) {
	x := n.in[input].shape
	from := dense(x)
	moves := make([]move, len(sizes))
	at := 0
	for i, s := range sizes {
		shape := append([]int(nil), x...)
		shape[axis] = s
		moves[i] = move{shape: shape, to: dense(shape), from: from, fromAt: at * from[axis]}
		at += s
		if drop {
			shape = append(append([]int(nil), x[:axis]...), x[axis+1:]...)
		}
		if err := n.shape(i, shape...); err != nil {
			return nil, err
		}
	}
	size := elementSize(n.in[input].tensor.Type)
	for i, m := range moves {
		n.aliasMove(i, input, m, size)
	}
	movers := prepareMoves(n, moves, size)
	return func() {
		for i, m := range movers {
			if !n.out[i].sharesMemory() {
				m.run(n.out[i].data, n.in[input].data)
			}
		}
	}, nil
}

// prepareMoves makes the moves of a node ready to run.
func prepareMoves(n *node, moves []move, size int) []*mover {
	list := make([]*mover, len(moves))
	for i, m := range moves {
		list[i] = m.prepare(n.pool, size)
	}
	return list
}
