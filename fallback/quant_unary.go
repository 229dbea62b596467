package fallback

import (
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Operators on one 8-bit value are tables of 256 entries.

func init() {
	real := func(code graph.OpCode, f func(float32) float32) {
		registerTable(code, func(_ *graph.Op, in, out affine) func(int32) int32 { return throughReals(in, out, f) })
	}
	real(schema.BuiltinOperatorLOGISTIC, func(x float32) float32 { return 1 / (1 + float32(math.Exp(-float64(x)))) })
	real(schema.BuiltinOperatorTANH, func(x float32) float32 { return float32(math.Tanh(float64(x))) })
	real(schema.BuiltinOperatorELU, func(x float32) float32 {
		if x >= 0 {
			return x
		}
		return float32(math.Expm1(float64(x)))
	})
	relu := func(code graph.OpCode, low, high float32) {
		registerTable(code, func(_ *graph.Op, in, out affine) func(int32) int32 {
			m := newMultiplier(float64(in.scale / out.scale))
			least, most := saturatingAdd(roundAway(low/out.scale), out.zero), int32(math.MaxInt32)
			if high > low {
				most = saturatingAdd(roundAway(high/out.scale), out.zero)
			}
			return func(x int32) int32 { return clampInteger(out.zero+m.twice(x-in.zero), least, most) }
		})
	}
	relu(schema.BuiltinOperatorRELU, 0, 0)
	relu(schema.BuiltinOperatorRELU6, 0, 6)
	relu(schema.BuiltinOperatorRELU_N1_TO_1, -1, 1)
	registerTable(schema.BuiltinOperatorLEAKY_RELU, func(op *graph.Op, in, out affine) func(int32) int32 {
		same := newMultiplier(float64(in.scale / out.scale))
		alpha := options[schema.LeakyReluOptionsT](op).Alpha
		sloped := newMultiplier(math.Abs(float64(float32(in.scale*alpha) / out.scale)))
		sign := int32(1)
		if alpha < 0 {
			sign = -1
		}
		return func(x int32) int32 {
			if x -= in.zero; x >= 0 {
				return out.zero + same.twice(x)
			}
			return out.zero + sloped.twice(sign*x)
		}
	})
	registerTable(schema.BuiltinOperatorHARD_SWISH, hardSwish)
}

// registerTable registers an operator on one int8 or uint8 value; plan makes
// the function from input to output integers, which need not be clamped.
func registerTable(code graph.OpCode, plan func(op *graph.Op, in, out affine) func(x int32) int32) {
	register(code, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := firstRefusal(o.counts(1, 1, 1), o.types(0, graph.Int8, graph.Uint8)); r != nil {
				return r
			}
			return firstRefusal(o.outTypes(0, o.in(0).Type), isAffine("the input", o.in(0), 0), isAffine("the output", o.out(0), 0))
		},
		prepare: func(n *node) (compute, error) {
			if err := n.shape(0, n.in[0].shape...); err != nil {
				return nil, err
			}
			t := n.in[0].tensor
			f := plan(n.op, affineOf(t), affineOf(n.out[0].tensor))
			low, high := integerRange(t.Type)
			var table [256]byte // by the input's bits
			for x := low; x <= high; x++ {
				table[byte(x)] = byte(clampInteger(f(x), low, high))
			}
			total := n.in[0].elements()
			some := func(from, to int) {
				y := n.out[0].data[from:to]
				for i, v := range n.in[0].data[from:to] {
					y[i] = table[v]
				}
			}
			return func() { n.pool.chunks(total, 1<<15, some) }, nil
		},
	})
}

// throughReals computes a function of reals in float32.
func throughReals(in, out affine, f func(float32) float32) func(int32) int32 {
	inverse := 1 / out.scale
	return func(x int32) int32 {
		y := f(float32(in.scale * float32(x-in.zero)))
		return roundAway(float32(math.Round(float64(float32(y*inverse)))) + float32(out.zero))
	}
}

// hardSwish is x·min(max(x+3, 0), 6)/6 in 16-bit fixed point, as TensorFlow
// Lite's reference kernel computes it: x with 7 more bits, the second factor as
// a number of 0…1 in 15 bits.
func hardSwish(_ *graph.Op, in, out affine) func(int32) int32 {
	hires := float32(in.scale * (1.0 / 128))
	toOutput := newMultiplier(float64(hires / out.scale))
	toGate := newMultiplier(float64(hires / float32(3.0/32768)))
	output, gate := narrow(toOutput.mantissa), narrow(toGate.mantissa)
	return func(x int32) int32 {
		wide := (x - in.zero) << 7
		scaled := highHalf16(wide, output)
		g := wide
		if toGate.shift > 0 {
			g = saturate16(g << min(toGate.shift-1, 15))
		}
		g = highHalf16(g, gate)
		if toGate.shift > 0 {
			g = saturate16(g << 1)
		}
		if toGate.shift < 0 {
			g = divideRounded(g, -toGate.shift)
		}
		g = (g + 1<<15) >> 1
		y := saturate16(g * scaled / (1 << 15))
		return out.zero + divideRounded(y, max(0, -toOutput.shift))
	}
}

// narrow keeps the upper 16 bits of a 31-bit fraction, rounded.
func narrow(mantissa int32) int32 {
	if mantissa >= math.MaxInt32-1<<15 {
		return math.MaxInt16
	}
	return (mantissa + 1<<15) >> 16
}

// highHalf16 is a·b/2^15, rounded to the nearest, halves up, for 16-bit factors.
func highHalf16(a, b int32) int32 {
	if a == b && a == math.MinInt16 {
		return math.MaxInt16
	}
	return (a*b + 1<<14) >> 15
}

func saturate16(x int32) int32 { return clampInteger(x, math.MinInt16, math.MaxInt16) }
