package fallback

import (
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorGATHER, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return withIndices(2, 1)(o)
		},
		prepare: func(n *node) (compute, error) {
			g := options[schema.GatherOptionsT](n.op)
			return prepareGather(n, 0, 1, int(g.Axis), int(g.BatchDims))
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
		prepare: func(n *node) (compute, error) { return prepareGather(n, 1, 0, 0, 0) },
	})
}

// prepareGather takes the slices of input `data` along an axis at the indices in
// input `ids`. The first batchDims dimensions, which both have, are gathered
// one by one. An index outside the axis ends the run.
func prepareGather(n *node, data, ids, axis, batchDims int) (compute, error) {
	x, indices := n.in[data].shape, n.in[ids].shape
	at, ok := axisOf(axis, len(x))
	if !ok {
		return nil, fmt.Errorf("axis %d is outside shape %v", axis, x)
	}
	if batchDims < 0 {
		batchDims += len(indices)
	}
	if batchDims < 0 || batchDims > min(at, len(indices)) || !slices.Equal(x[:batchDims], indices[:batchDims]) {
		return nil, fmt.Errorf("%d batch dimensions do not go with shapes %v and %v, axis %d", batchDims, x, indices, axis)
	}
	shape := slices.Concat(x[:at], indices[batchDims:], x[at+1:])
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	size := x[at]
	batch, outer, count := sizeOf(x[:batchDims]), sizeOf(x[batchDims:at]), sizeOf(indices[batchDims:])
	inner := sizeOf(x[at+1:]) * elementSize(n.in[data].tensor.Type)
	return func() {
		from, to := n.in[data].data, n.out[0].data
		for b := range batch {
			for o := b * outer; o < (b+1)*outer; o++ {
				for i := range count {
					index := indexAt(n.in[ids], b*count+i)
					if index < 0 || index >= size {
						n.fail("index %d is outside dimension %d of shape %v", index, at, x)
						return
					}
					copy(to[(o*count+i)*inner:][:inner], from[(o*size+index)*inner:])
				}
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
