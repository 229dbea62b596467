package fallback

import (
	"errors"
	"fmt"

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
			r := firstRefusal(o.counts(3, 3, 1), o.types(0, graph.Int32, graph.Float32))
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
	var numbers [3]float64
	for i := range numbers {
		data, err := n.value(i)
		if err != nil {
			return nil, err
		}
		if n.in[i].elements() != 1 {
			return nil, fmt.Errorf("operand %d has shape %v, must be a scalar", i, n.in[i].shape)
		}
		if n.in[i].tensor.Type == graph.Float32 {
			numbers[i] = float64(graph.View[float32](data)[0])
		} else {
			numbers[i] = float64(graph.View[int32](data)[0])
		}
	}
	start, limit, delta := numbers[0], numbers[1], numbers[2]
	if delta == 0 || delta != delta || start != start || limit != limit {
		return nil, errors.New("a range needs numbers and a step that is not 0")
	}
	count := 0
	if steps := (limit - start) / delta; steps > 0 {
		if steps > maxTensorBytes {
			return nil, fmt.Errorf("a range of %g elements is too large", steps)
		}
		if count = int(steps); float64(count) < steps {
			count++
		}
	}
	if err := n.shape(0, count); err != nil {
		return nil, err
	}
	return func() {
		for i := range count {
			if n.out[0].tensor.Type == graph.Float32 {
				graph.View[float32](n.out[0].data)[i] = float32(start) + float32(float32(i)*float32(delta))
			} else {
				graph.View[int32](n.out[0].data)[i] = int32(start) + int32(i)*int32(delta)
			}
		}
	}, nil
}
