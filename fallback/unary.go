package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	vector := func(code graph.OpCode, f func(out, in []float32)) {
		register(code, mapKernel(graph.Float32, graph.Float32, func(*graph.Op) func(out, in []float32) { return f }))
	}
	vector(schema.BuiltinOperatorRSQRT, vectors.Rsqrt)
	vector(schema.BuiltinOperatorSQRT, vectors.Sqrt)
	vector(schema.BuiltinOperatorSQUARE, func(out, in []float32) { vectors.Mul(out, in, in) })
	vector(schema.BuiltinOperatorEXP, vectors.Exp)
	vector(schema.BuiltinOperatorTANH, vectors.Tanh)
	vector(schema.BuiltinOperatorLOGISTIC, vectors.Logistic)
	vector(schema.BuiltinOperatorABS, vectors.Abs)
	vector(schema.BuiltinOperatorNEG, vectors.Neg)
	vector(schema.BuiltinOperatorRELU, clampedTo(0, infinity))
	vector(schema.BuiltinOperatorRELU6, clampedTo(0, 6))
	vector(schema.BuiltinOperatorRELU_N1_TO_1, clampedTo(-1, 1))
	vector(schema.BuiltinOperatorRELU_0_TO_1, clampedTo(0, 1))
	vector(schema.BuiltinOperatorHARD_SWISH, vectors.HardSwish)
	vector(schema.BuiltinOperatorELU, vectors.Elu)
	vector(schema.BuiltinOperatorFLOOR, vectors.Floor)
	vector(schema.BuiltinOperatorCEIL, vectors.Ceil)
	vector(schema.BuiltinOperatorROUND, vectors.Round)
	vector(schema.BuiltinOperatorLOG, vectors.Log)
	vector(schema.BuiltinOperatorSIN, vectors.Sin)
	vector(schema.BuiltinOperatorCOS, vectors.Cos)
	vector(schema.BuiltinOperatorSIGN, vectors.Sign)
	integerMaps[int32](graph.Int32)
	integerMaps[int64](graph.Int64)
	register(schema.BuiltinOperatorLEAKY_RELU, mapKernel(graph.Float32, graph.Float32, func(op *graph.Op) func(out, in []float32) {
		alpha := options[schema.LeakyReluOptionsT](op).Alpha
		return func(out, in []float32) { vectors.LeakyRelu(out, in, alpha) }
	}))
	register(schema.BuiltinOperatorGELU, mapKernel(graph.Float32, graph.Float32, func(op *graph.Op) func(out, in []float32) {
		if options[schema.GeluOptionsT](op).Approximate {
			return vectors.GeluTanh
		}
		return vectors.GeluErf
	}))
	registerBinary(schema.BuiltinOperatorPRELU, graph.Float32, graph.Float32, onLines(vectors.PRelu, vectors.LeakyRelu, leakyLine), nil)
}

// integerMaps registers the operators on whole numbers.
func integerMaps[T int32 | int64](t graph.TensorType) {
	integer := func(code graph.OpCode, f func(T) T) {
		register(code, mapKernel(t, t, func(*graph.Op) func(out, in []T) {
			return func(out, in []T) {
				for i, v := range in {
					out[i] = f(v)
				}
			}
		}))
	}
	integer(schema.BuiltinOperatorNEG, func(x T) T { return -x })
	integer(schema.BuiltinOperatorABS, func(x T) T { return max(x, -x) })
	integer(schema.BuiltinOperatorSIGN, func(x T) T { return max(min(x, 1), -1) })
}

// mapKernel is the kernel that computes each element of the output from the
// same element of the input. The function gets parts of the data, of equal
// length.
func mapKernel[T, U graph.Element](in, out graph.TensorType, choose func(op *graph.Op) func(out []U, in []T)) kernel {
	elements, _ := any(choose).(func(*graph.Op) func(out, in []float32))
	return kernel{
		elements: elements,
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(1, 1, 1), o.types(0, in), o.outTypes(0, out))
		},
		prepare: func(n *node) (compute, error) {
			if err := n.shape(0, n.in[0].shape...); err != nil {
				return nil, err
			}
			f := choose(n.op)
			total := n.in[0].elements()
			some := func(from, to int) {
				f(graph.View[U](n.out[0].data)[from:to], graph.View[T](n.in[0].data)[from:to])
			}
			return func() { n.pool.chunks(total, 1<<12, some) }, nil
		},
	}
}
