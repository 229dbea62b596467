package fallback

import (
	"errors"
	"fmt"
	"math/bits"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorSLICE, kernel{accepts: withIndices(3, 1, 2), prepare: prepareSlice})
	register(schema.BuiltinOperatorSTRIDED_SLICE, kernel{accepts: withIndices(4, 1, 2, 3), prepare: prepareStridedSlice})
}

// withIndices is acceptsMove for operators with integer operands.
func withIndices(inputs int, integers ...int) func(o operands) *delegate.Refusal {
	return func(o operands) *delegate.Refusal {
		r := acceptsMove(inputs, inputs, 1)(o)
		for _, i := range integers {
			if r == nil {
				r = o.types(i, graph.Int32, graph.Int64)
			}
		}
		return r
	}
}

func prepareSlice(n *node) (compute, error) {
	begin, err := n.ints(1)
	if err != nil {
		return nil, err
	}
	size, err := n.ints(2)
	if err != nil {
		return nil, err
	}
	x := n.in[0].shape
	if len(begin) != len(x) || len(size) != len(x) {
		return nil, fmt.Errorf("begin %v and size %v do not go with shape %v", begin, size, x)
	}
	strides := dense(x)
	shape, at := make([]int, len(x)), 0
	for i := range x {
		shape[i] = size[i]
		if size[i] == -1 { // to the end
			shape[i] = x[i] - begin[i]
		}
		if begin[i] < 0 || shape[i] < 0 || begin[i] > x[i] || shape[i] > x[i]-begin[i] {
			return nil, fmt.Errorf("begin %v, size %v is outside shape %v", begin, size, x)
		}
		at += begin[i] * strides[i]
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	return prepareMove(n, move{shape: shape, to: dense(shape), from: strides, fromAt: at})
}

// prepareStridedSlice is NumPy's x[begin:end:step] with TensorFlow's masks: a
// set bit of begin_mask or end_mask means from the start or to the end, one of
// shrink_axis_mask takes one element and drops the dimension, one of
// new_axis_mask adds a dimension of 1, and that of ellipsis_mask stands for as
// many whole dimensions as are left.
func prepareStridedSlice(n *node) (compute, error) {
	o := options[schema.StridedSliceOptionsT](n.op)
	var list [3][]int
	for i := range list {
		var err error
		if list[i], err = n.ints(i + 1); err != nil {
			return nil, err
		}
	}
	begin, end, step := list[0], list[1], list[2]
	x := n.in[0].shape
	if len(begin) > 32 || len(end) != len(begin) || len(step) != len(begin) {
		return nil, fmt.Errorf("begin %v, end %v, step %v do not go with shape %v", begin, end, step, x)
	}
	whole := len(x) // dimensions that no index stands for
	for i := range begin {
		if bit := int32(1) << i; (o.EllipsisMask|o.NewAxisMask)&bit == 0 {
			whole--
		}
	}
	if whole < 0 || bits.OnesCount32(uint32(o.EllipsisMask)) > 1 {
		return nil, fmt.Errorf("begin %v, end %v, step %v do not go with shape %v", begin, end, step, x)
	}
	strides := dense(x)
	var shape []int
	var m move
	axis := 0
	skip := func(count int) {
		shape = append(shape, x[axis:axis+count]...)
		m.shape, m.from = append(m.shape, x[axis:axis+count]...), append(m.from, strides[axis:axis+count]...)
		axis += count
	}
	for i := range begin {
		bit := int32(1) << i
		switch {
		case o.EllipsisMask&bit != 0:
			skip(whole)
			continue
		case o.NewAxisMask&bit != 0:
			shape = append(shape, 1)
			continue
		case step[i] == 0:
			return nil, errors.New("a step is 0")
		}
		d := x[axis]
		first, count := spanOf(begin[i], end[i], step[i], d, o.BeginMask&bit != 0, o.EndMask&bit != 0, o.Offset)
		if o.ShrinkAxisMask&bit != 0 {
			first, count = begin[i], 1
			if first < 0 {
				first += d
			}
			if first < 0 || first >= d {
				return nil, fmt.Errorf("index %d is outside dimension %d of shape %v", begin[i], axis, x)
			}
		} else {
			shape = append(shape, count)
		}
		m.shape, m.from = append(m.shape, count), append(m.from, strides[axis]*step[i])
		m.fromAt += first * strides[axis]
		axis++
	}
	skip(len(x) - axis)
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	m.to = dense(m.shape)
	return prepareMove(n, m)
}

// spanOf is the first index and the number of indices of begin:end:step in a
// dimension of size d. With relative, end counts from begin.
func spanOf(begin, end, step, d int, fromStart, toEnd, relative bool) (first, count int) {
	low, high := 0, d // where an index may stand, for the direction
	if step < 0 {
		low, high = -1, d-1
	}
	clampIndex := func(i int) int {
		if i < 0 {
			i += d
		}
		return min(max(i, low), high)
	}
	first = clampIndex(begin)
	if fromStart {
		first = 0
		if step < 0 {
			first = d - 1
		}
	}
	if relative {
		end = min(max(end, -3*d), 3*d) + first // cut to where it is outside all the same
	}
	// Longer steps take one element too; their sum with a size could overflow.
	step = min(max(step, -d-1), d+1)
	last := clampIndex(end)
	if toEnd {
		last = d
		if step < 0 {
			last = -1
		}
	}
	if step > 0 {
		count = (last - first + step - 1) / step
	} else {
		count = (last - first + step + 1) / step
	}
	return first, max(0, count)
}
