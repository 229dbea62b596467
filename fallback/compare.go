package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	registerComparison(schema.BuiltinOperatorEQUAL, equalLines[float32], equalLines[int32], equalLines[int64])
	registerComparison(schema.BuiltinOperatorNOT_EQUAL, unequalLines[float32], unequalLines[int32], unequalLines[int64])
	registerComparison(schema.BuiltinOperatorLESS, lessLines[float32], lessLines[int32], lessLines[int64])
	registerComparison(schema.BuiltinOperatorLESS_EQUAL, atMostLines[float32], atMostLines[int32], atMostLines[int64])
	registerComparison(schema.BuiltinOperatorGREATER, swapped(lessLines[float32]), swapped(lessLines[int32]), swapped(lessLines[int64]))
	registerComparison(schema.BuiltinOperatorGREATER_EQUAL, swapped(atMostLines[float32]), swapped(atMostLines[int32]), swapped(atMostLines[int64]))

	registerBinary(schema.BuiltinOperatorLOGICAL_AND, graph.Bool, graph.Bool, func(out, a, b []bool, sa, sb int) {
		for i := range out {
			x, y := a[i*sa], b[i*sb] // read both: no branch
			out[i] = x && y
		}
	}, nil)
	registerBinary(schema.BuiltinOperatorLOGICAL_OR, graph.Bool, graph.Bool, func(out, a, b []bool, sa, sb int) {
		for i := range out {
			x, y := a[i*sa], b[i*sb]
			out[i] = x || y
		}
	}, nil)
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

// registerComparison registers a comparison for the types it is used with. All
// but NOT_EQUAL are false where a NaN is involved.
func registerComparison(code graph.OpCode, f32 lineFunc[float32, bool], i32 lineFunc[int32, bool], i64 lineFunc[int64, bool]) {
	registerBinary(code, graph.Float32, graph.Bool, f32, nil)
	registerBinary(code, graph.Int32, graph.Bool, i32, nil)
	registerBinary(code, graph.Int64, graph.Bool, i64, nil)
}

// Each comparison has loops of its own: a call for each element would take longer
// than the comparison.

func lessLines[T number](out []bool, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] < b[i]
		}
		return
	}
	for i := range out {
		out[i] = a[i*sa] < b[i*sb]
	}
}

func atMostLines[T number](out []bool, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] <= b[i]
		}
		return
	}
	for i := range out {
		out[i] = a[i*sa] <= b[i*sb]
	}
}

func equalLines[T number](out []bool, a, b []T, sa, sb int) {
	if sa == 1 && sb == 1 {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] == b[i]
		}
		return
	}
	for i := range out {
		out[i] = a[i*sa] == b[i*sb]
	}
}

func unequalLines[T number](out []bool, a, b []T, sa, sb int) {
	equalLines(out, a, b, sa, sb)
	for i, same := range out {
		out[i] = !same
	}
}

// swapped makes b > a of a < b.
func swapped[T number](f lineFunc[T, bool]) lineFunc[T, bool] {
	return func(out []bool, a, b []T, sa, sb int) { f(out, b, a, sb, sa) }
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
	total := n.out[0].elements()
	l := newLines(shape, n.in[0].shape, n.in[1].shape, n.in[2].shape)
	var choose func(line, from, to int)
	switch size := elementSize(n.out[0].tensor.Type); size {
	case 1:
		choose = chooser(n, &l, chooseElements[uint8])
	case 2:
		choose = chooser(n, &l, chooseElements[uint16])
	case 4:
		choose = chooser(n, &l, chooseFloats)
	case 8:
		choose = chooser(n, &l, chooseElements[uint64])
	default:
		return nil, fmt.Errorf("elements of %d bytes", size)
	}
	if l.count() == 1 {
		some := func(from, to int) { choose(0, from, to) }
		return func() { n.pool.chunks(total, 1<<13, some) }, nil
	}
	some := func(from, to int) {
		for line := from; line < to; line++ {
			choose(line, 0, l.length)
		}
	}
	return func() {
		if total > 0 {
			n.pool.chunks(l.count(), 1+(1<<13)/l.length, some)
		}
	}, nil
}

// chooser makes the function that chooses elements [from, to) of a line.
func chooser[T graph.Element](n *node, l *lines, choose func(out []T, conditions []uint8, x, y []T, sc, sx, sy int)) func(line, from, to int) {
	return func(line, from, to int) {
		c, x, y, out := n.in[0].data, graph.View[T](n.in[1].data), graph.View[T](n.in[2].data), graph.View[T](n.out[0].data)
		sc, sx, sy := l.lineStrides[0], l.lineStrides[1], l.lineStrides[2]
		choose(out[line*l.length+from:line*l.length+to], c[l.offset(0, line)+from*sc:], x[l.offset(1, line)+from*sx:], y[l.offset(2, line)+from*sy:], sc, sx, sy)
	}
}

// chooseElements makes each element of out that of x where the condition holds,
// else that of y; the strides are 1 or 0.
func chooseElements[T graph.Element](out []T, conditions []uint8, x, y []T, sc, sx, sy int) {
	for i := range out {
		v := y[i*sy]
		if conditions[i*sc] != 0 {
			v = x[i*sx]
		}
		out[i] = v
	}
}

// chooseFloats is chooseElements for elements of 4 bytes, whatever they are.
func chooseFloats(out []float32, conditions []uint8, x, y []float32, sc, sx, sy int) {
	if len(out) == 0 {
		return
	}
	if sc == 0 && conditions[0] != 0 {
		fillLine(out, x, sx)
		return
	}
	fillLine(out, y, sy)
	switch {
	case sc == 0:
	case sx == 1:
		vectors.Choose(out, conditions, x)
	default:
		vectors.ChooseScalar(out, conditions, x[0])
	}
}

// fillLine copies x, or its first element where the stride is 0.
func fillLine(out, x []float32, stride int) {
	if stride == 1 {
		copy(out, x[:len(out)])
		return
	}
	v := x[0]
	for i := range out {
		out[i] = v
	}
}
