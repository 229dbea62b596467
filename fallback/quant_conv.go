package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorCONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := o.counts(2, 3, 1); r != nil {
				return r
			}
			if r := quantizedProduct(o, 0, 1, 2, lengthOf(o.in(1), 0), 0); r != nil {
				return r
			}
			if o.in(0).Type == graph.Int8 {
				if r := symmetric("the weights", o.in(1)); r != nil {
					return r
				}
			}
			return integerFusable(options[schema.Conv2DOptionsT](o.op).FusedActivationFunction)
		},
		prepare: func(n *node) (compute, error) {
			if n.in[0].tensor.Type == graph.Uint8 {
				return prepareQuantConv[uint8](n)
			}
			return prepareQuantConv[int8](n)
		},
	})
}

func prepareQuantConv[T int8 | uint8](n *node) (compute, error) {
	c, err := convShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
	upward := c.out
	if c.groups > 1 { // TensorFlow Lite's reference kernel
		upward = 0
	}
	r := newRequantizer(x, w, y, options[schema.Conv2DOptionsT](n.op).FusedActivationFunction, upward)
	if x.Type == graph.Uint8 {
		r.perTensor(x, w, y)
	}
	return func() {
		r.bias = biasOf(n, 2)
		to := integersOf[T](n.out[0])
		input := shifted(n.pool, integersOf[T](n.in[0]), affineOf(x).zero)
		defer input.give()
		convProducts(n.pool, c, input.data, integersOf[T](n.in[1]), affineOf(w).zero, func(row, column int, sums []int32) {
			write(r, to[row*c.out+column:], column, sums)
		})
	}, nil
}

// convProducts runs the products of a convolution, a group at a time. input is
// less its zero point, so that the padding is 0. finish gets columns of the
// whole output.
func convProducts[W int8 | uint8](pool *pool, c *convolution, input []float32, w []W, zero int32, finish func(row, column int, sums []int32)) {
	outs, depth := c.out/c.groups, c.depth()
	for g := range c.groups {
		p := integerProduct[W]{
			pool: pool, rows: c.pixels(), columns: outs, depth: depth,
			row: c.patches(input, g),
			w:   w[g*outs*depth:], zero: zero,
			finish: func(row, column int, sums []int32) { finish(row, g*outs+column, sums) },
		}
		p.run()
	}
}

// shifted is integers less their zero point, as floats.
func shifted[T int8 | uint8](pool *pool, x []T, zero int32) *scratch {
	s := takeScratch(len(x))
	pool.chunks(len(x), 1<<14, func(from, to int) {
		dst := s.data[from:to]
		for i, v := range x[from:to] {
			dst[i] = float32(int32(v) - zero)
		}
	})
	return s
}
