package fallback

import (
	"errors"
	"fmt"
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Operators that make arrays out of shapes and numbers: SHAPE, FILL, RANGE.

func init() {
	register(schema.BuiltinOperatorSHAPE, kernel{accepts: acceptsShape, prepare: func(n *node) (compute, error) {
		x := append([]int(nil), n.in[0].shape...)
		if err := n.shape(0, len(x)); err != nil {
			return nil, err
		}
		return func() {
			for i, d := range x {
				if n.out[0].tensor.Type == graph.Int64 {
					graph.View[int64](n.out[0].data)[i] = int64(d)
				} else {
					graph.View[int32](n.out[0].data)[i] = int32(d)
				}
			}
		}, nil
	}})
	register(schema.BuiltinOperatorFILL, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Int32, graph.Int64), fixedSize(o.in(1)))
			if r == nil {
				r = o.outTypes(0, o.in(1).Type)
			}
			return r
		},
		prepare: prepareFill,
	})
	register(schema.BuiltinOperatorRANGE, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(3, 3, 1), o.types(0, graph.Int32, graph.Int64, graph.Float32))
			if r == nil {
				r = firstRefusal(o.types(1, o.in(0).Type), o.types(2, o.in(0).Type), o.outTypes(0, o.in(0).Type))
			}
			return r
		},
		prepare: prepareRange,
	})
}

func acceptsShape(o operands) *delegate.Refusal {
	return firstRefusal(o.counts(1, 1, 1), o.outTypes(0, graph.Int32, graph.Int64))
}

func prepareFill(n *node) (compute, error) {
	shape, err := n.ints(0)
	if err != nil {
		return nil, err
	}
	if n.in[1].elements() != 1 {
		return nil, fmt.Errorf("the value has shape %v, must be a scalar", n.in[1].shape)
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	return prepareMoveFrom(n, 1, move{shape: []int{sizeOf(shape)}, to: []int{1}, from: []int{0}})
}

// prepareRange gives start, start+delta, … below (above, for a negative delta)
// limit.
func prepareRange(n *node) (compute, error) {
	for i := range 3 {
		if n.in[i].elements() != 1 {
			return nil, fmt.Errorf("operand %d has shape %v, must be a scalar", i, n.in[i].shape)
		}
	}
	if n.in[0].tensor.Type == graph.Float32 {
		return prepareFloatRange(n)
	}
	var numbers [3]int
	for i := range numbers {
		list, err := n.ints(i)
		if err != nil {
			return nil, err
		}
		if v := list[0]; v > math.MaxInt/4 || v < -math.MaxInt/4 {
			return nil, fmt.Errorf("a range with the number %d is too large", v)
		}
		numbers[i] = list[0]
	}
	start, limit, delta := numbers[0], numbers[1], numbers[2]
	if delta == 0 {
		return nil, errors.New("the step of a range is 0")
	}
	// Rounded up, whatever the direction.
	count := (limit - start + delta - sign(delta)) / delta
	if err := n.shape(0, max(0, count)); err != nil {
		return nil, err
	}
	return func() {
		if n.out[0].tensor.Type == graph.Int64 {
			out := graph.View[int64](n.out[0].data)
			for i := range out {
				out[i] = int64(start + i*delta)
			}
			return
		}
		out := graph.View[int32](n.out[0].data)
		for i := range out {
			out[i] = int32(start + i*delta)
		}
	}, nil
}

func sign(x int) int {
	if x < 0 {
		return -1
	}
	return 1
}

func prepareFloatRange(n *node) (compute, error) {
	var numbers [3]float32
	for i := range numbers {
		data, err := n.value(i)
		if err != nil {
			return nil, err
		}
		numbers[i] = graph.View[float32](data)[0]
	}
	start, limit, delta := numbers[0], numbers[1], numbers[2]
	steps := math.Ceil(float64((limit - start) / delta))
	if delta == 0 || steps != steps || steps > maxTensorBytes {
		return nil, fmt.Errorf("a range from %g to %g by %g has no size", start, limit, delta)
	}
	if err := n.shape(0, max(0, int(steps))); err != nil {
		return nil, err
	}
	return func() {
		out := n.out[0].floats()
		at := start // added up step by step, as TensorFlow Lite does
		for i := range out {
			out[i] = at
			at += delta
		}
	}, nil
}
