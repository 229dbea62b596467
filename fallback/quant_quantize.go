package fallback

import (
	"math"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorQUANTIZE, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(1, 1, 1), o.types(0, graph.Float32), o.outTypes(0, graph.Int8, graph.Uint8, graph.Int16), isAffine("the output", o.out(0), 0))
		},
		prepare: func(n *node) (compute, error) {
			switch n.out[0].tensor.Type {
			case graph.Uint8:
				return prepareQuantize[uint8](n)
			case graph.Int16:
				return prepareQuantize[int16](n)
			}
			return prepareQuantize[int8](n)
		},
	})
	register(schema.BuiltinOperatorQUANTIZE, kernel{
		accepts: func(o operands) *delegate.Refusal {
			narrow := []graph.TensorType{graph.Int8, graph.Uint8, graph.Int16}
			return firstRefusal(o.counts(1, 1, 1), o.types(0, narrow...), o.outTypes(0, narrow...), isAffine("the input", o.in(0), 0), isAffine("the output", o.out(0), 0))
		},
		prepare: func(n *node) (compute, error) {
			switch n.in[0].tensor.Type {
			case graph.Uint8:
				return prepareRequantize[uint8](n)
			case graph.Int16:
				return prepareRequantize[int16](n)
			}
			return prepareRequantize[int8](n)
		},
	})
}

// prepareQuantize is zero + x/scale. As TensorFlow Lite does, it multiplies by
// 1/scale and rounds halves to the even integer, eight values at once, and what
// is left over it divides as float64 and rounds halves away from zero.
func prepareQuantize[T int8 | uint8 | int16](n *node) (compute, error) {
	if err := n.shape(0, n.in[0].shape...); err != nil {
		return nil, err
	}
	q := affineOf(n.out[0].tensor)
	low, high := integerRange(n.out[0].tensor.Type)
	inverse := 1 / q.scale
	total := n.in[0].elements()
	whole := total / 8 * 8
	kernels, narrow := &simd.Active().Integer, n.out[0].tensor.Type != graph.Int16
	some := func(from, to int) {
		x, y := n.in[0].floats(), integersOf[T](n.out[0])
		if last := min(to, whole); narrow && from < last {
			kernels.Quantize(graph.Bytes(y[from:last]), x[from:last], inverse, q.zero, low, high, true)
			from = last
		}
		for i := from; i < to; i++ {
			var v int32
			if i < whole {
				v = roundEven(x[i] * inverse)
			} else {
				v = nearest(math.Round(float64(x[i]) / float64(q.scale)))
			}
			y[i] = T(clampInteger(saturatingAdd(v, q.zero), low, high))
		}
	}
	return func() { n.pool.chunks(total, 1<<14, some) }, nil
}

// prepareRequantize changes scale and zero point.
func prepareRequantize[T int8 | uint8 | int16](n *node) (compute, error) {
	switch n.out[0].tensor.Type {
	case graph.Uint8:
		return prepareRequantizeTo[T, uint8](n)
	case graph.Int16:
		return prepareRequantizeTo[T, int16](n)
	}
	return prepareRequantizeTo[T, int8](n)
}

func prepareRequantizeTo[T, U int8 | uint8 | int16](n *node) (compute, error) {
	if err := n.shape(0, n.in[0].shape...); err != nil {
		return nil, err
	}
	in, out := affineOf(n.in[0].tensor), affineOf(n.out[0].tensor)
	low, high := integerRange(n.out[0].tensor.Type)
	m := newMultiplier(float64(in.scale) / float64(out.scale))
	some := func(from, to int) {
		x, y := integersOf[T](n.in[0])[from:to], integersOf[U](n.out[0])[from:to]
		for i, v := range x {
			y[i] = U(clampInteger(out.zero+m.twice(int32(v)-in.zero), low, high))
		}
	}
	total := n.in[0].elements()
	return func() { n.pool.chunks(total, 1<<13, some) }, nil
}

// roundEven rounds to the nearest integer, halves to the even one.
func roundEven(x float32) int32 { return nearest(math.RoundToEven(float64(x))) }
