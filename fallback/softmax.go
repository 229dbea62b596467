package fallback

import (
	"errors"
	"math"

	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

func init() {
	accepts := func(o operands) *delegate.Refusal { return firstRefusal(o.counts(1, 1, 1), floatOperands(o)) }
	register(schema.BuiltinOperatorSOFTMAX, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		beta := options[schema.SoftmaxOptionsT](n.op).Beta
		return prepareRows(n, func(out, in []float32) { softmax(out, in, beta) })
	}})
	register(schema.BuiltinOperatorLOG_SOFTMAX, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		return prepareRows(n, logSoftmax)
	}})
	register(schema.BuiltinOperatorL2_NORMALIZATION, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(1, 1, 1), floatOperands(o), fusable(options[schema.L2NormOptionsT](o.op).FusedActivationFunction))
		},
		prepare: func(n *node) (compute, error) {
			act := fusedActivation(options[schema.L2NormOptionsT](n.op).FusedActivationFunction)
			return prepareRows(n, func(out, in []float32) {
				l2Normalize(out, in)
				if act != nil {
					act(out)
				}
			})
		},
	})
}

// prepareRows computes each row of the last dimension on its own.
func prepareRows(n *node, f func(out, in []float32)) (compute, error) {
	shape := n.in[0].shape
	if len(shape) == 0 {
		return nil, errors.New("the input is a scalar, must have at least one dimension")
	}
	width := shape[len(shape)-1]
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	total := n.in[0].elements()
	some := func(from, to int) {
		x, y := n.in[0].floats(), n.out[0].floats()
		for i := from; i < to; i++ {
			f(y[i*width:(i+1)*width], x[i*width:(i+1)*width])
		}
	}
	return func() {
		if total > 0 {
			n.pool.chunks(total/width, 1+(1<<11)/width, some)
		}
	}, nil
}

// softmax is e^(β·(x − max)) over its sum.
func softmax(out, in []float32, beta float32) {
	top := vectors.Largest(in)
	if beta <= 0 { // ExpSum takes positive factors
		vectors.ScaleShift(out, in, beta, -top*beta)
		vectors.Exp(out, out)
		vectors.MulScalar(out, out, 1/sumOf(out))
		return
	}
	vectors.MulScalar(out, out, 1/vectors.ExpSum(out, in, top, beta))
}

// logSoftmax is x − max − ln Σ e^(x − max).
func logSoftmax(out, in []float32) {
	scratch := takeScratch(len(in))
	defer scratch.give()
	top := vectors.Largest(in)
	sum := vectors.ExpSum(scratch.data, in, top, 1)
	vectors.SubScalar(out, in, top+float32(math.Log(float64(sum))))
}

// l2Normalize divides by the Euclidean norm, which is at least 1e-6 as in
// TensorFlow Lite.
func l2Normalize(out, in []float32) {
	vectors.DivScalar(out, in, max(sqrt(vectors.SumSquares(in, 0)), 1e-6))
}
