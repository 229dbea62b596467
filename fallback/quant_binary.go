package fallback

import (
	"slices"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	addActivation := func(op *graph.Op) graph.Activation { return options[schema.AddOptionsT](op).FusedActivationFunction }
	register(schema.BuiltinOperatorADD, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(quantizedPair(o), integerFusable(addActivation(o.op)))
		},
		prepare: func(n *node) (compute, error) {
			s := newScaledSum(n.in[0].tensor, n.in[1].tensor, n.out[0].tensor)
			s.low, s.high = activationRange(n.out[0].tensor, addActivation(n.op))
			s.simple = !fivefold(n.in[0].shape, n.in[1].shape)
			switch n.out[0].tensor.Type {
			case graph.Int8:
				return prepareGroups(n, addBytes[int8](s))
			case graph.Uint8:
				return prepareGroups(n, addBytes[uint8](s))
			}
			s.simple = !slices.Equal(n.in[0].shape, n.in[1].shape)
			return prepareGroups(n, s.addInt16)
		},
	})
	registerQuantBinary(schema.BuiltinOperatorSUB, sumOfScaled(-1),
		func(op *graph.Op) graph.Activation { return options[schema.SubOptionsT](op).FusedActivationFunction })
	mulActivation := func(op *graph.Op) graph.Activation { return options[schema.MulOptionsT](op).FusedActivationFunction }
	register(schema.BuiltinOperatorMUL, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(quantizedPair(o), integerFusable(mulActivation(o.op)))
		},
		prepare: func(n *node) (compute, error) {
			x, y, out := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
			switch out.Type {
			case graph.Int8:
				return prepareBinary(n, multiplyBytes[int8](x, y, out, mulActivation(n.op)), graph.ActNone)
			case graph.Uint8:
				return prepareBinary(n, multiplyBytes[uint8](x, y, out, mulActivation(n.op)), graph.ActNone)
			}
			return prepareIntegerBinary(n, scaledProduct(x, y, out), mulActivation(n.op))
		},
	})
	registerSameScale(schema.BuiltinOperatorMAXIMUM, largest[int32])
	registerSameScale(schema.BuiltinOperatorMINIMUM, smallest[int32])
}

// integerOperation computes an output integer, before clamping, from two input
// integers.
type integerOperation func(a, b int32) int32

// registerQuantBinary registers a broadcasting binary operator for 8-bit and
// 16-bit integers. plan makes the operation for given tensors.
func registerQuantBinary(code graph.OpCode, plan func(x, y, out *graph.Tensor) integerOperation, fused func(*graph.Op) graph.Activation) {
	register(code, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(quantizedPair(o), integerFusable(fused(o.op)))
		},
		prepare: func(n *node) (compute, error) {
			f := plan(n.in[0].tensor, n.in[1].tensor, n.out[0].tensor)
			return prepareIntegerBinary(n, f, fused(n.op))
		},
	})
}

// registerSameScale registers an operator on integers that mean the same in all
// three tensors.
func registerSameScale(code graph.OpCode, f integerOperation) {
	register(code, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := quantizedPair(o); r != nil {
				return r
			}
			if !sameScale(o.in(0), o.out(0)) || !sameScale(o.in(1), o.out(0)) {
				return delegate.Refuse(delegate.ReasonQuantization, "inputs and output differ in scale or zero point")
			}
			return nil
		},
		prepare: func(n *node) (compute, error) { return prepareIntegerBinary(n, f, graph.ActNone) },
	})
}

// quantizedPair refuses operands that are not two quantized integers of one
// type and an output of the same.
func quantizedPair(o operands) *delegate.Refusal {
	if r := firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Int8, graph.Uint8, graph.Int16)); r != nil {
		return r
	}
	t := o.in(0).Type
	if r := firstRefusal(o.types(1, t), o.outTypes(0, t), isAffine("input 0", o.in(0), 0), isAffine("input 1", o.in(1), 0), isAffine("the output", o.out(0), 0)); r != nil {
		return r
	}
	if t == graph.Int16 {
		return firstRefusal(symmetric("input 0", o.in(0)), symmetric("input 1", o.in(1)), symmetric("the output", o.out(0)))
	}
	return nil
}

func prepareIntegerBinary(n *node, f integerOperation, a graph.Activation) (compute, error) {
	low, high := activationRange(n.out[0].tensor, a)
	switch n.in[0].tensor.Type {
	case graph.Uint8:
		return prepareBinary(n, clamped[uint8](f, low, high), graph.ActNone)
	case graph.Int16:
		return prepareBinary(n, clamped[int16](f, low, high), graph.ActNone)
	}
	return prepareBinary(n, clamped[int8](f, low, high), graph.ActNone)
}

func clamped[T int8 | uint8 | int16](f integerOperation, low, high int32) lineFunc[T, T] {
	return perElement(func(a, b T) T { return T(clampInteger(f(int32(a), int32(b)), low, high)) })
}

// prepareGroups is prepareBinary for functions whose result depends on where
// groups of 8 or 16 begin: lines are only parted at multiples of those.
func prepareGroups[T int8 | uint8 | int16](n *node, f lineFunc[T, T]) (compute, error) {
	x, y := n.in[0].shape, n.in[1].shape
	shape, err := broadcastShapes(x, y)
	if err != nil {
		return nil, err
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	l := newLines(shape, x, y)
	const block = 1 << 13
	parts := (l.length + block - 1) / block
	var a, b, out []T
	some := func(from, to int) {
		for i := from; i < to; i++ {
			line, at := i/parts, i%parts*block
			o := out[line*l.length+at : line*l.length+min(at+block, l.length)]
			f(o, a[l.offset(0, line)+at*l.lineStrides[0]:], b[l.offset(1, line)+at*l.lineStrides[1]:], l.lineStrides[0], l.lineStrides[1])
		}
	}
	return func() {
		if a, b, out = integersOf[T](n.in[0]), integersOf[T](n.in[1]), integersOf[T](n.out[0]); len(out) > 0 {
			n.pool.chunks(l.count()*parts, 1+2*block/(l.length+1), some)
		}
		a, b, out = nil, nil, nil
	}, nil
}

// sumOfScaled plans x + sign·y.
func sumOfScaled(sign int32) func(x, y, out *graph.Tensor) integerOperation {
	return func(x, y, out *graph.Tensor) integerOperation {
		s := newScaledSum(x, y, out)
		return func(i, j int32) int32 {
			return s.out.zero + s.c.twice(s.twice(s.a, i-s.x.zero)+sign*s.twice(s.b, j-s.y.zero))
		}
	}
}

// scaledSum adds integers: both are brought to twice the larger scale, with as
// many extra bits as fit, added, and brought to the output's scale. TensorFlow
// Lite rounds the operands otherwise where it takes groups of values at once.
type scaledSum struct {
	x, y, out affine
	// a and b lead to twice the larger scale, c from there to the output's.
	a, b, c   multiplier
	extra     int
	low, high int32
	// simple: no groups, because the shapes are stretched in an odd way.
	simple bool
}

func newScaledSum(x, y, out *graph.Tensor) *scaledSum {
	s := &scaledSum{x: affineOf(x), y: affineOf(y), out: affineOf(out), extra: 20}
	if out.Type == graph.Int16 {
		s.extra = 15
	}
	twice := 2 * float64(max(s.x.scale, s.y.scale))
	s.a, s.b = newMultiplier(float64(s.x.scale)/twice), newMultiplier(float64(s.y.scale)/twice)
	s.c = newMultiplier(twice / (float64(int(1)<<s.extra) * float64(s.out.scale)))
	return s
}

// twice and once are two ways to scale an operand: rounded twice; with its right
// shift taken off the extra bits, so that it is rounded only once.
func (s *scaledSum) twice(m multiplier, x int32) int32 { return m.twice(x << s.extra) }
func (s *scaledSum) once(m multiplier, x int32) int32 {
	return highHalf(x<<max(0, s.extra+m.shift), m.mantissa)
}

// finish is the output for a sum.
func (s *scaledSum) finish(sum int32) int32 {
	return clampInteger(s.out.zero+s.c.twice(sum), s.low, s.high)
}

// addBytes adds 8-bit integers: groups of 16 of int8 once, groups of 8 of uint8
// cut, as are groups of 8 where one operand is a single value.
func addBytes[T int8 | uint8](s *scaledSum) lineFunc[T, T] {
	// tables have the operands' parts of the sum for each integer.
	var tables [2][256]int32
	for i := range 256 {
		tables[0][i], tables[1][i] = s.twice(s.a, int32(T(i))-s.x.zero), s.twice(s.b, int32(T(i))-s.y.zero)
	}
	rule := func(m multiplier, zero int32, once bool) simd.Scaling {
		if once {
			return simd.Scaling{Zero: zero, Left: int32(max(0, s.extra+m.shift)), Mantissa: m.mantissa}
		}
		return simd.Scaling{Zero: zero, Left: int32(s.extra), Mantissa: m.mantissa, Right: int32(-m.shift)}
	}
	cut := &[2]simd.Scaling{rule(s.a, s.x.zero, false), rule(s.b, s.y.zero, false)}
	once := &[2]simd.Scaling{rule(s.a, s.x.zero, true), rule(s.b, s.y.zero, true)}
	unsigned := ^T(0) > 0
	lines := newByteLines(requantizer{zero: s.out.zero, low: s.low, high: s.high, multipliers: []multiplier{s.c}})
	return func(out, a, b []T, sa, sb int) {
		rules, whole := once, len(out)/16*16
		if unsigned || sa == 0 || sb == 0 {
			rules, whole = cut, len(out)/8*8
		}
		if s.simple {
			whole = 0
		}
		lines.compute(graph.Bytes(out[:whole]), graph.Bytes(a), graph.Bytes(b), sa, sb, func(sums []int32, a, b []byte) {
			lines.kernels.Sum(sums, a, b, rules, unsigned)
		})
		for i := whole; i < len(out); i++ {
			out[i] = T(s.finish(tables[0][uint8(a[i*sa])] + tables[1][uint8(b[i*sb])]))
		}
	}
}

// addInt16 adds 16-bit integers, whose zero points are 0: groups of 8 once.
func (s *scaledSum) addInt16(out, a, b []int16, sa, sb int) {
	for i := range out {
		scaled := s.twice
		if i < len(out)/8*8 && !s.simple {
			scaled = s.once
		}
		out[i] = int16(s.finish(scaled(s.a, int32(a[i*sa])) + scaled(s.b, int32(b[i*sb]))))
	}
}

// fivefold reports whether shapes are stretched in the pattern for which
// TensorFlow Lite has fast kernels. From the last dimension on: equal ones, some
// that one operand stretches, equal ones, some that the other stretches, equal
// ones; any of these may be missing.
func fivefold(x, y []int) bool {
	i, rank := 0, max(len(x), len(y))
	equal := func() {
		for i < rank && sizeFromEnd(x, i) == sizeFromEnd(y, i) {
			i++
		}
	}
	equal()
	if sizeFromEnd(x, i) != 1 { // x is to be the one that stretches first
		x, y = y, x
	}
	for i < rank && sizeFromEnd(x, i) == 1 {
		i++
	}
	equal()
	for i < rank && sizeFromEnd(y, i) == 1 {
		i++
	}
	equal()
	return i == rank
}

// scaledProduct plans x·y.
func scaledProduct(x, y, out *graph.Tensor) integerOperation {
	a, b, c := affineOf(x), affineOf(y), affineOf(out)
	m := productMultiplier(x, y, out)
	return func(i, j int32) int32 { return c.zero + m.twice((i-a.zero)*(j-b.zero)) }
}

// multiplyBytes is scaledProduct on bytes.
func multiplyBytes[T int8 | uint8](x, y, out *graph.Tensor, act graph.Activation) lineFunc[T, T] {
	zeros := &[2]int32{affineOf(x).zero, affineOf(y).zero}
	r := requantizer{zero: affineOf(out).zero, multipliers: []multiplier{productMultiplier(x, y, out)}}
	r.low, r.high = activationRange(out, act)
	unsigned := ^T(0) > 0
	lines := newByteLines(r)
	return func(out, a, b []T, sa, sb int) {
		lines.compute(graph.Bytes(out), graph.Bytes(a), graph.Bytes(b), sa, sb, func(sums []int32, a, b []byte) {
			lines.kernels.Product(sums, a, b, zeros, unsigned)
		})
	}
}

// productMultiplier is the factor of x·y, rounded to float32.
func productMultiplier(x, y, out *graph.Tensor) multiplier {
	product := float32(affineOf(x).scale * affineOf(y).scale)
	return newMultiplier(float64(product / affineOf(out).scale))
}
