package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorGATHER, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if options[schema.GatherOptionsT](o.op).BatchDims != 0 {
				return delegate.Refuse(delegate.ReasonOption, "batch dimensions")
			}
			return withIndices(2, 1)(o)
		},
		prepare: func(n *node) (compute, error) {
			return prepareGather(n, 0, 1, int(options[schema.GatherOptionsT](n.op).Axis))
		},
	})
	register(schema.BuiltinOperatorEMBEDDING_LOOKUP, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Int32), fixedSize(o.in(1)))
			if r == nil {
				r = o.outTypes(0, o.in(1).Type)
			}
			return r
		},
		prepare: func(n *node) (compute, error) { return prepareGather(n, 1, 0, 0) },
	})
}

// prepareGather takes the slices of input `data` along an axis at the indices in
// input `ids`. An index outside the axis gives zeros: indices come from the
// caller at run time, and a wrong one must not read other memory.
func prepareGather(n *node, data, ids, axis int) (compute, error) {
	x, indices := n.in[data].shape, n.in[ids].shape
	axis, ok := axisOf(axis, len(x))
	if !ok {
		return nil, fmt.Errorf("axis %d is outside shape %v", axis, x)
	}
	shape := append(append(append([]int(nil), x[:axis]...), indices...), x[axis+1:]...)
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	outer, inner := sizeOf(x[:axis]), sizeOf(x[axis+1:])*elementSize(n.in[data].tensor.Type)
	count := sizeOf(indices)
	return func() {
		from, to := n.in[data].data, n.out[0].data
		for o := range outer {
			for i := range count {
				at := indexAt(n.in[ids], i)
				row := to[(o*count+i)*inner:][:inner]
				if at < 0 || at >= x[axis] {
					clear(row)
					continue
				}
				copy(row, from[(o*x[axis]+at)*inner:])
			}
		}
	}, nil
}

// indexAt is element i of an INT32 or INT64 value.
func indexAt(v *value, i int) int {
	if v.tensor.Type == graph.Int64 {
		return int(graph.View[int64](v.data)[i])
	}
	return int(graph.View[int32](v.data)[i])
}
