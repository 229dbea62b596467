package fallback

import (
	"math"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// number is what arithmetic kernels compute with.
type number interface{ ~float32 | ~int32 | ~int64 }

func init() {
	registerArithmetic(schema.BuiltinOperatorADD, onLines(vectors.Add, vectors.AddScalar, vectors.AddScalar), addLines[int32], addLines[int64],
		func(op *graph.Op) graph.Activation { return options[schema.AddOptionsT](op).FusedActivationFunction })
	registerArithmetic(schema.BuiltinOperatorSUB, onLines(vectors.Sub, vectors.SubScalar, vectors.ScalarSub), subLines[int32], subLines[int64],
		func(op *graph.Op) graph.Activation { return options[schema.SubOptionsT](op).FusedActivationFunction })
	registerArithmetic(schema.BuiltinOperatorMUL, onLines(vectors.Mul, vectors.MulScalar, vectors.MulScalar), mulLines[int32], mulLines[int64],
		func(op *graph.Op) graph.Activation { return options[schema.MulOptionsT](op).FusedActivationFunction })
	registerArithmetic(schema.BuiltinOperatorDIV, onLines(vectors.Div, vectors.DivScalar, vectors.ScalarDiv), perElement(divide[int32]), nil,
		func(op *graph.Op) graph.Activation { return options[schema.DivOptionsT](op).FusedActivationFunction })
	none := func(*graph.Op) graph.Activation { return graph.ActNone }
	registerArithmetic(schema.BuiltinOperatorSQUARED_DIFFERENCE, onLines(vectors.SquaredDifference, vectors.SquaredDifferenceScalar, vectors.SquaredDifferenceScalar), squaredDifferenceLines[int32], nil, none)
	registerArithmetic(schema.BuiltinOperatorMAXIMUM, onLines(vectors.Max, vectors.MaxScalar, vectors.MaxScalar), perElement(largest[int32]), perElement(largest[int64]), none)
	registerArithmetic(schema.BuiltinOperatorMINIMUM, onLines(vectors.Min, vectors.MinScalar, vectors.MinScalar), perElement(smallest[int32]), perElement(smallest[int64]), none)
	registerArithmetic(schema.BuiltinOperatorPOW, powLines, perElement(powInteger), nil, none)
	registerArithmetic(schema.BuiltinOperatorFLOOR_DIV, floorDivideLines, perElement(floorDivide[int32]), perElement(floorDivide[int64]), none)
	registerArithmetic(schema.BuiltinOperatorFLOOR_MOD, perElement(floorModFloat), perElement(floorMod[int32]), perElement(floorMod[int64]), none)
	registerArithmetic(schema.BuiltinOperatorATAN2, perElement(func(a, b float32) float32 { return float32(math.Atan2(float64(a), float64(b))) }), nil, nil, none)
}

// lineFunc computes a line of outputs; sa and sb are 1, or 0 where the operand
// has one element for the whole line.
type lineFunc[T, U any] func(out []U, a, b []T, sa, sb int)

// registerArithmetic registers a binary operator with a function for each type
// that it takes; nil for types that it does not take.
func registerArithmetic(code graph.OpCode, f32 lineFunc[float32, float32], i32 lineFunc[int32, int32], i64 lineFunc[int64, int64], fused func(*graph.Op) graph.Activation) {
	registerBinary(code, graph.Float32, graph.Float32, f32, fused)
	if i32 != nil {
		registerBinary(code, graph.Int32, graph.Int32, i32, fused)
	}
	if i64 != nil {
		registerBinary(code, graph.Int64, graph.Int64, i64, fused)
	}
}

// registerBinary registers the kernel of a broadcasting binary operator for
// operands of type in and results of type out. fused may be nil.
func registerBinary[T, U graph.Element](code graph.OpCode, in, out graph.TensorType, f lineFunc[T, U], fused func(*graph.Op) graph.Activation) {
	activationOf := func(op *graph.Op) graph.Activation {
		if fused == nil {
			return graph.ActNone
		}
		return fused(op)
	}
	line, _ := any(f).(lineFunc[float32, float32])
	register(code, kernel{
		line: line, fused: activationOf,
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(2, 2, 1), o.types(0, in), o.types(1, in), o.outTypes(0, out), fusable(activationOf(o.op)))
			if r == nil && in != graph.Float32 && activationOf(o.op) == graph.ActTanh {
				r = delegate.Refuse(delegate.ReasonOption, "TANH fused to integers")
			}
			return r
		},
		prepare: func(n *node) (compute, error) {
			return prepareBinary(n, f, activationOf(n.op))
		},
	})
}

func prepareBinary[T, U graph.Element](n *node, f lineFunc[T, U], fused graph.Activation) (compute, error) {
	x, y := n.in[0].shape, n.in[1].shape
	shape, err := broadcastShapes(x, y)
	if err != nil {
		return nil, err
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	total := n.out[0].elements()
	l := newLines(shape, x, y)
	act := fusedOn[U](fused)
	integers := divides(n.op.Code) && (n.in[1].tensor.Type == graph.Int32 || n.in[1].tensor.Type == graph.Int64)
	part := func(out []U, a, b []T) {
		f(out, a, b, l.lineStrides[0], l.lineStrides[1])
		if act != nil {
			act(out)
		}
	}
	const least = 1 << 13 // elements worth a goroutine
	pieces, fewest := l.count(), 1+least/max(1, l.length)
	some := func(from, to int) {
		a, b, out := graph.View[T](n.in[0].data), graph.View[T](n.in[1].data), graph.View[U](n.out[0].data)
		for c := l.from(from); c.line < to; c.next() {
			part(out[c.line*l.length:(c.line+1)*l.length], a[c.at[0]:], b[c.at[1]:])
		}
	}
	if pieces == 1 {
		pieces, fewest = l.length, least
		some = func(from, to int) {
			a, b, out := graph.View[T](n.in[0].data), graph.View[T](n.in[1].data), graph.View[U](n.out[0].data)
			part(out[from:to], a[from*l.lineStrides[0]:], b[from*l.lineStrides[1]:])
		}
	}
	return func() {
		if total == 0 {
			return
		}
		var zero T
		if integers && slices.Contains(graph.View[T](n.in[1].data), zero) {
			n.fail("integer division by zero")
			return
		}
		n.pool.chunks(pieces, fewest, some)
	}, nil
}

// fusedOn is fusedActivation for any element type.
func fusedOn[U graph.Element](a graph.Activation) func([]U) {
	if a == graph.ActNone {
		return nil
	}
	var zero U
	switch any(zero).(type) {
	case float32:
		f := fusedActivation(a)
		return func(x []U) { f(any(x).([]float32)) }
	case int32:
		return func(x []U) { clampIntegers(any(x).([]int32), a) }
	case int64:
		return func(x []U) { clampIntegers(any(x).([]int64), a) }
	}
	return nil
}

func clampIntegers[T int32 | int64](x []T, a graph.Activation) {
	low, high := T(0), T(math.MaxInt32)
	switch a {
	case graph.ActRelu6:
		high = 6
	case graph.ActReluN1To1:
		low, high = -1, 1
	}
	for i, v := range x {
		x[i] = min(max(v, low), high)
	}
}

// perElement makes a lineFunc of a function of two values.
func perElement[T, U any](f func(a, b T) U) lineFunc[T, U] {
	return func(out []U, a, b []T, sa, sb int) {
		for i := range out {
			out[i] = f(a[i*sa], b[i*sb])
		}
	}
}

// The four most frequent operators have loops of their own: a call for each
// element would take longer than the arithmetic.

func addLines[T number](out, a, b []T, sa, sb int) {
	switch {
	case sa == 0:
		v := a[0]
		b = b[:len(out)*sb+1-sb]
		for i := range out {
			out[i] = v + b[i*sb]
		}
	case sb == 0:
		addLines(out, b, a, sb, sa)
	default:
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] + b[i]
		}
	}
}

func mulLines[T number](out, a, b []T, sa, sb int) {
	switch {
	case sa == 0:
		v := a[0]
		b = b[:len(out)*sb+1-sb]
		for i := range out {
			out[i] = v * b[i*sb]
		}
	case sb == 0:
		mulLines(out, b, a, sb, sa)
	default:
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] * b[i]
		}
	}
}

func subLines[T number](out, a, b []T, sa, sb int) {
	switch {
	case sa == 1 && sb == 1:
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = a[i] - b[i]
		}
	case sb == 0 && sa == 1:
		v := b[0]
		a = a[:len(out)]
		for i := range out {
			out[i] = a[i] - v
		}
	default:
		for i := range out {
			out[i] = a[i*sa] - b[i*sb]
		}
	}
}

func squaredDifferenceLines[T number](out, a, b []T, sa, sb int) {
	subLines(out, a, b, sa, sb)
	for i, d := range out {
		out[i] = d * d
	}
}

func largest[T number](a, b T) T  { return max(a, b) }
func smallest[T number](a, b T) T { return min(a, b) }

// floorDivideLines is ⌊a/b⌋, of the quotient rounded to float32.
func floorDivideLines(out, a, b []float32, sa, sb int) {
	quotients(out, a, b, sa, sb)
	vectors.Floor(out, out)
}

var quotients = onLines(vectors.Div, vectors.DivScalar, vectors.ScalarDiv)

// powLines is aᵇ. Exponents that are the same for a line, and frequent ones, have
// loops that give the same, but for a unit in the last place.
func powLines(out, a, b []float32, sa, sb int) {
	if sb == 0 && sa == 1 {
		a = a[:len(out)]
		switch b[0] {
		case 1:
			copy(out, a)
			return
		case 2:
			vectors.Mul(out, a, a)
			return
		case 3:
			for i, x := range a {
				d := float64(x)
				out[i] = float32(d * d * d)
			}
			return
		case -1:
			vectors.ScalarDiv(out, a, 1)
			return
		case 0.5, -0.5:
			rootLine(out, a, b[0] < 0)
			return
		}
	}
	powers(out, a, b, sa, sb)
}

var powers = perElement(powFloat)

// rootLine is the power 0.5, or −0.5: of −∞ that of ∞, and of −0 that of 0, in
// which it is not the root.
func rootLine(out, a []float32, inverse bool) {
	for i, x := range a {
		switch {
		case math.IsInf(float64(x), -1):
			x = infinity
		case x == 0:
			x = 0
		}
		d := math.Sqrt(float64(x))
		if inverse {
			d = 1 / d
		}
		out[i] = float32(d)
	}
}

func powFloat(a, b float32) float32 { return float32(math.Pow(float64(a), float64(b))) }

// powInteger is aᵇ by squaring; 0 for negative exponents of |a| > 1, as in C.
func powInteger(a, b int32) int32 {
	if b < 0 {
		switch a {
		case 1:
			return 1
		case -1:
			return 1 - 2*(b&1)
		}
		return 0
	}
	result := int32(1)
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			result *= a
		}
		a *= a
	}
	return result
}

// divides reports whether the operator's second operand must not be 0 when it is
// an integer. The three functions below are not called then.
func divides(code graph.OpCode) bool {
	return code == schema.BuiltinOperatorDIV || code == schema.BuiltinOperatorFLOOR_DIV || code == schema.BuiltinOperatorFLOOR_MOD
}

// divide rounds toward 0, as C does.
func divide[T int32 | int64](a, b T) T { return a / b }

// floorDivide rounds toward −∞.
func floorDivide[T int32 | int64](a, b T) T {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// floorMod has the sign of b.
func floorMod[T int32 | int64](a, b T) T {
	m := a % b
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}

func floorModFloat(a, b float32) float32 {
	m := float32(math.Mod(float64(a), float64(b)))
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m
}
