package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorFULLY_CONNECTED, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := o.counts(2, 3, 1); r != nil {
				return r
			}
			if r := quantizedProduct(o, 0, 1, 2, lengthOf(o.in(1), 0), 0); r != nil {
				return r
			}
			if len(o.in(1).Quantization.Scale) > 1 {
				if r := symmetric("the weights", o.in(1)); r != nil {
					return r
				}
			}
			return firstRefusal(denseWeights(o), integerFusable(options[schema.FullyConnectedOptionsT](o.op).FusedActivationFunction))
		},
		prepare: func(n *node) (compute, error) {
			if n.in[0].tensor.Type == graph.Uint8 {
				return prepareQuantFullyConnected[uint8](n)
			}
			return prepareQuantFullyConnected[int8](n)
		},
	})
}

func prepareQuantFullyConnected[T int8 | uint8](n *node) (compute, error) {
	rows, in, out, err := fullyConnectedShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
	r := newRequantizer(x, w, y, options[schema.FullyConnectedOptionsT](n.op).FusedActivationFunction, out)
	if len(r.multipliers) == 1 {
		r.perTensor(x, w, y)
	}
	return func() {
		r.bias = biasOf(n, 2)
		to := integersOf[T](n.out[0])
		p := integerProduct[T]{
			pool: n.pool, rows: rows, columns: out, depth: in,
			row: integerRows(integersOf[T](n.in[0]), in, affineOf(x).zero),
			w:   integersOf[T](n.in[1]), zero: affineOf(w).zero,
			finish: func(row, column int, sums []int32) {
				write(r, to[row*out+column:], column, sums)
			},
		}
		p.run()
	}, nil
}

// integerRows reads the rows of a matrix [rows, stride], less its zero point.
func integerRows[T int8 | uint8](a []T, stride int, zero int32) rowSource {
	return func(dst []float32, row, from int) {
		for i, v := range a[row*stride+from:][:len(dst)] {
			dst[i] = float32(int32(v) - zero)
		}
	}
}
