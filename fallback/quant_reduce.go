package fallback

import (
	"math/bits"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	add := func(code graph.OpCode, mean bool, types ...graph.TensorType) {
		register(code, kernel{
			accepts: func(o operands) *delegate.Refusal {
				if r := firstRefusal(o.counts(2, 2, 1), o.types(0, types...), o.types(1, graph.Int32)); r != nil {
					return r
				}
				return firstRefusal(o.outTypes(0, o.in(0).Type), isAffine("the input", o.in(0), 0), isAffine("the output", o.out(0), 0))
			},
			prepare: func(n *node) (compute, error) {
				switch n.in[0].tensor.Type {
				case graph.Uint8:
					return prepareQuantSum[uint8](n, mean)
				case graph.Int16:
					return prepareQuantSum[int16](n, mean)
				}
				return prepareQuantSum[int8](n, mean)
			},
		})
	}
	add(schema.BuiltinOperatorMEAN, true, graph.Int8, graph.Uint8, graph.Int16)
	add(schema.BuiltinOperatorSUM, false, graph.Int8, graph.Uint8)
}

// prepareQuantSum adds integers less their zero point along dimensions, and
// brings the sum, or the mean, to the output's scale.
func prepareQuantSum[T int8 | uint8 | int16](n *node, mean bool) (compute, error) {
	shape, reduced, err := reducedShapes(n)
	if err != nil {
		return nil, err
	}
	kept, gone := split(shape, reduced)
	lines, reductions := gone.lines(), gone.count()
	in, out := affineOf(n.in[0].tensor), affineOf(n.out[0].tensor)
	low, high := integerRange(n.out[0].tensor.Type)
	m := newMultiplier(float64(in.scale) / float64(out.scale))
	if mean && reductions > 0 {
		m = m.dividedBy(reductions)
	}
	zero, offset := in.zero, out.zero
	scale := func(_ int, sum int32) int32 { return m.twice(sum) }
	if !mean { // in float32, the zero point apart
		zero = 0
		ratio := in.scale / out.scale
		bias := float32(float32(float32(-in.zero)*ratio) * float32(reductions))
		scale = func(_ int, sum int32) int32 { return roundAway(float32(float32(sum)*ratio) + bias) }
	}
	if mean && overImage(shape, reduced) && options[schema.ReducerOptionsT](n.op).KeepDims && n.in[0].tensor.Type != graph.Int16 {
		// A kernel of its own in TensorFlow Lite: the input's zero point is
		// taken off at the end, cut to an integer.
		zero = 0
		offset -= roundAway(float32(float32(in.zero)*in.scale) / out.scale)
		m = newMultiplier(float64(in.scale / float32(float32(reductions)*out.scale)))
		if n.in[0].tensor.Type == graph.Int8 {
			scale = func(i int, sum int32) int32 {
				if i%shape[3] < shape[3]/16*16 { // it computes 16 channels at once
					return m.upward(sum)
				}
				return m.twice(sum)
			}
		}
	}
	return func() {
		x, y := integersOf[T](n.in[0]), integersOf[T](n.out[0])
		n.pool.chunks(len(y), 1+(1<<13)/max(1, reductions), func(from, to int) {
			for i := from; i < to; i++ {
				sum := int32(0)
				first := kept.offset(i)
				for l := range lines.count {
					at := first + lines.outer.offset(l)
					for range lines.length {
						sum += int32(x[at])
						at += lines.step
					}
				}
				sum -= int32(reductions) * zero
				y[i] = T(clampInteger(saturatingAdd(scale(i, sum), offset), low, high))
			}
		})
	}, nil
}

// dividedBy is the multiplier for 1/n of it: the mantissa is shifted up as far
// as it goes before the division.
func (m multiplier) dividedBy(n int) multiplier {
	up := min(63-bits.LeadingZeros64(uint64(n)), 32, 31+m.shift)
	return multiplier{mantissa: int32((int64(m.mantissa) << up) / int64(n)), shift: m.shift - up}
}

// overImage reports whether height and width of [batch, height, width, channels]
// are reduced, and nothing else.
func overImage(shape []int, reduced []bool) bool {
	return len(shape) == 4 && !reduced[0] && reduced[1] && reduced[2] && !reduced[3]
}
