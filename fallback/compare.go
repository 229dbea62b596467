package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	registerComparison(schema.BuiltinOperatorEQUAL, func(c int) bool { return c == 0 })
	registerComparison(schema.BuiltinOperatorNOT_EQUAL, func(c int) bool { return c != 0 })
	registerComparison(schema.BuiltinOperatorLESS, func(c int) bool { return c == -1 })
	registerComparison(schema.BuiltinOperatorLESS_EQUAL, func(c int) bool { return c == -1 || c == 0 })
	registerComparison(schema.BuiltinOperatorGREATER, func(c int) bool { return c == 1 })
	registerComparison(schema.BuiltinOperatorGREATER_EQUAL, func(c int) bool { return c == 1 || c == 0 })

	logical := func(code graph.OpCode, f func(a, b bool) bool) {
		registerBinary(code, graph.Bool, graph.Bool, perElement(f), nil)
	}
	logical(schema.BuiltinOperatorLOGICAL_AND, func(a, b bool) bool { return a && b })
	logical(schema.BuiltinOperatorLOGICAL_OR, func(a, b bool) bool { return a || b })
	register(schema.BuiltinOperatorLOGICAL_NOT, mapKernel(graph.Bool, graph.Bool, func(*graph.Op) func(out, in []bool) {
		return func(out, in []bool) {
			for i, v := range in {
				out[i] = !v
			}
		}
	}))
	register(schema.BuiltinOperatorSELECT_V2, kernel{accepts: acceptsSelect, prepare: prepareSelect})
	register(schema.BuiltinOperatorSELECT, kernel{accepts: acceptsSelect, prepare: prepareSelect})
}

// registerComparison registers a comparison for the types it is used with;
// holds gets −1, 0, 1 for less, equal, greater, and 2 when a NaN is involved.
func registerComparison(code graph.OpCode, holds func(int) bool) {
	registerBinary(code, graph.Float32, graph.Bool, perElement(compareWith[float32](holds)), nil)
	registerBinary(code, graph.Int32, graph.Bool, perElement(compareWith[int32](holds)), nil)
	registerBinary(code, graph.Int64, graph.Bool, perElement(compareWith[int64](holds)), nil)
}

func compareWith[T number](holds func(int) bool) func(a, b T) bool {
	return func(a, b T) bool {
		switch {
		case a < b:
			return holds(-1)
		case a > b:
			return holds(1)
		case a == b:
			return holds(0)
		}
		return holds(2)
	}
}

func acceptsSelect(o operands) *delegate.Refusal {
	r := firstRefusal(o.counts(3, 3, 1), o.types(0, graph.Bool), fixedSize(o.in(1)))
	if r == nil {
		r = firstRefusal(o.types(2, o.in(1).Type), o.outTypes(0, o.in(1).Type))
	}
	if r == nil && o.op.Code == schema.BuiltinOperatorSELECT && len(o.in(0).Shape) != len(o.in(1).Shape) {
		r = delegate.Refuse(delegate.ReasonRank, "a condition of another rank than the operands")
	}
	return r
}

// prepareSelect picks x where the condition holds and y elsewhere; the three
// are broadcast.
func prepareSelect(n *node) (compute, error) {
	shape, err := broadcastShapes(n.in[0].shape, n.in[1].shape)
	if err == nil {
		shape, err = broadcastShapes(shape, n.in[2].shape)
	}
	if err != nil {
		return nil, err
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	size := elementSize(n.out[0].tensor.Type)
	total := n.out[0].elements()
	l := newLines(shape, n.in[0].shape, n.in[1].shape, n.in[2].shape)
	chooseLines := func(from, to int) {
		conditions, x, y, out := n.in[0].data, n.in[1].data, n.in[2].data, n.out[0].data
		for line := from; line < to; line++ {
			c, a, b := l.offset(0, line), l.offset(1, line), l.offset(2, line)
			for i := range l.length {
				source, at := y, b+i*l.lineStrides[2]
				if conditions[c+i*l.lineStrides[0]] != 0 {
					source, at = x, a+i*l.lineStrides[1]
				}
				copy(out[(line*l.length+i)*size:][:size], source[at*size:])
			}
		}
	}
	return func() {
		if total > 0 {
			n.pool.chunks(l.count(), 1+(1<<12)/l.length, chooseLines)
		}
	}, nil
}
