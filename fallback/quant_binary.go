package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	registerQuantBinary(schema.BuiltinOperatorADD, sumOfScaled(1),
		func(op *graph.Op) graph.Activation { return options[schema.AddOptionsT](op).FusedActivationFunction })
	registerQuantBinary(schema.BuiltinOperatorSUB, sumOfScaled(-1),
		func(op *graph.Op) graph.Activation { return options[schema.SubOptionsT](op).FusedActivationFunction })
	registerQuantBinary(schema.BuiltinOperatorMUL, scaledProduct,
		func(op *graph.Op) graph.Activation { return options[schema.MulOptionsT](op).FusedActivationFunction })
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

// sumOfScaled plans x + sign·y: both are brought to twice the larger scale, with
// as many extra bits as fit, added, and brought to the output's scale.
func sumOfScaled(sign int32) func(x, y, out *graph.Tensor) integerOperation {
	return func(x, y, out *graph.Tensor) integerOperation {
		extra := 20
		if out.Type == graph.Int16 {
			extra = 15
		}
		a, b, c := affineOf(x), affineOf(y), affineOf(out)
		twice := 2 * float64(max(a.scale, b.scale))
		ma, mb := newMultiplier(float64(a.scale)/twice), newMultiplier(float64(b.scale)/twice)
		mc := newMultiplier(twice / (float64(int(1)<<extra) * float64(c.scale)))
		return func(i, j int32) int32 {
			sum := ma.twice((i-a.zero)<<extra) + sign*mb.twice((j-b.zero)<<extra)
			return c.zero + mc.twice(sum)
		}
	}
}

// scaledProduct plans x·y. The factor is rounded to float32.
func scaledProduct(x, y, out *graph.Tensor) integerOperation {
	a, b, c := affineOf(x), affineOf(y), affineOf(out)
	product := float32(a.scale * b.scale)
	m := newMultiplier(float64(product / c.scale))
	return func(i, j int32) int32 { return c.zero + m.twice((i-a.zero)*(j-b.zero)) }
}
